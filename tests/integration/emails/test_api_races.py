"""Many requests at once with one idempotency key: one mail, and everybody is told of it."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import Client

from contacts.actions import lock_contacts
from contacts.models import Contact
from emails.models import EmailSend, TrackedLink
from hogsend.api.keys import create_key
from tests.people import ada

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 16


@pytest.fixture
def together():
    """Post bodies from as many threads, all at the same moment, and return status and answer of each."""
    secret = create_key(name="shop", scopes=["ingest"])[1]

    def together(bodies, **headers):
        start = threading.Barrier(len(bodies))

        def post(body):
            named = {"Authorization": f"Bearer {secret}", **headers}
            try:
                start.wait(20)
                response = Client().post("/v1/emails", body, "application/json", headers=named)
                return response.status_code, json.dumps(response.json(), sort_keys=True)
            finally:
                connection.close()

        with ThreadPoolExecutor(len(bodies)) as pool:
            return list(pool.map(post, bodies))

    return together


def test_one_key_from_many_threads_is_one_mail_and_one_answer(together):
    body = {"to": "new@example.com", "template": "sample/welcome", "idempotencyKey": "k"}

    answers = together([body] * MANY)

    send = EmailSend.objects.get()
    told = {"emailSendId": str(send.id), "status": "queued", "contactId": str(send.contact_id)}
    assert Counter(answers) == {(202, json.dumps(told, sort_keys=True)): MANY}
    assert (Contact.objects.count(), TrackedLink.objects.count()) == (1, 1)


def test_one_key_for_many_people_is_one_mail_and_refusals(together):
    bodies = [{"to": f"p{one}@example.com", "template": "sample/reset"} for one in range(MANY)]

    answers = together(bodies, **{"Idempotency-Key": "k"})

    assert Counter(status for status, _ in answers) == {202: 1, 409: MANY - 1}
    assert EmailSend.objects.count() == Contact.objects.count() == 1


def test_without_a_key_many_mails_to_one_new_address_have_one_contact(together):
    answers = together([{"to": "new@example.com", "template": "sample/reset"}] * MANY)

    assert {status for status, _ in answers} == {202}
    assert (Contact.objects.count(), EmailSend.objects.count()) == (1, MANY)


def test_who_waits_for_a_request_that_fails_gets_the_key(together):
    bodies = [{"to": f"p{one}@example.com", "template": "sample/broken"} for one in range(MANY - 1)]

    answers = together([*bodies, {"to": "new@example.com", "template": "sample/reset"}], **{"Idempotency-Key": "k"})

    statuses = Counter(status for status, _ in answers)
    assert statuses[202] == 1
    assert statuses[400] + statuses[409] == MANY - 1
    assert EmailSend.objects.get().to_email == "new@example.com"


def test_somebody_erased_while_a_request_waits_for_them_is_somebody_new(together):
    contact = ada()
    body, answers = {"to": "ada@example.com", "template": "sample/reset"}, []
    with transaction.atomic():
        lock_contacts({contact.id})
        request = threading.Thread(target=lambda: answers.extend(together([body])))
        request.start()
        eventually_waited_for()
        contact.delete()
    request.join(20)

    [(status, _)] = answers
    assert status == 202
    assert EmailSend.objects.get().contact_id != contact.id


def eventually_waited_for(seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "select exists (select from pg_locks where locktype = 'advisory' and not granted"
                " and database = (select oid from pg_database where datname = current_database()))"
            )
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < deadline, "nobody waits"
            time.sleep(0.02)
