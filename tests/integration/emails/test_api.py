"""POST /v1/emails: whom it is for, what is refused, and what is answered, now and when it is asked again."""

from datetime import timedelta
from email.utils import parseaddr
from uuid import UUID

import pytest

from contacts.actions import delete_contact, erase_contact, merge_contacts, undo_merge
from contacts.models import Contact, ContactKey
from emails.actions import deliver_due, note_click, note_open
from emails.models import EmailSend
from events.models import Event, IdempotencyKey
from hogsend.api.keys import create_key
from hogsend.clock import database_now
from lists.definitions import EmailList
from preferences.actions import change_consent
from preferences.models import ConsentChange, Preference, Suppression
from tests.people import ada, ben, cleo, dora, person

pytestmark = pytest.mark.django_db

UNKNOWN = "no-such-template"
told: list = []


@pytest.fixture
def post(client):
    """Send JSON with a key of the given scopes: ``post({...}, scopes=["full-admin"], Idempotency_Key="k")``."""
    keys = {}

    def post(body, scopes=("ingest",), **headers):
        if scopes not in keys:
            keys[scopes] = create_key(name="shop", scopes=scopes)[1]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(
            "/v1/emails", body, "application/json", headers={"Authorization": f"Bearer {keys[scopes]}", **named}
        )

    return post


def reset(**fields):
    return {"template": "sample/reset", **fields}


def test_a_mail_to_a_known_address_is_queued_as_it_will_be_sent(post):
    contact = ada(firstName="Ada")

    response = post(reset(to=" ADA@example.com ", subject="Hello", props={"word": "x"}, replyTo="help@shop.example"))

    send = EmailSend.objects.get()
    assert response.status_code == 202
    assert response.json() == {"emailSendId": str(send.id), "status": "queued", "contactId": str(contact.id)}
    assert (send.contact, send.to_email, send.subject) == (contact, "ada@example.com", "Hello")
    assert (send.reply_to, send.from_email) == (["help@shop.example"], "Shop <hi@shop.example>")
    assert (send.origin, send.origin_id, send.run_id, send.category) == ("api", "shop", None, "transactional")
    assert Contact.objects.count() == 1


def test_the_provider_hears_nothing_until_a_worker_delivers(post, sink):
    ada()

    answer = post(reset(to="ada@example.com"), Idempotency_Key="k").json()
    connections = sink.connections
    deliver_due(now=database_now())
    again = post(reset(to="ada@example.com"), Idempotency_Key="k").json()

    assert (answer["status"], connections) == ("queued", 0)
    assert [parseaddr(mail["To"])[1] for mail in sink.mails] == ["ada@example.com"]
    assert again == {**answer, "status": "sent"}


def test_a_queued_mail_rings_the_worker(post, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as rings:
        post(reset(to="eve@example.com"))

    assert len(rings) == 1


def test_an_unknown_address_becomes_a_contact_of_whom_every_app_hears(post, settings):
    told.clear()
    settings.HOGSEND_CONTACT_FOLLOWERS = [__name__]

    contact_id = post(reset(to="New@Example.com")).json()["contactId"]
    post(reset(to="new@example.com"))

    contact = Contact.objects.get()
    assert (str(contact.id), contact.email, contact.external_id) == (contact_id, "new@example.com", None)
    assert [(change.contact_id, change.created) for change in told] == [(contact.id, True)]
    assert not Event.objects.exists()


def contacts_changed(changes, *, now):
    """What a follower is told; this module is one."""
    told.extend(changes)


def test_a_mail_to_a_second_address_goes_there_and_is_the_same_persons(post):
    contact = ada()
    person(user_id="ada", email="ada@work.example")

    post(reset(to="ada@work.example"))

    send = EmailSend.objects.get()
    assert (send.contact, send.to_email) == (contact, "ada@work.example")


@pytest.mark.parametrize("address", ["ada@example.com", "ada@work.example"])
def test_a_mail_to_a_second_address_asks_about_both_addresses(post, now, address):
    ada()
    person(user_id="ada", email="ada@work.example")
    Suppression.objects.create(email=address, reason="bounce", suppressed_at=now)

    answer = post(reset(to="ada@work.example")).json()

    assert (answer["status"], answer["reason"]) == ("suppressed", "suppressed")


def test_a_suppressed_second_address_is_told_before_an_opt_out(post, now):
    contact = ada()
    person(user_id="ada", email="ada@work.example")
    Suppression.objects.create(email="ada@work.example", reason="bounce", suppressed_at=now)
    Preference.objects.create(contact=contact, unsubscribed_all=True)

    assert post(reset(to="ada@work.example")).json()["status"] == "suppressed"


def test_an_opt_out_holds_at_a_second_address(post):
    contact = dora()
    person(user_id="dora", email="dora@work.example")

    answer = post(reset(to="dora@work.example")).json()

    assert (answer["status"], answer["contactId"]) == ("unsubscribed", str(contact.id))


def test_to_be_written_to_is_not_to_be_seen(post):
    before = (ada().last_seen_at, ada().updated_at)

    post(reset(to="ada@example.com"))
    post(reset(userId="ada", to="ada@example.com"))

    assert (ada().last_seen_at, ada().updated_at) == before


def test_a_user_id_alone_means_the_contacts_own_address(post):
    ada()

    post(reset(userId="ada"))

    assert EmailSend.objects.get().to_email == "ada@example.com"


def test_a_user_id_that_nobody_has_or_without_an_address_is_404(post):
    person(user_id="eve")

    answers = [post(reset(userId=user_id)) for user_id in ("eve", "nobody")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["error"].startswith("No resolvable email for recipient")
    assert "give the address" in answers[0].json()["error"]
    assert Contact.objects.count() == 1


def test_a_new_address_of_a_known_user_is_kept_as_a_key_and_cannot_evade_the_opt_out(post):
    contact = dora()

    first = post(reset(userId="dora", to="dora@new.example")).json()
    second = post(reset(to="dora@new.example")).json()

    contact.refresh_from_db()
    assert [one["status"] for one in (first, second)] == ["unsubscribed", "unsubscribed"]
    assert contact.email == "dora@example.com"
    assert ContactKey.objects.get(value="dora@new.example").contact == contact


def test_a_user_id_that_comes_with_a_known_address_identifies_its_owner(post):
    contact = ben()

    post(reset(userId="ben", to="ben@example.com"))

    contact.refresh_from_db()
    assert (contact.external_id, Contact.objects.count()) == ("ben", 1)


@pytest.mark.parametrize("user_id", ["dora", "stranger"])
def test_an_address_and_a_user_id_of_two_people_are_refused(post, user_id):
    ada()
    dora()

    response = post(reset(userId=user_id, to="ada@example.com"), Idempotency_Key="k")

    assert response.status_code == 409
    assert "send only the one you mean" in response.json()["error"]
    assert not EmailSend.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert Contact.objects.count() == 2


def test_somebody_merged_away_gets_their_mail_as_the_survivor(post, now):
    survivor, absorbed = ada(), ben()
    ContactKey.objects.filter(contact=absorbed).update(contact=survivor)
    Contact.objects.filter(id=absorbed.id).update(merged_into=survivor, deleted_at=now)

    answer = post(reset(to="ben@example.com")).json()

    assert answer["contactId"] == str(survivor.id)
    assert EmailSend.objects.get().to_email == "ben@example.com"


REFUSED = {
    "to or userId is required": {},
    "to or userId is required ": {"to": "", "userId": "  "},
    "template is not valid": {"template": None, "to": "a@example.com"},
    "Unknown template: sample/rest. Did you mean 'sample/reset'?": {"template": "sample/rest", "to": "a@example.com"},
    "Unknown category: wekly. Did you mean 'weekly'?": {"category": "wekly", "to": "a@example.com"},
    "Unknown category: zzz": {"category": "zzz", "to": "a@example.com"},
    "to must be an e-mail address": {"to": "nonsense"},
    "to is not valid: expected `str | null`, got `int`.": {"to": 1},
    "props is not valid": {"to": "a@example.com", "props": []},
    "replyTo must be an address": {"to": "a@example.com", "replyTo": "a@example.com, b@example.com"},
    "replyTo must be an address ": {"to": "a@example.com", "replyTo": ["a@example.com", "b"]},
    "replyTo holds at most 25": {"to": "a@example.com", "replyTo": ["a@example.com"] * 26},
    "from must be an address": {"to": "a@example.com", "from": "Shop <hi@shop.example>\nBcc: all@example.com"},
    "subject must have at most": {"to": "a@example.com", "subject": "x" * 999},
    "idempotencyKey must have at most 255": {"to": "a@example.com", "idempotencyKey": "x" * 256},
    "userId must have at most 255": {"userId": "x" * 256},
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_be_taken_is_refused_with_a_sentence_and_a_field(post, sentence):
    response = post(reset(**REFUSED[sentence]))

    assert response.status_code == 400
    assert response.json()["error"].startswith(sentence.strip())
    assert response.json()["details"][0]["message"]
    assert not Contact.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"template": "sample/reset", "to": "a\\u0000@example.com"}'])
def test_a_body_that_is_no_request_is_refused(post, body):
    assert post(body).status_code == 400


def test_absent_and_unknown_fields_do_not_matter(post):
    nulls = dict.fromkeys(["userId", "props", "from", "subject", "replyTo", "category", "skipPreferenceCheck"])

    response = post(reset(to="eve@example.com", idempotencyKey=None, anonymousId="v", journey="x", **nulls))

    assert response.status_code == 202


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"template": 1}, 400),
        ({"skipPreferenceCheck": True, "template": UNKNOWN}, 400),
        ({"skipPreferenceCheck": True, "template": UNKNOWN, "userId": "nobody"}, 403),
        ({"template": UNKNOWN, "userId": "nobody"}, 400),
        ({"userId": "nobody", "from": "ceo@victim.example"}, 403),
        ({"userId": "nobody"}, 404),
    ],
)
def test_refusals_have_an_order(post, fields, status):
    assert post(reset(**fields)).status_code == status


@pytest.mark.parametrize(
    ("scopes", "status"), [((), 401), (("read",), 403), (("journey-admin",), 403), (("ingest",), 202)]
)
def test_a_key_needs_the_scope_ingest(client, post, scopes, status):
    body = reset(to="eve@example.com")

    response = post(body, scopes=scopes) if scopes else client.post("/v1/emails", body, "application/json")

    assert response.status_code == status


def test_only_a_full_admin_key_waives_choices_and_that_is_recorded(post):
    dora()
    body = reset(to="dora@example.com", skipPreferenceCheck=True)

    refused, taken = post(body), post(body, scopes=("full-admin",))

    assert (refused.status_code, taken.status_code) == (403, 202)
    assert refused.json() == {"error": "skipPreferenceCheck requires a full-admin key"}
    assert (taken.json()["status"], EmailSend.objects.get().skip_preferences) == ("queued", True)


def test_a_category_that_nobody_declared_cannot_bypass_a_list_that_must_be_joined(post):
    # An unknown category counted as one that everybody gets.
    ada()

    unknown = post({"to": "ada@example.com", "template": "sample/news", "category": "weeky"})
    own = post({"to": "ada@example.com", "template": "sample/news"})

    assert (unknown.status_code, own.json()["status"], own.json()["reason"]) == (
        400,
        "unsubscribed",
        "category_opted_out",
    )


def test_a_hidden_list_is_a_category_still(post, settings):
    settings.ENABLED_LISTS = frozenset()
    EmailList("quiet", name="Quiet", default_opt_in=True, enabled=False)

    assert post(reset(to="eve@example.com", category="quiet")).json()["status"] == "queued"


@pytest.mark.parametrize(
    ("sender", "status"),
    [
        ("Eve <eve@shop.example>", 202),
        ("eve@SHOP.example", 202),
        ("eve@partner.example", 202),
        ("eve@mail.shop.example", 403),
        ("ceo@victim.example", 403),
        ("hi@shop.example <ceo@victim.example>", 400),
        ('"hi@shop.example" <ceo@victim.example>', 403),
    ],
)
def test_an_ingest_key_writes_from_our_domains_only(post, settings, sender, status):
    # Any key could write in anybody's name.
    settings.HOGSEND_FROM_DOMAINS = frozenset({"partner.example"})

    response = post(reset(to="eve@example.com", **{"from": sender}))

    assert response.status_code == status
    assert EmailSend.objects.count() == (status == 202)


def test_a_full_admin_key_writes_from_anywhere(post):
    response = post(reset(to="eve@example.com", **{"from": "Zoë <z@other.example>"}), scopes=("full-admin",))

    assert response.status_code == 202
    assert EmailSend.objects.get().from_email == "Zoë <z@other.example>"


def test_a_mail_that_cannot_be_rendered_leaves_nothing_and_its_key_is_free(post):
    broken = post({"to": "new@example.com", "template": "sample/broken"}, Idempotency_Key="k")
    nothing = (Contact.objects.exists(), EmailSend.objects.exists(), IdempotencyKey.objects.exists())
    other = post(reset(to="new@example.com"), Idempotency_Key="k")

    assert broken.status_code == 400
    assert "sample/broken/body.html" in broken.json()["error"]
    assert nothing == (False, False, False)
    assert other.status_code == 202


SENT = [("sent", "", "sent", None), ("delivered", "", "sent", None), ("bounced", "", "sent", None)]
TRUTH = [
    ("queued", "", "queued", None),
    ("sending", "", "queued", None),
    *SENT,
    ("complained", "", "sent", None),
    ("skipped", "suppressed", "suppressed", "suppressed"),
    ("skipped", "unsubscribed", "unsubscribed", "unsubscribed"),
    ("skipped", "category_opted_out", "unsubscribed", "category_opted_out"),
    ("skipped", "paused", "skipped", "paused"),
    ("skipped", "no_address", "skipped", "no_address"),
    ("skipped", "contact_deleted", "skipped", "contact_deleted"),
    ("failed", "refused", "failed", "refused"),
    ("failed", "gave_up", "failed", "gave_up"),
    ("unknown", "", "unknown", "answer_lost"),
]


@pytest.mark.parametrize(("status", "reason", "word", "why"), TRUTH)
def test_a_repeated_request_gets_the_truth_of_the_first_and_is_never_decided_anew(post, status, reason, word, why):
    # Everything but "sent" was told as a frequency cap.
    ada()
    first = post(reset(to="ada@example.com"), Idempotency_Key="k").json()
    EmailSend.objects.update(status=status, reason=reason)

    again = post(reset(to="ada@example.com"), Idempotency_Key="k")

    told = {"emailSendId": first["emailSendId"], "status": word, "contactId": first["contactId"]}
    assert again.status_code == 202
    assert again.json() == (told if why is None else {**told, "reason": why})
    assert EmailSend.objects.count() == 1


def test_a_mail_that_was_read_is_sent(post, sink):
    send_id = post(reset(to="eve@example.com"), Idempotency_Key="k").json()["emailSendId"]
    deliver_due(now=database_now())
    note_open(send_id=send_id, now=database_now())
    note_click(send_id=send_id, now=database_now())

    assert post(reset(to="eve@example.com"), Idempotency_Key="k").json()["status"] == "sent"


def test_a_mail_that_was_not_allowed_is_told_the_same_after_the_person_came_back(post):
    contact = dora()
    first = post(reset(to="dora@example.com"), Idempotency_Key="k").json()
    Preference.objects.filter(contact=contact).update(unsubscribed_all=False)

    assert post(reset(to="dora@example.com"), Idempotency_Key="k").json() == first
    assert first["status"] == "unsubscribed"


def test_consent_withdrawn_before_the_hand_over_is_told_to_who_asks_again(post, sink):
    contact = ada()
    first = post(reset(to="ada@example.com"), Idempotency_Key="k").json()
    Preference.objects.create(contact=contact, unsubscribed_all=True)
    deliver_due(now=database_now())

    again = post(reset(to="ada@example.com"), Idempotency_Key="k").json()

    assert first["status"] == "queued"
    assert again == {**first, "status": "unsubscribed", "reason": "unsubscribed"}
    assert sink.came_in == []


def test_consent_of_the_person_is_read_again_for_mail_to_their_second_address(post, sink):
    contact = ada()
    person(user_id="ada", email="ada@work.example")
    post(reset(to="ada@work.example"))
    Preference.objects.create(contact=contact, unsubscribed_all=True)

    deliver_due(now=database_now())

    assert (EmailSend.objects.get().reason, sink.came_in) == ("unsubscribed", [])


@pytest.mark.parametrize(
    "other",
    [
        {"to": "ben@example.com"},
        {"template": "sample/welcome"},
        {"props": {"word": "y"}},
        {"subject": "Other"},
        {"replyTo": ["help@shop.example"]},
        {"category": "journey"},
        {"userId": "ada"},
    ],
)
def test_the_same_key_for_another_mail_is_refused(post, other):
    ada()
    body = reset(to="ada@example.com", props={"word": "x"})
    post(body, Idempotency_Key="k")

    response = post(body | other, Idempotency_Key="k")

    assert response.status_code == 409
    assert "use a new key" in response.json()["error"]
    assert EmailSend.objects.count() == 1


def test_the_same_mail_in_other_words_is_the_same(post):
    ada()
    first = post(reset(to="ada@example.com", props={"a": 1, "b": 2}), Idempotency_Key="k").json()

    again = post({"props": {"b": 2, "a": 1}, "to": "ADA@example.com ", "template": "sample/reset", "from": None},
                 Idempotency_Key="k")  # fmt: skip

    assert again.json() == first


@pytest.mark.parametrize(("header", "sends"), [("other", 2), ("", 2), (None, 1)])
def test_the_header_beats_the_key_in_the_body_and_an_empty_one_means_none(post, header, sends):
    body = reset(to="eve@example.com", idempotencyKey="k")
    post(body)

    post(body, **({} if header is None else {"Idempotency_Key": header}))

    assert EmailSend.objects.count() == sends


def test_without_a_key_every_request_is_a_mail(post):
    post(reset(to="eve@example.com"))
    post(reset(to="eve@example.com"))

    assert EmailSend.objects.count() == 2


def test_keys_are_the_tenants_and_the_endpoints_own(client):
    keys = [create_key(name=name, scopes=["ingest"], tenant=name)[1] for name in ("main", "acme")]
    for key in keys:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "k"}
        client.post("/v1/events", {"name": "n", "userId": "eve"}, "application/json", headers=headers)
        client.post("/v1/emails", reset(to="eve@example.com"), "application/json", headers=headers)

    assert EmailSend.objects.count() == 2
    assert sorted(IdempotencyKey.objects.values_list("scope", flat=True)) == [
        "acme:emails",
        "acme:events",
        "main:emails",
        "main:events",
    ]


def test_a_key_that_was_forgotten_stands_for_a_new_mail(post):
    post(reset(to="eve@example.com"), Idempotency_Key="k")
    IdempotencyKey.objects.all().delete()

    post(reset(to="eve@example.com"), Idempotency_Key="k")

    assert EmailSend.objects.count() == 2


def test_a_key_whose_mail_is_gone_is_refused_rather_than_sent_again(post):
    post(reset(to="eve@example.com"), Idempotency_Key="k")
    EmailSend.objects.all().delete()

    response = post(reset(to="eve@example.com"), Idempotency_Key="k")

    assert response.status_code == 409
    assert not EmailSend.objects.exists()


def test_a_visitor_without_an_address_cannot_be_meant(post):
    cleo()

    assert post(reset(anonymousId="cleo-visit")).status_code == 400


def test_a_paused_person_gets_transactional_mail_only(post, now):
    contact = ada()
    Preference.objects.create(contact=contact, paused_until=database_now() + timedelta(days=1))

    answers = [post({"to": "ada@example.com", "template": name}).json() for name in ("sample/reset", "sample/welcome")]

    assert [answer["status"] for answer in answers] == ["queued", "skipped"]
    assert answers[1]["reason"] == "paused"


def test_who_opted_out_and_was_deleted_is_not_written_to_as_somebody_new(post, now):
    gone = ada()
    change_consent(contact_id=gone.id, category=None, subscribed=False, door=ConsentChange.Door.PAGE, now=now)
    delete_contact(contact_id=gone.id, now=now)

    answer = post(reset(to="ada@example.com")).json()

    assert (answer["status"], answer["contactId"] == str(gone.id)) == ("unsubscribed", False)


def test_mail_that_waits_is_cancelled_when_its_recipient_is_deleted(post, sink, now):
    first = post(reset(to="ada@example.com"), Idempotency_Key="k").json()
    delete_contact(contact_id=UUID(first["contactId"]), now=now)

    again = post(reset(to="ada@example.com"), Idempotency_Key="k").json()
    deliver_due(now=database_now())

    assert again == {**first, "status": "skipped", "reason": "contact_deleted"}
    assert sink.came_in == []


def test_mail_follows_its_person_through_a_merge_and_back(post, now):
    survivor, absorbed = ada(), ben()
    post(reset(to="ben@example.com"), Idempotency_Key="k")

    journal = merge_contacts(survivor_id=survivor.id, absorbed_id=absorbed.id, actor="staff", now=now)
    merged = post(reset(to="ben@example.com"), Idempotency_Key="k").json()["contactId"]
    undo_merge(merge_id=journal.id, actor="staff", now=now)
    parted = post(reset(to="ben@example.com"), Idempotency_Key="k").json()["contactId"]

    assert (merged, parted) == (str(survivor.id), str(absorbed.id))


def test_the_mail_of_an_erased_person_is_gone_and_its_key_is_free(post, now):
    first = post(reset(to="eve@example.com"), Idempotency_Key="mail-to-eve@example.com").json()
    erase_contact(contact_id=UUID(first["contactId"]), now=now)
    nothing = (EmailSend.objects.exists(), IdempotencyKey.objects.exists())

    again = post(reset(to="eve@example.com"), Idempotency_Key="mail-to-eve@example.com").json()

    assert nothing == (False, False)
    assert again["contactId"] != first["contactId"]
