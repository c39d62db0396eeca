import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection

from emails.mailbox import Mailbox, UnknownMailError, write_mail

NOON = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)
BACKEND = "emails.mailbox.MailboxBackend"


@pytest.fixture
def root(tmp_path, settings):
    settings.HOGSEND_OUTBOX_DIR = tmp_path / "outbox"
    return settings.HOGSEND_OUTBOX_DIR


def put(root: Path, subject: str, *, at: datetime = NOON, to: str = "ada@example.com") -> str:
    return write_mail(root, f"Subject: {subject}\nFrom: shop@example.com\nTo: {to}\n\nbody\n".encode(), now=at)


def subjects(page):
    return [entry.subject for entry in page.entries]


def test_the_backend_writes_one_file_for_each_message_and_counts_them(root):
    messages = [EmailMessage(f"mail {number}", "hello", "shop@example.com", ["ada@example.com"]) for number in range(3)]

    sent = get_connection(BACKEND).send_messages(messages)

    assert sent == 3
    assert len(list(root.glob("*/*.eml"))) == 3
    assert subjects(Mailbox(root).page()) == ["mail 2", "mail 1", "mail 0"]


def test_a_message_to_nobody_is_not_written(root):
    assert get_connection(BACKEND).send_messages([EmailMessage("mail", "hello", "shop@example.com", [])]) == 0
    assert not root.exists()


def test_only_the_owner_may_read_the_mailbox(root):
    mail_id = put(root, "secret")

    day, name = mail_id.split("/")
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE((root / day).stat().st_mode) == 0o700
    assert stat.S_IMODE((root / day / f"{name}.eml").stat().st_mode) == 0o600


def test_a_file_is_named_by_its_moment(root):
    day, name = put(root, "now").split("/")

    assert day == "2026-11-23"
    assert name.startswith("20261123T120000123Z-")
    assert Mailbox(root).page().entries[0].written_at == NOON


def test_a_directory_that_cannot_be_written_is_an_error_unless_it_shall_be_silent(root):
    root.write_text("a file stands where the directory should be")
    message = EmailMessage("mail", "hello", "shop@example.com", ["ada@example.com"])

    with pytest.raises(FileExistsError):
        get_connection(BACKEND).send_messages([message])
    assert get_connection(BACKEND, fail_silently=True).send_messages([message]) == 0


def test_mails_of_one_process_keep_their_order_within_a_millisecond(root):
    for number in range(50):
        put(root, str(number))

    assert subjects(Mailbox(root).page()) == [str(number) for number in reversed(range(50))]


def test_pages_lead_from_the_newest_to_the_oldest_across_days_without_gap_or_repeat(root):
    for number in range(25):
        put(root, str(number), at=NOON + timedelta(hours=7 * number))
    mailbox, seen, before = Mailbox(root), [], ""

    while True:
        page = mailbox.page(before=before, size=4)
        seen += subjects(page)
        before = page.older
        if not before:
            break

    assert seen == [str(number) for number in reversed(range(25))]


def test_a_full_last_page_knows_that_it_is_the_last(root):
    for number in range(4):
        put(root, str(number))

    assert Mailbox(root).page(size=4).older == ""
    assert Mailbox(root).page(size=3).older != ""


def test_a_page_opens_no_file_of_days_it_does_not_show(root):
    put(root, "old", at=NOON - timedelta(days=1))
    put(root, "new")
    old = next((root / "2026-11-22").iterdir())
    old.unlink()
    old.mkdir()

    assert subjects(Mailbox(root).page(size=1)) == ["new"]


def test_a_mail_that_arrives_while_reading_does_not_move_the_next_page(root):
    for number in range(4):
        put(root, str(number), at=NOON + timedelta(seconds=number))
    first = Mailbox(root).page(size=2)
    put(root, "late", at=NOON + timedelta(seconds=9))

    assert subjects(Mailbox(root).page(before=first.older, size=2)) == ["1", "0"]


def test_search_looks_into_addresses_and_subject_whatever_their_case(root):
    put(root, "Welcome", to="Ada@Example.com")
    put(root, "Farewell", to="ben@example.org")

    assert subjects(Mailbox(root).page(search="ADA@")) == ["Welcome"]
    assert subjects(Mailbox(root).page(search="farew")) == ["Farewell"]
    assert subjects(Mailbox(root).page(search="shop@example.com")) == ["Farewell", "Welcome"]
    assert subjects(Mailbox(root).page(search="nobody")) == []


def test_a_search_stops_after_its_bound_and_says_where_to_go_on(root):
    for number in range(10):
        put(root, "needle" if number == 0 else "hay", at=NOON + timedelta(seconds=number))
    mailbox = Mailbox(root)

    first = mailbox.page(search="needle", scan=6)
    second = mailbox.page(search="needle", scan=6, before=first.older)

    assert (subjects(first), first.scanned) == ([], 6)
    assert (subjects(second), second.older) == (["needle"], "")


def test_strange_files_and_unfinished_drafts_are_not_listed(root):
    put(root, "real")
    (root / "2026-11-23" / ".20261123T120000123Z-0123456789abcdef").write_text("half a mail")
    (root / "2026-11-23" / "notes.eml").write_text("not ours")
    (root / "notes").mkdir()

    assert subjects(Mailbox(root).page()) == ["real"]
    assert Mailbox(root).count() == 1


def test_a_missing_mailbox_is_empty(root):
    assert Mailbox(root).page().entries == []
    assert Mailbox(root).count() == 0


@pytest.mark.parametrize(
    "mail_id",
    [
        "../../etc/passwd",
        "2026-11-23/../../secret",
        "2026-11-23/..",
        "../2026-11-23/20261123T120000123Z-0123456789abcdef",
        "2026-11-23//etc/passwd",
        "2026-11-23/20261123T120000123Z-0123456789abcdef/../x",
        "2026-11-23/20261123T120000123Z-0123456789abcdef\x00",
        "2026-11-23/20261123T120000123Z-0123456789abcdef\n",
        "2026-11-23/20261123T120000123Z-0123456789ABCDEF",
        "٢٠٢٦-11-23/20261123T120000123Z-0123456789abcdef",
        "2026-11-23",
        "",
        "/",
    ],
)
def test_an_id_that_is_not_a_mails_id_leads_nowhere(root, mail_id):
    put(root, "real")
    (root.parent / "secret.eml").write_text("Subject: secret\n\n")

    with pytest.raises(UnknownMailError):
        Mailbox(root).read(mail_id)


def test_a_well_formed_id_without_a_mail_is_unknown(root):
    with pytest.raises(UnknownMailError, match="no mail"):
        Mailbox(root).read("2026-11-23/20261123T120000123Z-0123456789abcdef")


def test_a_page_cannot_continue_from_a_path(root):
    with pytest.raises(UnknownMailError):
        Mailbox(root).page(before="../../etc/passwd")


def test_a_mail_with_all_parts_and_many_scripts_is_read_as_it_was_written(root):
    message = EmailMultiAlternatives(
        "Grüße an Ærøskøbing 🎉",
        "Zażółć gęślą jaźń 日本語",
        "Bücherladen <shop@example.com>",
        ["Benoît Müller <ben@example.org>", "ada@example.com"],
        cc=["cleo@example.net"],
        headers={"X-Campaign": "żółw"},
    )
    message.attach_alternative("<p>Zażółć 日本語 &amp; 🎉</p>", "text/html")
    message.attach("Rechnung-ü.txt", "hällo", "text/plain")
    get_connection(BACKEND).send_messages([message])

    mail = Mailbox(root).read(Mailbox(root).page().entries[0].id)

    assert mail.entry.subject == "Grüße an Ærøskøbing 🎉"
    assert mail.entry.sender == "Bücherladen <shop@example.com>"
    assert mail.entry.recipients == "Benoît Müller <ben@example.org>, ada@example.com, cleo@example.net"
    assert mail.text.strip() == "Zażółć gęślą jaźń 日本語"
    assert mail.html.strip() == "<p>Zażółć 日本語 &amp; 🎉</p>"
    assert dict(mail.headers)["X-Campaign"] == "żółw"
    assert mail.date
    assert [(file.filename, file.content_type, file.size) for file in mail.attachments] == [
        ("Rechnung-ü.txt", "text/plain", 6)
    ]


def test_a_mail_without_html_has_none(root):
    get_connection(BACKEND).send_messages([EmailMessage("mail", "only words", "shop@example.com", ["ada@example.com"])])

    mail = Mailbox(root).read(Mailbox(root).page().entries[0].id)

    assert (mail.html, mail.text.strip(), mail.attachments) == ("", "only words", [])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00garbage",
        b'Subject: =?nonsense?q?=ff=fe?=\nFrom: <<>>,;:\nTo: "\n\nx',
        b"Subject: x\nContent-Type: text/html; charset=no-such-charset\n\n<p>caf\xe9</p>",
        b"Subject: x\nContent-Type: multipart/mixed; boundary=z\n\nno boundary at all",
        b"Subject: x\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n!!!not base64",
    ],
)
def test_a_broken_mail_is_shown_as_far_as_it_goes_and_hides_no_other(root, raw):
    put(root, "good", at=NOON)
    broken = write_mail(root, raw, now=NOON + timedelta(seconds=1))

    assert Mailbox(root).read(broken).raw == raw
    assert subjects(Mailbox(root).page())[1] == "good"
