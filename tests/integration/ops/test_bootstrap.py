import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django_celery_beat.models import PeriodicTask

from hogsend.api.keys import hash_key
from hogsend.api.models import ApiKey
from hogsend.celery import BEAT
from ops import migrating

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "dev.json"


@pytest.fixture
def bootstrap(file: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, object]]:
    """Run the command and return the one document it prints."""

    def run() -> dict[str, object]:
        call_command("bootstrap", state_file=file)
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.django_db
def test_a_fresh_stack_gets_an_administrator_keys_and_schedules(bootstrap, file: Path, client, settings) -> None:
    document = bootstrap()

    state = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(state) == ["base_url", "api_key", "ingest_key", "admin_user", "admin_password", "outbox_dir"]
    assert {**document, **state} == document
    assert set(document["content"]) == {"journeys", "buckets", "lists", "emails", "webhooks"}
    assert client.login(username=state["admin_user"], password=state["admin_password"])
    assert ApiKey.objects.get(key_hash=hash_key(state["api_key"])).scopes == ["full-admin"]
    assert ApiKey.objects.get(key_hash=hash_key(state["ingest_key"])).scopes == ["ingest"]
    assert set(PeriodicTask.objects.values_list("name", flat=True)) >= set(BEAT)
    assert state["outbox_dir"] == str(settings.HOGSEND_OUTBOX_DIR)


@pytest.mark.django_db
def test_repeating_it_changes_nothing(bootstrap) -> None:
    first = bootstrap()

    again = bootstrap()

    assert again == {**first, "migrations_applied": 0}
    assert ApiKey.objects.count() == 2
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_a_key_that_opens_nothing_any_more_is_replaced(bootstrap) -> None:
    first = bootstrap()
    ApiKey.objects.filter(key_hash=hash_key(first["api_key"])).update(revoked_at="2026-01-01T00:00:00Z")

    again = bootstrap()

    assert again["api_key"] != first["api_key"]
    assert again["ingest_key"] == first["ingest_key"]


@pytest.mark.django_db
def test_a_password_that_was_changed_is_not_told(bootstrap) -> None:
    first = bootstrap()
    user = User.objects.get()
    user.set_password("another password")
    user.save()

    again = bootstrap()

    assert (again["admin_user"], again["admin_password"]) == (first["admin_user"], None)


@pytest.mark.django_db
def test_an_administrator_of_somebody_else_is_left_alone(bootstrap) -> None:
    User.objects.create(username="grace", is_superuser=True, is_staff=True)

    document = bootstrap()

    assert (document["admin_user"], document["admin_password"]) == ("grace", None)
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_somebody_called_admin_who_is_none_does_not_stand_in_the_way(bootstrap, client) -> None:
    User.objects.create(username="admin")

    document = bootstrap()

    assert document["admin_user"] != "admin"
    assert client.login(username=document["admin_user"], password=document["admin_password"])


@pytest.mark.django_db
@pytest.mark.parametrize("damage", ["", "{", "[]", '{"api_key": 7, "admin_user": [1]}'])
def test_a_damaged_state_file_is_written_anew(bootstrap, file: Path, damage: str) -> None:
    file.parent.mkdir()
    file.write_text(damage)

    document = bootstrap()

    assert json.loads(file.read_text())["api_key"] == document["api_key"]


@pytest.mark.django_db
def test_a_schedule_that_an_operator_changed_stays_changed(bootstrap) -> None:
    bootstrap()
    PeriodicTask.objects.filter(name="Deliver mail that waits").update(enabled=False)

    bootstrap()

    assert PeriodicTask.objects.get(name="Deliver mail that waits").enabled is False


@pytest.mark.django_db
def test_production_gets_no_credentials(file: Path, settings, capsys) -> None:
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match=r"createsuperuser.*create_api_key"):
        call_command("bootstrap", state_file=file)

    call_command("bootstrap", state_file=file, no_credentials=True)
    assert set(json.loads(capsys.readouterr().out)) == {"migrations_applied", "content"}
    assert not file.exists()
    assert not ApiKey.objects.exists()
    assert not User.objects.exists()
    assert PeriodicTask.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_on_an_empty_database_make_one_of_everything(start: Start, empty_database: str, file: Path) -> None:
    arguments = ("manage.py", "bootstrap", "--state-file", str(file))

    both = [start(*arguments, DATABASE_URL=empty_database, LOG_LEVEL="error") for _ in range(2)]

    answers = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    first, second = (json.loads(output) for output, _ in answers)
    assert min(first.pop("migrations_applied"), second.pop("migrations_applied")) == 0
    assert first == second
    assert json.loads(file.read_text())["api_key"] == first["api_key"]


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_too_long_for_the_others_is_told(start: Start, test_database: str, file: Path) -> None:
    patience = "import ops.migrating; ops.migrating.PATIENCE = '300ms'"
    run = f"import django; django.setup(); {patience}; from django.core.management import execute_from_command_line as run"
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", [migrating.LOCK])
        process = start(
            "-c",
            f"{run}; run(['manage.py', 'bootstrap', '--state-file', {str(file)!r}])",
            DATABASE_URL=test_database,
            DJANGO_SETTINGS_MODULE="hogsend.settings",
        )
        _, errors = process.communicate(timeout=60)
        cursor.execute("select pg_advisory_unlock(%s)", [migrating.LOCK])

    assert process.returncode == 1
    assert "The database could not be prepared" in errors
    assert not file.exists()


@pytest.mark.django_db(transaction=True)
def test_the_lock_is_given_back_and_the_timeouts_with_it() -> None:
    with pytest.raises(ZeroDivisionError), migrating.alone():
        raise ZeroDivisionError

    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_locks join pg_database on pg_database.oid = pg_locks.database"
            " where datname = current_database() and locktype = 'advisory' and objid = %s",
            [migrating.LOCK],
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("select current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("0", "0")


def test_a_database_that_is_away_is_a_sentence(start: Start, file: Path) -> None:
    process = start("manage.py", "bootstrap", "--state-file", str(file), DATABASE_URL="postgres://app@127.0.0.1:1/none")

    output, errors = process.communicate(timeout=60)

    assert (process.returncode, output) == (1, "")
    assert "The database could not be prepared" in errors
    assert OperationalError.__name__ not in errors
