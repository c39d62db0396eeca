import html
import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection

from emails.definitions import Email, registry
from emails.mailbox import Mailbox, write_mail

BACKEND = "emails.mailbox.MailboxBackend"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
STRANGER = "192.0.2.7"
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"&"


@pytest.fixture
def root(tmp_path, settings):
    settings.EMAIL_BACKEND = BACKEND
    settings.HOGSEND_OUTBOX_DIR = tmp_path / "outbox"
    return settings.HOGSEND_OUTBOX_DIR


def send(root, *, subject="Hello", body="words", markup="", to="ada@example.com", sender="shop@example.com"):
    message = EmailMultiAlternatives(subject, body, sender, [to])
    if markup:
        message.attach_alternative(markup, "text/html")
    get_connection(BACKEND).send_messages([message])
    return Mailbox(root).page(size=1).entries[0].id


def srcdoc(page):
    return html.unescape(re.search(r'srcdoc="([^"]*)"', page)[1])


def policy(response):
    parts = (part.split() for part in response.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


def test_an_empty_outbox_says_which_command_makes_the_first_mail(client, root, settings):
    page = client.get("/outbox/").content.decode()

    assert "Nothing sent yet" in page
    assert f"curl {settings.API_PUBLIC_URL}/v1/events" in page
    assert "user.created" in page


def test_the_list_shows_the_newest_mail_first(client, root):
    send(root, subject="early letter")
    send(root, subject="late letter")

    page = client.get("/outbox/").content.decode()

    assert page.index("late letter") < page.index("early letter")
    assert "2 mails in the outbox" in page


def test_the_list_leads_to_every_mail_page_by_page(client, root):
    for number in range(120):
        write_mail(root, f"Subject: mail-{number}.\n\n".encode(), now=NOON + timedelta(minutes=20 * number))
    seen, url = [], "/outbox/"

    while url:
        page = client.get(url).content.decode()
        seen += re.findall(r"mail-(\d+)\.", page)
        older = re.search(r'href="(\?[^"]*)" rel="next"', page)
        url = older and f"/outbox/{html.unescape(older[1])}"

    assert seen == [str(number) for number in reversed(range(120))]


def test_search_keeps_the_mails_of_one_address(client, root):
    send(root, subject="for Ada", to="ada@example.com")
    send(root, subject="for Ben", to="ben@example.org")

    page = client.get("/outbox/", {"q": "BEN@"}).content.decode()

    assert "for Ben" in page
    assert "for Ada" not in page


def test_a_search_without_result_says_what_to_try(client, root):
    send(root)

    assert "Try a part of the address" in client.get("/outbox/", {"q": "nobody"}).content.decode()


def test_a_search_of_any_length_is_cut_before_it_is_used(client, root):
    send(root, subject="x" * 200)

    assert "x" * 201 not in client.get("/outbox/", {"q": "x" * 50_000}).content.decode()


def test_without_javascript_the_first_page_refreshes_itself_and_can_be_paused(client, root):
    assert '<noscript><meta http-equiv="refresh"' in client.get("/outbox/").content.decode()
    paused = client.get("/outbox/", {"live": "0"}).content.decode()
    assert "refresh" not in paused
    assert "<script" not in paused


def test_a_mail_is_shown_in_a_frame_that_can_run_nothing(client, root):
    mail_id = send(root, markup='<p>Hi</p><script>alert(1)</script><a href="https://example.com/a?b=1&amp;c=2">go</a>')

    response = client.get(f"/outbox/{mail_id}/")
    page = response.content.decode()

    frame = re.search(r"<iframe[^>]*>", page)[0]
    assert re.search(r'sandbox="([^"]*)"', frame)[1].split() == ["allow-popups", "allow-popups-to-escape-sandbox"]
    assert srcdoc(page).startswith('<base target="_blank"><p>Hi</p>')
    assert '<a href="https://example.com/a?b=1&amp;c=2">go</a>' in srcdoc(page)
    assert "<script" not in page
    assert policy(response)["default-src"] == ["'none'"]
    assert "script-src" not in policy(response)


@pytest.mark.parametrize("view", ["phone", "desktop", "text", "headers", "raw"])
def test_each_view_of_a_mail_is_a_page(client, root, view):
    mail_id = send(root, subject="Grüße", body="plain words", markup="<p>marked words</p>")

    response = client.get(f"/outbox/{mail_id}/", {"view": view})

    assert response.status_code == 200
    assert f'<a href="?view={view}" aria-current="page">' in response.content.decode()


def test_the_views_show_text_headers_and_source(client, root):
    mail_id = send(root, body="plain words https://example.com/x?a=1&b=2", markup="<p>marked words</p>")

    text, headers, raw = (
        client.get(f"/outbox/{mail_id}/", {"view": view}).content.decode() for view in ("text", "headers", "raw")
    )

    assert '<a href="https://example.com/x?a=1&amp;b=2"' in text
    assert "Message-ID" in headers
    assert "&lt;p&gt;marked words&lt;/p&gt;" in raw


def test_a_mail_without_html_opens_on_its_text(client, root):
    page = client.get(f"/outbox/{send(root, body='only words')}/?view=phone").content.decode()

    assert "only words" in page
    assert "<iframe" not in page


def test_a_mail_can_be_downloaded_as_the_file_it_is(client, root):
    mail_id = send(root)

    response = client.get(f"/outbox/{mail_id}/raw")

    assert response.headers["Content-Type"] == "message/rfc822"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{mail_id.split("/")[1]}.eml"'
    assert response.content == (root / f"{mail_id}.eml").read_bytes()


@pytest.mark.parametrize("view", ["phone", "desktop", "text", "headers", "raw"])
def test_nothing_in_a_mail_becomes_markup_of_the_page(client, root, view):
    message = EmailMessage(
        f"Subject {ATTACK}", f"Body {ATTACK}", f'"{ATTACK[:25]}" <shop@example.com>', ["ada@example.com"]
    )
    message.attach(f"{ATTACK}.txt", "x", "text/plain")
    message.extra_headers["X-Trick"] = ATTACK
    get_connection(BACKEND).send_messages([message])
    mail_id = Mailbox(root).page().entries[0].id

    for page in (
        client.get(f"/outbox/{mail_id}/", {"view": view}),
        client.get("/outbox/", {"q": "<script>", "live": "0"}),
    ):
        assert "<script" not in page.content.decode()
        assert "<img" not in page.content.decode()


def test_markup_of_a_mail_cannot_break_out_of_its_frame(client, root):
    markup = "\"></iframe><script>alert(1)</script><p title='x'>"

    page = client.get(f"/outbox/{send(root, markup=markup)}/").content.decode()

    assert "<script" not in page
    assert page.count("</iframe>") == 1
    assert markup in srcdoc(page)


def test_a_search_word_is_not_markup(client, root):
    page = client.get("/outbox/", {"q": '"><script>alert(1)</script>', "live": "0"}).content.decode()

    assert "<script" not in page


def test_the_list_allows_only_its_own_script_and_styles(client, root):
    first, second = client.get("/outbox/"), client.get("/outbox/")

    nonce = re.search(r'<script nonce="([^"]+)"', first.content.decode())[1]
    assert policy(first)["script-src"] == policy(first)["style-src"] == [f"'nonce-{nonce}'"]
    assert policy(first)["default-src"] == policy(first)["base-uri"] == policy(first)["frame-ancestors"] == ["'none'"]
    assert nonce not in second.content.decode()
    assert first.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/outbox/../secret/",
        "/outbox/%2e%2e/secret/",
        "/outbox/2026-11-23/%2e%2e%2fsecret/",
        "/outbox/2026-11-23/..%2f..%2fsecret/raw",
        "/outbox/2026-11-23/20261123T120000000Z-0123456789abcdef/",
        "/outbox/?before=../../etc/passwd",
    ],
)
def test_a_path_that_is_no_mail_is_not_found(client, root, path):
    send(root)
    (root.parent / "secret.eml").write_text("Subject: secret\n\nsecret")

    response = client.get(path)

    assert response.status_code == 404
    assert b"Subject: secret" not in response.content


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_outbox_can_only_be_read(client, root, method):
    assert getattr(client, method)("/outbox/").status_code == 405


@pytest.mark.parametrize("path", ["/outbox/", "/outbox/{id}/", "/outbox/{id}/raw"])
def test_there_is_no_outbox_in_production(client, root, settings, path):
    path = path.format(id=send(root))
    settings.PRODUCTION = True

    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/outbox/", "/outbox/{id}/", "/outbox/{id}/raw"])
def test_there_is_no_outbox_with_another_backend(client, root, settings, path):
    path = path.format(id=send(root))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"

    assert client.get(path).status_code == 404


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_login(client, root, address):
    assert client.get("/outbox/", REMOTE_ADDR=address).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/outbox/", "/outbox/{id}/", "/outbox/{id}/raw"])
@pytest.mark.parametrize("address", [STRANGER, "10.0.0.3", "2001:db8::1", "", "nonsense"])
def test_another_machine_is_refused_and_told_what_to_do(client, root, path, address):
    path = path.format(id=send(root, subject="secret words"))

    response = client.get(path, REMOTE_ADDR=address)

    assert response.status_code == 403
    assert b"secret words" not in response.content
    assert b"/admin/login/?next=%2Foutbox%2F" in response.content


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_a_proxy_on_this_machine_does_not_open_the_outbox_to_its_clients(client, root, header):
    assert client.get("/outbox/", headers={header: "127.0.0.1"}).status_code == 403


@pytest.mark.django_db
def test_a_web_site_whose_name_points_to_this_machine_is_refused(client, root):
    assert client.get("/outbox/", headers={"Host": "rebound.example.net:8000"}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "shop.localhost"])
def test_this_machine_may_be_called_by_any_of_its_own_names(client, root, host):
    assert client.get("/outbox/", headers={"Host": host}).status_code == 200


@pytest.mark.django_db
def test_staff_may_read_from_anywhere_and_others_may_not(client, root):
    client.force_login(User.objects.create_user("ada", is_staff=True))
    assert client.get("/outbox/", REMOTE_ADDR=STRANGER).status_code == 200

    client.force_login(User.objects.create_user("ben", is_staff=False))
    assert client.get("/outbox/", REMOTE_ADDR=STRANGER).status_code == 403

    client.force_login(User.objects.create_user("cleo", is_staff=True, is_active=False))
    assert client.get("/outbox/", REMOTE_ADDR=STRANGER).status_code == 403


@pytest.fixture
def hello(tmp_path, settings):
    """An e-mail of its own in a folder that the test may write to."""
    templates = deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path / "templates"]
    settings.TEMPLATES = templates
    folder = tmp_path / "templates" / "emails" / "team" / "hello"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("Hello {{ name }}")
    (folder / "body.html").write_text("<p>Dear {{ name }}</p>")
    with registry.scratch():
        Email("team/hello", category="journey", name="Our hello", sample={"name": "<Ada>"})
        yield folder


def test_the_outbox_leads_to_a_preview_of_each_mail_in_the_code(client, root, hello):
    listing = client.get("/outbox/").content.decode()
    preview = client.get("/outbox/preview/team/hello/").content.decode()

    assert '<a href="/outbox/preview/team/hello/">Our hello</a>' in listing
    assert "Hello &lt;Ada&gt;" in preview
    assert "<p>Dear &lt;Ada&gt;</p>" in srcdoc(preview)
    assert "Download" not in preview


def test_a_preview_follows_the_template_without_a_restart(client, root, hello):
    client.get("/outbox/preview/team/hello/")
    (hello / "body.html").write_text("<p>Changed words</p>")

    assert "Changed words" in client.get("/outbox/preview/team/hello/").content.decode()


def test_a_preview_of_a_broken_template_names_the_file_and_the_fault(client, root, hello):
    (hello / "body.html").write_text("{% if %}")

    page = client.get("/outbox/preview/team/hello/").content.decode()

    assert "Our hello cannot be rendered" in page
    assert "emails/team/hello/body.html" in page


def test_an_unknown_mail_has_no_preview(client, root, hello):
    assert client.get("/outbox/preview/team/hallo/").status_code == 404


@pytest.mark.django_db
def test_previews_are_guarded_like_the_mails(client, root, hello, settings):
    assert client.get("/outbox/preview/team/hello/", REMOTE_ADDR=STRANGER).status_code == 403
    settings.PRODUCTION = True
    assert client.get("/outbox/preview/team/hello/").status_code == 404
