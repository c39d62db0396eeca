"""Whatever the document allows, and what it forbids, is answered as the document says: every route, no fault."""

import time
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from hogsend.api.documents import document
from hogsend.api.keys import create_key
from hogsend.wsgi import application
from tests.people import ada, ben, cleo, dora

EXAMPLES = 12
METHODS = ("get", "put", "post", "patch", "delete")
ROUTES = [(path, method) for path, item in document()["paths"].items() for method in METHODS if method in item]
BUDGET = 30.0  # seconds for all routes together, shared out evenly


@pytest.fixture
def key(transactional_db, settings) -> str:
    settings.HOGSEND_EVENT_CONSUMERS = []
    # The explorer tries every call without its key, too.
    settings.HOGSEND_RATE_LIMITS = {**settings.HOGSEND_RATE_LIMITS, "unauthenticated": 0}
    for person in (ada, ben, cleo, dora):
        person()
    return create_key(name="explorer", scopes=["full-admin"])[1]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("path", "method"), ROUTES)
def test_every_route_keeps_to_the_document(key, path, method, mode):
    schema = schemathesis.openapi.from_dict(document())
    schema.app = application
    # Rules across fields (one key of three, no reserved name, no future) are more than a schema can say; and what a
    # query holds beyond the parameters is ignored.
    excluded = [positive_data_acceptance]
    if "requestBody" not in document()["paths"][path][method]:
        excluded.append(negative_data_rejection)
    until = time.monotonic() + BUDGET / len(ROUTES) / 2

    @given(case=schema[path][method.upper()].as_strategy(mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    def explore(case):
        if time.monotonic() < until:
            case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, excluded_checks=excluded)

    # A route without fields leaves nothing to get wrong.
    with suppress(Unsatisfiable):
        explore()
