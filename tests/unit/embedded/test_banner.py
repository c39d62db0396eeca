import json
import shlex

from hogsend.embedded.banner import count_content, first_event, ready_banner

FACTS = {
    "base_url": "http://127.0.0.1:8000/",
    "api_key": "hs_api",
    "ingest_key": "hs_ingest",
    "admin_user": "admin",
    "admin_password": "correct horse",
    "content": {"journeys": 2, "buckets": 1, "lists": 3, "emails": 4},
}


def test_the_banner_tells_addresses_keys_counts_and_logs() -> None:
    banner = ready_banner(FACTS, seconds=4.25, logs="/srv/.state/logs")
    for part in (
        "ready after 4.2 s",
        "http://127.0.0.1:8000/admin/",
        "http://127.0.0.1:8000/outbox/",
        "user admin  password correct horse",
        "hs_api",
        "hs_ingest",
        "2 journeys, 1 bucket, 3 lists, 4 emails",
        "/srv/.state/logs",
        "Ctrl-C",
    ):
        assert part in banner


def test_a_password_nobody_knows_any_more_is_said_so() -> None:
    assert "chosen earlier" in ready_banner({**FACTS, "admin_password": None}, seconds=1, logs="")


def test_the_line_to_try_is_a_shell_command_with_a_valid_event() -> None:
    words = shlex.split(first_event("http://127.0.0.1:8000", "hs_ingest"))
    assert words[:4] == ["curl", "-X", "POST", "http://127.0.0.1:8000/v1/events"]
    assert "Authorization: Bearer hs_ingest" in words
    assert json.loads(words[-1]) == {"name": "user.created", "userId": "ada", "email": "ada@example.com"}


def test_counts_agree_with_their_nouns() -> None:
    assert (
        count_content({"journeys": 1, "buckets": 0, "lists": 1, "emails": 1}) == "1 journey, 0 buckets, 1 list, 1 email"
    )
