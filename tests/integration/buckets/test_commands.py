"""The commands about buckets, as operators run them."""

import json
from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from buckets.actions import begin_backfill, run_backfill, set_enabled
from buckets.definitions import Bucket, registry
from buckets.models import Backfill, BackfillMode, BucketConfig, BucketMembership, Verification
from conditions.event import event
from conditions.property import prop
from contacts.rules import Keys
from events.actions import ingest_events
from events.models import Event
from events.submission import Submission
from hogsend.clock import database_now
from hogsend.lib.ids import new_id
from tests.people import ada, ben

pytestmark = pytest.mark.django_db

Run = Callable[..., str]
DAY = timedelta(days=1)
TRIAL = prop("plan").eq("trial")
NESTED = '{"type": "composite", "operator": "and", "conditions": [' * 400 + json.dumps(TRIAL.as_data()) + "]}" * 400


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command and return what it printed."""

    def call(*arguments: str) -> str:
        call_command(*arguments)
        return capsys.readouterr().out

    return call


def declare(criteria=TRIAL, **more) -> Bucket:
    return Bucket(**{"id": "trial", "name": "On trial", "criteria": criteria, **more})


def judged(criteria=TRIAL, **more) -> Bucket:
    """Declare a bucket by which everybody was judged."""
    bucket = declare(criteria, **more)
    run_backfill(bucket, now=database_now())
    return bucket


def inside() -> set[str]:
    return set(BucketMembership.objects.filter(status="active").values_list("contact__external_id", flat=True))


class TestPreview:
    def test_a_declared_bucket_is_said_in_numbers_people_and_a_plan(self, run):
        declare()
        ada(plan="trial")
        ben()

        printed = run("preview_bucket", "trial")

        assert "Criteria: plan is “trial”\nInside: 1 of 2 people (50.0%)" in printed
        assert 'ada  ada@example.com  plan="trial"' in printed
        assert "The plan, at a cost of" in printed

    def test_as_json_it_is_one_document(self, run):
        ada(plan="trial")
        document = json.loads(run("preview_bucket", "--criteria", json.dumps(TRIAL.as_data()), "--json"))
        assert (document["size"], document["peopleTotal"], document["isEstimate"]) == (1, 1, False)
        assert document["sample"][0]["userId"] == "ada"
        assert document["plan"]

    def test_criteria_may_stand_in_a_file_and_the_sample_be_left_out(self, run, tmp_path):
        file = tmp_path / "criteria.json"
        file.write_text(json.dumps(TRIAL.as_data()))
        ada(plan="trial")
        document = json.loads(run("preview_bucket", "--criteria", f"@{file}", "--sample", "0", "--json"))
        assert (document["size"], document["sample"]) == (1, [])

    def test_what_no_bucket_may_have_is_said(self, run):
        criteria = json.dumps(prop("plan").not_exists().as_data())
        assert "No bucket can be so: its criteria only say what people lack" in run(
            "preview_bucket", "--criteria", criteria
        )

    def test_nothing_is_changed(self, run):
        declare()
        ada(plan="trial")
        run("preview_bucket", "trial")
        assert (BucketMembership.objects.count(), BucketConfig.objects.count()) == (0, 0)

    @pytest.mark.parametrize(
        ("arguments", "hint"),
        [
            (("trail",), "Did you mean 'trial'"),
            ((), "Give the id of a declared bucket, or --criteria"),
            (("trial", "--criteria", "{}"), "Give the id of a declared bucket, or --criteria"),
            (("--criteria", "{"), "--criteria is not JSON"),
            (("--criteria", "[" * 100_000), "nests too deep"),
            (("--criteria", NESTED), "nests too deep|nest deeper"),
            (("--criteria", '{"type": "weather"}'), "no condition of type 'weather'"),
            (("--criteria", "[]"), "is not a condition"),
            (("--criteria", "@/nowhere/x.json"), "cannot be read"),
            (("trial", "--sample", "-1"), "give 0 to 100"),
            (("trial", "--sample", "101"), "give 0 to 100"),
            (("trial", "--timeout", "0"), "more than 0"),
            (("trial", "--timeout", "nan"), "more than 0"),
        ],
    )
    def test_what_makes_no_sense_is_refused_with_a_sentence(self, run, arguments, hint):
        declare()
        with pytest.raises(CommandError, match=hint):
            run("preview_bucket", *arguments)

    def test_a_refusal_is_json_too_where_json_was_asked_for(self, run, capsys):
        with pytest.raises(SystemExit) as ended:
            run("preview_bucket", "nothing", "--json")
        assert ended.value.code == 1
        assert "There is no bucket 'nothing'" in json.loads(capsys.readouterr().out)["error"]


class TestReconcile:
    def test_people_whom_time_has_moved_are_moved_and_counted(self, run):
        judged(event("active").within(DAY).exists(), id="active")
        now = database_now()
        late = Submission(id=new_id(), name="active", keys=Keys("ada"), occurred_at=now - DAY + timedelta(seconds=1))
        ingest_events([late], now=now - timedelta(hours=1))
        assert inside() == {"ada"}
        Event.objects.filter(name="active").update(occurred_at=now - DAY)

        document = json.loads(run("reconcile_buckets", "--json"))

        [done] = document["buckets"]
        assert (done["id"], done["standing"], done["judged"], done["left"], done["told"]) == ("active", "on", 1, 1, 1)
        assert inside() == set()

    def test_those_named_are_done_each_once_and_the_others_are_not(self, run):
        judged(), judged(id="other")
        printed = run("reconcile_buckets", "trial", "trial")
        assert printed == "trial: judged 0, joined 0, left 0, events told 0.\n"

    def test_what_is_off_in_the_code_is_passed_over_unless_it_is_named(self, run):
        declare(enabled=False)
        assert run("reconcile_buckets") == ""
        with pytest.raises(CommandError, match="enabled=False"):
            run("reconcile_buckets", "trial")

    def test_what_staff_have_switched_off_rests(self, run):
        set_enabled(judged(), enabled=False, now=database_now())
        assert run("reconcile_buckets") == "trial is switched off, so nobody was judged.\n"

    def test_a_bucket_that_nobody_was_judged_by_waits_for_its_backfill(self, run):
        declare()
        assert "waits for the backfill" in run("reconcile_buckets")
        assert Backfill.objects.get().mode == BackfillMode.FIRST

    def test_an_unknown_one_is_refused_before_anything_is_done(self, run):
        declare()
        with pytest.raises(CommandError, match="Did you mean 'trial'"):
            run("reconcile_buckets", "trial", "trail")
        assert not Backfill.objects.exists()

    def test_one_that_is_not_wanted_here_is_refused(self, run, settings):
        declare()
        settings.ENABLED_BUCKETS = frozenset({"other"})
        with pytest.raises(CommandError, match="ENABLED_BUCKETS"):
            run("reconcile_buckets", "trial")


class TestBackfill:
    def test_everybody_is_judged_and_the_way_there_is_shown(self, capsys):
        ada(plan="trial")
        ben()
        declare()

        call_command("backfill_bucket", "trial")

        said = capsys.readouterr()
        assert said.out == "trial: 2 people were judged, 1 joined, 0 left.\n"
        assert said.err.endswith("2 of about 2 people (100%)\n")
        assert inside() == {"ada"}
        assert not Event.objects.exists()

    def test_the_mode_follows_what_everybody_was_last_judged_by(self, run):
        declare()
        first, again = (json.loads(run("backfill_bucket", "trial", "--json")) for _ in range(2))
        registry._items.clear()
        declare(prop("plan").eq("paid"))
        changed = json.loads(run("backfill_bucket", "trial", "--json"))
        assert [one["mode"] for one in (first, again, changed)] == ["first", "again", "changed"]
        assert first["status"] == "done"

    def test_nobody_at_all_is_a_whole_backfill(self, run):
        declare()
        assert json.loads(run("backfill_bucket", "trial", "--json"))["people"] == 0

    def test_what_is_off_is_refused(self, run):
        set_enabled(declare(), enabled=False, now=database_now())
        with pytest.raises(CommandError, match="switch it on in the admin"):
            run("backfill_bucket", "trial")
        assert not Backfill.objects.filter(status="running").exists()

    def test_an_unknown_bucket_is_refused(self, run):
        with pytest.raises(CommandError, match="There is no bucket 'nothing'"):
            run("backfill_bucket", "nothing")

    @pytest.mark.django_db(transaction=True)
    def test_it_waits_for_a_worker_that_is_at_it_and_says_when_that_is_given_up(self, capsys):
        ada(plan="trial")
        bucket = declare()
        row = begin_backfill(bucket, now=database_now())
        codes: list[object] = []

        def command() -> None:
            try:
                call_command("backfill_bucket", "trial")
            except SystemExit as ended:
                codes.append(ended.code)
            finally:
                connection.close()

        other = Thread(target=command)
        with transaction.atomic():
            Backfill.objects.select_for_update().get(pk=row.pk)
            other.start()
            other.join(timeout=1)
            assert other.is_alive()
            Backfill.objects.filter(pk=row.pk).update(status="cancelled")
        other.join(timeout=20)

        assert codes == [1]
        assert "was cancelled, because the bucket was switched off or on meanwhile" in capsys.readouterr().out
        assert inside() == set()


class TestVerify:
    def test_where_everybody_belongs_there_is_nothing_to_say(self, run):
        ada(plan="trial")
        judged()
        assert run("verify_buckets") == "trial: all of 1 people are where they belong.\n"

    def test_who_is_astray_is_moved_and_all_is_well(self, run):
        ada(plan="trial")
        judged()
        BucketMembership.objects.all().delete()

        document = json.loads(run("verify_buckets", "--json"))

        [done] = document["buckets"]
        assert (done["missing"], done["surplus"], done["repaired"]) == (1, 0, 1)
        assert inside() == {"ada"}

    def test_who_is_left_astray_is_an_exit_code(self, capsys):
        ada(plan="trial")
        judged()
        BucketMembership.objects.all().delete()

        with pytest.raises(SystemExit) as ended:
            call_command("verify_buckets", "trial", "--no-repair")

        assert ended.value.code == 1
        assert "1 of 1 people were astray (1 missing, 0 too many); 0 were moved" in capsys.readouterr().out
        assert inside() == set()
        assert Verification.objects.get().missing == 1

    def test_what_cannot_be_verified_yet_is_said_and_is_a_fault_only_where_it_was_named(self, run):
        declare()
        assert "trial was not verified: Not everybody was judged" in run("verify_buckets")
        with pytest.raises(SystemExit):
            run("verify_buckets", "trial")

    def test_an_unknown_bucket_is_refused(self, run):
        with pytest.raises(CommandError, match="There is no bucket 'nothing'"):
            run("verify_buckets", "nothing")


@pytest.mark.parametrize("command", ["preview_bucket", "reconcile_buckets", "backfill_bucket", "verify_buckets"])
def test_each_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command(command, "--help")
    assert ended.value.code == 0
    assert "print one JSON document" in capsys.readouterr().out
