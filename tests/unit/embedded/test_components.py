from pathlib import Path

import pytest

from hogsend.embedded.components import MARK, REPOSITORY, product_processes, setup_from
from hogsend.embedded.engines import engines_for
from hogsend.embedded.errors import EmbeddedError


def test_without_any_variable_the_stack_listens_on_the_usual_place() -> None:
    setup = setup_from({})
    assert (setup.host, setup.port, setup.url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert setup.state_dir == REPOSITORY / ".state"


def test_children_are_told_address_port_and_state(tmp_path) -> None:
    setup = setup_from({"HOGSEND_PORT": "9001", "HOGSEND_STATE_DIR": str(tmp_path)})
    assert setup.environ["API_PUBLIC_URL"] == "http://127.0.0.1:9001"
    assert setup.environ["HOGSEND_PORT"] == "9001"
    assert setup.environ["HOGSEND_STATE_DIR"] == setup.environ[MARK] == str(tmp_path)


def test_a_public_address_is_kept_without_its_last_slash() -> None:
    assert setup_from({"API_PUBLIC_URL": "https://mail.example.com/"}).url == "https://mail.example.com"


@pytest.mark.parametrize("port", ["eight", "0", "65536", "-1"])
def test_a_malformed_port_is_refused_with_a_sentence(port: str) -> None:
    with pytest.raises(EmbeddedError, match=r"HOGSEND_PORT is .* it must be a port number"):
        setup_from({"HOGSEND_PORT": port})


@pytest.mark.parametrize(("server", "module"), [("", "granian"), ("granian", "granian"), ("gunicorn", "gunicorn")])
def test_the_web_server_can_be_chosen(server: str, module: str) -> None:
    web = product_processes(setup_from({"HOGSEND_SERVER": server}))[0]
    assert web.command[1:3] == ("-m", module)


def test_an_unknown_web_server_is_refused_with_a_sentence() -> None:
    with pytest.raises(EmbeddedError, match="must be granian or gunicorn"):
        product_processes(setup_from({"HOGSEND_SERVER": "apache"}))


def test_beat_stops_first_then_web_then_workers() -> None:
    specs = sorted(product_processes(setup_from({})), key=lambda spec: spec.stop_rank)
    assert [spec.name for spec in specs] == ["beat", "web", "worker-journeys", "worker-bulk"]


def test_all_stop_steps_together_fit_into_ten_seconds() -> None:
    slowest: dict[int, float] = {}
    for spec in product_processes(setup_from({})):
        seconds = sum(seconds for _, seconds in spec.stop_steps)
        slowest[spec.stop_rank] = max(seconds, slowest.get(spec.stop_rank, 0))
    engines = 1.0 + 2.5
    assert sum(slowest.values()) + engines <= 10


def test_production_refuses_embedded_engines_and_names_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="Set DATABASE_URL and REDIS_URL"):
        engines_for(tmp_path, {"HOGSEND_ENV": "production"})
    with pytest.raises(EmbeddedError, match="Set REDIS_URL to"):
        engines_for(tmp_path, {"HOGSEND_ENV": "production", "DATABASE_URL": "postgresql://db/hogsend"})


def test_no_engine_is_needed_where_both_addresses_are_given(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://db/hogsend", "REDIS_URL": "redis://cache", "HOGSEND_ENV": "production"}
    assert engines_for(tmp_path, given) == []
