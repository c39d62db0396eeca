import pytest

from hogsend.api.keys import create_key
from tests.integration.events import probes


@pytest.fixture(autouse=True)
def listeners(settings):
    """Nobody listens unless a test says who: ``listeners(probes.note)``."""
    probes.forget()
    settings.HOGSEND_EVENT_CONSUMERS = []

    def choose(*consumers) -> None:
        names = {id(one): name for name, one in vars(probes).items()}
        settings.HOGSEND_EVENT_CONSUMERS = [f"{probes.HERE}.{names[id(consumer)]}" for consumer in consumers]

    return choose


@pytest.fixture
def api_key(db) -> str:
    return create_key(name="shop", scopes=["ingest"])[1]


@pytest.fixture
def post(client, api_key):
    """Send JSON (or raw bytes) with a good key."""

    def send(body: object, path: str = "/v1/events", **headers: str):
        named = {"Authorization": f"Bearer {api_key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return client.post(path, body, content_type="application/json", headers=named)

    return send
