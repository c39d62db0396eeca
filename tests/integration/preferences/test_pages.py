from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from contacts.models import Contact
from events.models import Event
from lists.definitions import EmailList
from preferences.actions import change_consent, pause, suppress
from preferences.models import ConsentChange, Preference, Suppression
from preferences.queries import consent_of
from preferences.tokens import Action, Claims, sign

SEND = UUID("01890000-0000-7000-8000-000000000002")
UNSUBSCRIBE, PREFERENCES = "/v1/email/unsubscribe", "/v1/email/preferences"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
CONFIRMED = {"confirm": "1"}
ATTACK = '"><script>alert(1)</script><img src=x onerror=alert(1)>'

pytestmark = pytest.mark.django_db


class Page(HTMLParser):
    """What a page offers: its words, links, fields and the elements a strict page must not have."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.links, self.actions, self.fields, self.tags = "", [], [], [], []
        self.labels: dict[str, str] = {}
        self.lang, self._label = None, None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.tags.append(tag)
        if tag == "html":
            self.lang = facts.get("lang")
        elif tag == "a":
            self.links.append(facts["href"])
        elif tag == "form":
            self.actions.append(facts.get("action", ""))
        elif tag in {"input", "button"}:
            self.fields.append(facts)
        elif tag == "label":
            self._label = facts["for"]

    def handle_endtag(self, tag):
        if tag == "label":
            self._label = None

    def handle_data(self, data):
        self.words += data
        if self._label:
            self.labels[self._label] = self.labels.get(self._label, "") + data

    def form(self) -> dict[str, list[str]]:
        """The fields of the first form as a browser would send them untouched."""
        sent: dict[str, list[str]] = {"do": ["save"]}
        for field in self.fields:
            if field.get("type") == "hidden" or (field.get("type") == "checkbox" and "checked" in field):
                sent.setdefault(field["name"], []).append(field["value"])
        return sent

    def ticks(self) -> dict[str, bool]:
        boxes = [field for field in self.fields if field.get("type") == "checkbox"]
        return {self.labels[field["id"]]: "checked" in field for field in boxes}


def claims(contact, action=Action.UNSUBSCRIBE, category=None) -> Claims:
    return Claims(contact.key, contact.email or "", action, category, contact.id, SEND)


def token(contact, action=Action.UNSUBSCRIBE, category=None, age=timedelta(0)) -> str:
    return sign(claims(contact, action, category), now=datetime.now(UTC) - age)


def address(page: str, given: str) -> str:
    return f"{page}?{urlencode({'token': given})}"


def everything_stored() -> dict[str, list[tuple]]:
    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        dump = {}
        for table in tables:
            cursor.execute(f'select t::text from "{table}" t order by 1')
            dump[table] = cursor.fetchall()
    return dump


def chosen(contact) -> tuple[bool, dict[str, bool]]:
    consent = consent_of([contact.id])[contact.id]
    return consent.unsubscribed_all, dict(consent.categories)


def save(client, contact, **changes) -> Page:
    """Open the preference page, change what is ticked, and send the form."""
    url = address(PREFERENCES, token(contact, Action.MANAGE))
    form = Page(client.get(url).text).form()
    return Page(client.post(url, {**form, **changes}).text)


# --- one click ---------------------------------------------------------------------------------------------------------


def test_one_click_unsubscribes_from_the_category_and_answers_nothing(client, ada):
    response = client.post(address(UNSUBSCRIBE, token(ada, category="news")), ONE_CLICK)

    assert (response.status_code, response.content) == (200, b"")
    assert chosen(ada) == (False, {"news": False})
    assert ConsentChange.objects.get().door == "one-click"
    assert ConsentChange.objects.get().send_id == SEND


def test_one_click_without_a_category_ends_all_mail(client, ada):
    client.post(address(UNSUBSCRIBE, token(ada)), ONE_CLICK)

    assert chosen(ada) == (True, {})


def test_one_click_twice_is_one_change(client, ada):
    url = address(UNSUBSCRIBE, token(ada, category="news"))

    codes = [client.post(url, ONE_CLICK).status_code for _ in range(2)]

    assert codes == [200, 200]
    assert (ConsentChange.objects.count(), Event.objects.count()) == (1, 1)


def test_one_click_needs_no_cookie_gives_none_and_leads_nowhere(ada):
    strict = Client(enforce_csrf_checks=True)

    response = strict.post(address(UNSUBSCRIBE, token(ada)), ONE_CLICK)

    assert response.status_code == 200
    assert not response.cookies
    assert "Location" not in response
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        (
            '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
        ("", "application/x-www-form-urlencoded"),
        ("{}", "application/json"),
        ("no multipart at all", "multipart/form-data"),
        ("--b\r\nbroken", "multipart/form-data; boundary=b"),
        ("a=1&" * 2000, "application/x-www-form-urlencoded"),
        ("a=" + "x" * 5_000_000, "application/x-www-form-urlencoded"),
        ("a=%ff%00", "application/x-www-form-urlencoded; charset=iso-8859-1"),
    ],
)
def test_one_click_is_understood_in_every_form(client, ada, body, content_type):
    response = client.post(address(UNSUBSCRIBE, token(ada)), body, content_type=content_type)

    assert response.status_code == 200
    assert chosen(ada)[0] is True


def test_one_click_of_a_mail_that_is_years_old_still_works(client, ada):
    response = client.post(address(UNSUBSCRIBE, token(ada, age=timedelta(days=4000))), ONE_CLICK)

    assert response.status_code == 200
    assert chosen(ada)[0] is True


def test_one_click_for_somebody_we_no_longer_hold_is_answered_alike(client, db):
    stranger = Contact(email="gone@example.com", external_id="gone")

    response = client.post(address(UNSUBSCRIBE, token(stranger)), ONE_CLICK)

    assert (response.status_code, response.content) == (200, b"")
    assert not Preference.objects.exists()


# --- the confirmation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("page", [UNSUBSCRIBE, PREFERENCES])
@pytest.mark.parametrize("left", [True, False])
def test_looking_changes_nothing_at_all(client, ada, action, method, page, left):
    change_consent(
        contact_id=ada.id, category=None, subscribed=not left, door=ConsentChange.Door.API, now=datetime.now(UTC)
    )
    before = everything_stored()

    response = getattr(client, method)(address(page, token(ada, action, "news")))

    assert response.status_code == (400 if (page, action) == (UNSUBSCRIBE, Action.MANAGE) else 200)
    assert everything_stored() == before


def test_the_confirmation_names_the_list_and_the_address(client, ada):
    page = Page(client.get(address(UNSUBSCRIBE, token(ada, category="news"))).text)

    assert "Unsubscribe from “News”?" in page.words
    assert "ada@example.com" in page.words
    assert page.form() == {"do": ["save"], "confirm": ["1"]}
    assert page.actions == [""]


def test_the_confirmed_page_says_so_and_shows_the_ways_on(client, ada):
    response = client.post(address(UNSUBSCRIBE, token(ada, category="news")), CONFIRMED)

    page = Page(response.text)
    assert response.status_code == 200
    assert "You have been unsubscribed" in page.words
    assert chosen(ada) == (False, {"news": False})
    assert ConsentChange.objects.get().door == "page"
    assert page.links[0].startswith("preferences?token=")
    assert page.actions[0].startswith("?token=")


def test_the_way_to_the_preferences_works(client, ada):
    link = Page(client.post(address(UNSUBSCRIBE, token(ada)), CONFIRMED).text).links[0]

    response = client.get(f"/v1/email/{link}")

    assert response.status_code == 200
    assert "Your mail" in response.text


def test_undo_brings_back_what_was_left(client, ada):
    undo = Page(client.post(address(UNSUBSCRIBE, token(ada, category="news")), CONFIRMED).text).actions[0]

    response = client.post(f"{UNSUBSCRIBE}{undo}", CONFIRMED)

    assert "You are back" in response.text
    assert chosen(ada) == (False, {"news": True})


def test_resubscribing_asks_first(client, ada):
    client.post(address(UNSUBSCRIBE, token(ada)), ONE_CLICK)

    page = Page(client.get(address(UNSUBSCRIBE, token(ada, Action.RESUBSCRIBE))).text)

    assert "Get mail again?" in page.words
    assert chosen(ada)[0] is True


@pytest.mark.parametrize(("category", "expected"), [(None, (False, {})), ("beta", (False, {"beta": True}))])
def test_resubscribing_lifts_the_opt_out_from_all_mail(client, ada, category, expected):
    client.post(address(UNSUBSCRIBE, token(ada)), ONE_CLICK)

    client.post(address(UNSUBSCRIBE, token(ada, Action.RESUBSCRIBE, category)), CONFIRMED)

    assert chosen(ada) == expected


def test_nobody_is_resubscribed_without_pressing_our_button(client, ada):
    client.post(address(UNSUBSCRIBE, token(ada)), ONE_CLICK)

    response = client.post(address(UNSUBSCRIBE, token(ada, Action.RESUBSCRIBE)), ONE_CLICK)

    assert response.status_code == 400
    assert chosen(ada)[0] is True


# --- links that are not honoured ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [ONE_CLICK, CONFIRMED, {}])
def test_a_link_that_may_only_manage_can_never_unsubscribe(client, ada, form):
    response = client.post(address(UNSUBSCRIBE, token(ada, Action.MANAGE)), form)

    assert response.status_code == 400
    assert "opens the preference page only" in response.text
    assert chosen(ada) == (False, {})


@pytest.mark.parametrize("page", [UNSUBSCRIBE, PREFERENCES])
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "Missing token"),
        ("?token=", "Missing token"),
        ("?token=nonsense", "Malformed token"),
        ("?token=a.b", "Invalid token signature"),
        ("?token=%C3%A4.%FF", "Malformed token"),
    ],
)
def test_a_broken_link_is_answered_with_a_page_that_says_why(client, db, page, method, query, reason):
    response = getattr(client, method)(f"{page}{query}", **({"data": ONE_CLICK} if method == "post" else {}))

    assert response.status_code == 400
    assert "This link is no longer valid" in response.text
    assert f"Reason: {reason}" in response.text


def test_an_expired_link_says_so(client, ada):
    response = client.get(address(PREFERENCES, token(ada, Action.MANAGE, age=timedelta(days=31))))

    assert response.status_code == 400
    assert "Token has expired" in response.text


@pytest.mark.parametrize("category", ["a b", ATTACK, ""])
def test_a_category_that_cannot_be_one_is_refused(client, ada, category):
    response = client.get(address(UNSUBSCRIBE, token(ada, category=category)))

    assert response.status_code == 400
    assert "Invalid category" in response.text


@pytest.mark.parametrize("page", [UNSUBSCRIBE, PREFERENCES])
@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused_in_the_one_error_shape(client, db, page, method):
    response = getattr(client, method)(page)

    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, POST"
    assert "use GET or POST" in response.json()["error"]


# --- the preference page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", Action)
def test_any_valid_link_opens_the_preference_page(client, ada, action):
    assert client.get(address(PREFERENCES, token(ada, action))).status_code == 200


def test_the_page_shows_our_mail_and_every_list_that_is_shown(client, ada):
    ticks = Page(client.get(address(PREFERENCES, token(ada, Action.MANAGE))).text).ticks()

    assert {name: ticks[name] for name in ("Personal messages", "News", "Beta")} == {
        "Personal messages": True,
        "News": True,
        "Beta": False,
    }
    assert "Secret list" not in ticks


def test_a_list_hidden_by_the_filter_is_not_shown(client, ada, settings):
    settings.ENABLED_LISTS = frozenset({"beta"})

    assert list(Page(client.get(address(PREFERENCES, token(ada))).text).ticks()) == ["Personal messages", "Beta"]


@pytest.mark.parametrize(("category", "name"), [("secret", "Secret list"), ("spring-sale", "Spring sale")])
def test_the_category_of_the_mail_one_came_from_can_always_be_switched(client, ada, category, name):
    page = Page(client.get(address(PREFERENCES, token(ada, category=category))).text)

    assert name in page.ticks()
    assert f"readers of “{name}”" in page.words


def test_switching_saves_only_what_was_switched(client, ada):
    page = save(client, ada, want=["journey", "beta"])

    assert chosen(ada)[1] == {"news": False, "beta": True}
    assert "Your choices are saved." in page.words
    assert page.ticks()["News"] is False
    assert set(ConsentChange.objects.values_list("door", "send_id")) == {("page", SEND)}


def test_saving_an_old_page_undoes_nothing_done_meanwhile(client, ada):
    url = address(PREFERENCES, token(ada, Action.MANAGE))
    form = Page(client.get(url).text).form()
    client.post(address(UNSUBSCRIBE, token(ada, category="news")), ONE_CLICK)

    client.post(url, {**form, "want": [*form["want"], "beta"]})

    assert chosen(ada)[1] == {"news": False, "beta": True}


def test_a_forged_row_is_ignored(client, ada):
    save(client, ada, shown=["secret", "anything", ATTACK], want=["secret", "anything", ATTACK])

    assert chosen(ada) == (False, {})


def test_leaving_all_mail_on_the_page(client, ada):
    page = save(client, ada, do="stop")

    assert chosen(ada) == (True, {})
    assert "You have been unsubscribed from all mail." in page.words
    assert set(page.ticks().values()) == {False}


def test_switching_mail_on_again_on_the_page(client, ada):
    save(client, ada, do="stop")

    page = save(client, ada, do="start")

    assert chosen(ada) == (False, {})
    assert page.ticks()["News"] is True


def test_coming_back_for_one_list_only(client, ada):
    save(client, ada, do="stop")

    page = save(client, ada, want=["beta"])

    unsubscribed_all, categories = chosen(ada)
    assert unsubscribed_all is False
    assert {"journey": False, "news": False, "beta": True}.items() <= categories.items()
    assert [name for name, on in page.ticks().items() if on] == ["Beta"]


def test_a_pause_lasts_thirty_days(client, ada):
    page = save(client, ada, do="pause")

    paused_until = consent_of([ada.id])[ada.id].paused_until
    assert timedelta(days=30) - timedelta(minutes=5) < paused_until - datetime.now(UTC) <= timedelta(days=30)
    assert "Your mail is paused for 30 days." in page.words
    assert "End the pause now" in page.words


def test_a_pause_can_be_ended_on_the_page(client, ada):
    pause(contact_id=ada.id, until=datetime.now(UTC) + timedelta(days=9), now=datetime.now(UTC))

    page = save(client, ada, do="resume")

    assert consent_of([ada.id])[ada.id].paused_until is None
    assert "Pause for 30 days" in page.words


@pytest.mark.parametrize("form", [{}, {"do": "drop"}, ONE_CLICK])
def test_a_form_that_asks_nothing_known_changes_nothing(client, ada, form):
    response = client.post(address(PREFERENCES, token(ada, Action.MANAGE)), form)

    assert response.status_code == 400
    assert "send the form again" in response.text
    assert chosen(ada) == (False, {})


def test_a_suppressed_address_is_told_so_and_stays_suppressed(client, ada):
    suppress(email="ada@example.com", reason=Suppression.Reason.BOUNCE, now=datetime.now(UTC))

    page = save(client, ada, do="start")

    assert "Nothing reaches this address at present" in page.words
    assert consent_of([ada.id])[ada.id].suppressed is True


def test_somebody_we_no_longer_hold_is_told_so(client, db):
    stranger = Contact(email="gone@example.com", external_id="gone")

    response = client.get(address(PREFERENCES, token(stranger)))

    assert response.status_code == 404
    assert "do not write there" in response.text


def test_the_holder_of_an_old_mail_does_not_learn_the_new_address(client, ada):
    old = token(ada, Action.MANAGE)
    Contact.objects.filter(id=ada.id).update(email="new@example.com")

    response = client.get(address(PREFERENCES, old))

    assert "new@example.com" not in response.text
    assert "ada@example.com" in response.text


# --- what every page owes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "action", "data"),
    [
        (UNSUBSCRIBE, Action.UNSUBSCRIBE, None),
        (UNSUBSCRIBE, Action.UNSUBSCRIBE, CONFIRMED),
        (UNSUBSCRIBE, Action.MANAGE, None),
        (PREFERENCES, Action.MANAGE, None),
        (PREFERENCES, Action.MANAGE, {"do": "stop"}),
    ],
)
def test_every_page_keeps_to_itself(client, ada, page, action, data):
    url = address(page, token(ada, action, "news"))

    response = client.get(url) if data is None else client.post(url, data)

    shown = Page(response.text)
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex, nofollow">' in response.text
    assert shown.lang == "en"
    assert not {"script", "img", "iframe", "link"} & set(shown.tags)
    assert "http" not in response.text.replace("https://mail.example.com", "")


def test_the_policy_allows_our_one_style_and_nothing_else(client, ada):
    first, second = (client.get(address(PREFERENCES, token(ada))) for _ in range(2))

    nonce = first["Content-Security-Policy"].split("'nonce-")[1].split("'")[0]
    assert first["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert f'<style nonce="{nonce}">' in first.text
    assert nonce not in second["Content-Security-Policy"]
    assert "style=" not in first.text


def test_every_box_and_button_has_a_name(client, ada):
    page = Page(client.get(address(PREFERENCES, token(ada))).text)

    boxes = [field["id"] for field in page.fields if field.get("type") == "checkbox"]
    assert boxes
    assert all(page.labels[box].strip() for box in boxes)


@pytest.mark.parametrize(
    ("page", "data"),
    [(UNSUBSCRIBE, None), (UNSUBSCRIBE, CONFIRMED), (PREFERENCES, None), (PREFERENCES, {"do": "save"})],
)
def test_nothing_that_others_wrote_becomes_markup(client, person, settings, page, data):
    EmailList("evil", name=ATTACK, description=ATTACK, default_opt_in=True)
    settings.HOGSEND_BRAND_NAME = settings.HOGSEND_BRAND_ADDRESS = ATTACK
    eve = person(email=f"{ATTACK}@example.com", external_id=ATTACK)
    Preference.objects.create(contact=eve, categories={ATTACK: False})
    url = address(page, token(eve, category="evil"))

    response = client.get(url) if data is None else client.post(url, data)

    assert "&lt;script&gt;" in response.text
    assert not {"script", "img"} & set(Page(response.text).tags)


def test_the_pages_carry_the_brand(client, ada, settings):
    settings.HOGSEND_BRAND_NAME, settings.HOGSEND_BRAND_ADDRESS = "Acme & Sons", "1 Main Street"

    response = client.get(address(PREFERENCES, token(ada)))

    assert "Acme &amp; Sons" in response.text
    assert "1 Main Street" in response.text


def test_a_signed_link_of_another_person_does_not_reach_this_one(client, ada, person):
    ben = person(email="ben@example.com", external_id="ben")
    mixed = replace(claims(ben), external_id="ada", email="ada@example.com")

    client.post(address(UNSUBSCRIBE, sign(mixed, now=datetime.now(UTC))), ONE_CLICK)

    assert (chosen(ben)[0], chosen(ada)[0]) == (True, False)
