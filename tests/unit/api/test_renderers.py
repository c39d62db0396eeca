from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ErrorDetail

from hogsend.api.models import Scope
from hogsend.api.renderers import JsonRenderer, to_json


def test_times_are_utc_with_milliseconds_and_z_at_any_depth():
    moment = datetime(2026, 1, 1, 2, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert to_json({"at": [{"x": moment}]}) == b'{"at":[{"x":"2026-01-01T00:00:00.123Z"}]}'


def test_subclasses_of_str_are_written_as_text():
    assert to_json([ErrorDetail("no", code="x"), Scope.INGEST, gettext_lazy("yes")]) == b'["no","ingest","yes"]'


def test_ids_are_written_in_their_usual_form():
    assert to_json(UUID(int=1)) == b'"00000000-0000-0000-0000-000000000001"'


def test_no_data_is_no_body():
    assert JsonRenderer().render(None) == b""


def test_a_naive_looking_utc_time_keeps_its_instant():
    assert to_json(datetime(2026, 1, 1, tzinfo=UTC)) == b'"2026-01-01T00:00:00.000Z"'
