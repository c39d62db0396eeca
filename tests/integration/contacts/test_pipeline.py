import pytest
from django.db import connection, transaction

from contacts.pipeline import pipeline

pytestmark = pytest.mark.django_db(transaction=True)


def shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize("name", ["enable_seqscan", "jit"])
def test_look_ups_probe_and_are_not_compiled_until_the_transaction_ends(name):
    before = shown(name)
    with transaction.atomic():
        with pipeline():
            pass
        within = shown(name)
    assert (within, shown(name)) == ("off", before)
