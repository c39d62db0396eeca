"""The commands about one person: whom a key means, what they do, how they answer and refuse."""

import json
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from contacts.actions import delete_contact, merge_contacts
from contacts.models import Contact, ContactMerge
from contacts.queries import contact_by_id, contact_by_key
from events.actions import emit_events
from events.definitions import NewEvent
from tests.people import ada, ben, cleo, dora, person

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command and return what it printed."""

    def call(*arguments: object) -> str:
        call_command(*(str(one) for one in arguments))
        return capsys.readouterr().out

    return call


def refused(run: Run, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that refuses in JSON, and return its sentence."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments, "--json")
    assert ended.value.code == 1
    return json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("key", ["ada", " ada ", "ADA@example.com", "id"])
def test_somebody_is_exported_by_any_key(run, key):
    known = ada(plan="pro")
    emit_events([NewEvent(known.pk, "order.completed")], now=NOW)

    document = json.loads(run("export_contact", known.pk if key == "id" else key))

    assert document["contact"]["id"] == str(known.pk)
    assert document["contact"]["properties"] == {"plan": "pro"}
    assert [event["name"] for event in document["events"]] == ["order.completed"]


def test_an_export_goes_into_a_new_file_that_only_its_owner_reads(run, capsys, tmp_path):
    known, file = ada(), tmp_path / "ada.json"

    said = json.loads(run("export_contact", "ada", "--output", file, "--json"))

    assert said == {"id": str(known.pk), "file": str(file)}
    assert json.loads(file.read_text())["contact"]["userId"] == "ada"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "name a new file" in refused(run, capsys, "export_contact", "ada", "--output", file)
    assert "No such file" in refused(run, capsys, "export_contact", "ada", "--output", tmp_path / "no" / "ada.json")


def test_a_key_that_means_several_people_asks_what_it_is(run, capsys):
    known, visitor = person(user_id="dup"), person(anonymous_id="dup")
    sentence = refused(run, capsys, "export_contact", "dup")
    found = [
        json.loads(run("export_contact", "dup", "--by", by))["contact"]["id"] for by in ("user-id", "anonymous-id")
    ]
    assert found == [str(known.pk), str(visitor.pk)]
    assert "--by" in sentence
    assert str(known.pk) in sentence


@pytest.mark.parametrize("by", ["email", "user-id", "anonymous-id", "id"])
def test_a_key_of_another_kind_means_nobody(run, capsys, by):
    ada(), person(user_id="b@example.com", anonymous_id="visit-1")
    key = {"email": "ada", "user-id": "visit-1", "anonymous-id": "ada", "id": "ada"}[by]
    assert "Nobody is known by" in refused(run, capsys, "export_contact", key, "--by", by)


def test_the_id_of_who_was_merged_leads_to_the_survivor(run):
    known, visitor = ada(), cleo()
    merge_contacts(survivor_id=known.pk, absorbed_id=visitor.pk, actor="staff", now=NOW)
    assert json.loads(run("export_contact", visitor.pk))["contact"]["id"] == str(known.pk)


def test_who_was_deleted_is_found_only_where_nobody_lives(run):
    gone = ada()
    delete_contact(contact_id=gone.pk, now=NOW)
    before = json.loads(run("export_contact", "ada@example.com"))["contact"]["id"]
    back = person(email="ada@example.com")
    after = json.loads(run("export_contact", "ada@example.com"))["contact"]["id"]
    assert (before, after) == (str(gone.pk), str(back.pk))


def test_somebody_is_erased_and_the_answer_names_nobody(run):
    known = ada()
    said = run("erase_contact", "ada@example.com", "--yes")
    assert not Contact.objects.exists()
    assert "contact keys" in said
    assert "ada" not in said
    assert str(known.pk) not in said


def test_an_erasure_is_answered_as_json(run):
    ada()
    said = json.loads(run("erase_contact", "ada", "--yes", "--json"))
    assert (said["erased"], said["rows"]["contacts.ContactKey"]) == (True, 2)
    assert set(said) == {"erased", "rows", "mentions"}


def test_nobody_is_erased_without_a_yes(run, capsys):
    known = ada()
    assert "give --yes" in refused(run, capsys, "erase_contact", "ada")
    assert contact_by_id(known.pk) == known


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "left"), [("yes\n", 0), (" YES \n", 0), ("y\n", 1), ("\n", 1), ("", 1)])
def test_on_a_terminal_the_question_is_asked(run, monkeypatch, typed, left):
    ada()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    if left:
        with pytest.raises(CommandError, match="Nothing was erased"):
            run("erase_contact", "ada")
    else:
        run("erase_contact", "ada")
    assert Contact.objects.count() == left


def test_somebody_deleted_is_erased_by_their_last_address(run):
    delete_contact(contact_id=ada().pk, now=NOW)
    run("erase_contact", "ada@example.com", "--yes")
    assert not Contact.objects.exists()


def test_two_people_become_one(run):
    known, other = ada(), dora()
    said = json.loads(run("merge_contacts", "ada", "dora@example.com", "--json"))
    journal = ContactMerge.objects.get()
    assert contact_by_key(kind="external", value="dora") == known
    assert said == {"survivor": str(known.pk), "absorbed": str(other.pk), "merged": True, "journal": str(journal.pk)}
    assert journal.actor == "command: merge_contacts"


def test_a_dry_run_says_what_would_move_and_changes_nothing(run):
    _, visitor = ada(), cleo(city="Rome")
    emit_events([NewEvent(visitor.pk, "page.viewed")], now=NOW)

    said = run("merge_contacts", "ada", "cleo-visit", "--dry-run")
    document = json.loads(run("merge_contacts", "ada", "cleo-visit", "--dry-run", "--json"))

    assert "1 events" in said
    assert "Nothing was changed" in said
    assert document["merged"] is False
    assert (document["moved"]["events"], document["keys"]) == (1, [["anonymous", "cleo-visit"]])
    assert document["result"]["properties"] == {"city": "Rome"}
    assert contact_by_id(visitor.pk) == visitor


@pytest.mark.parametrize("pair", [("ada", "ada@example.com"), ("ada", "nobody"), ("ada", "ben@example.com")])
def test_who_cannot_be_merged_is_said(run, capsys, pair):
    ada()
    delete_contact(contact_id=ben().pk, now=NOW)
    assert refused(run, capsys, "merge_contacts", *pair)
    assert not ContactMerge.objects.exists()


def test_somebody_is_deleted_once(run, capsys):
    known = ada()
    said = json.loads(run("delete_contact", "ada", "--json"))
    assert said == {"deleted": True, "id": str(known.pk)}
    assert contact_by_key(kind="external", value="ada") is None
    assert "deleted already" in refused(run, capsys, "delete_contact", "ada")


@pytest.mark.parametrize("command", ["export_contact", "delete_contact", "erase_contact"])
def test_nobody_is_found_by_an_unknown_key(run, command):
    with pytest.raises(CommandError, match="Nobody is known by 'nobody'"):
        run(command, "nobody")


@pytest.mark.django_db(transaction=True)
def test_a_process_without_a_terminal_refuses_with_1(start, test_database):
    ada()
    process = start("manage.py", "erase_contact", "ada", DATABASE_URL=test_database)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "give --yes" in said
    assert Contact.objects.count() == 1
