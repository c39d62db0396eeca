"""A message is refused before it is recorded exactly when it could not be laid out for the wire."""

from hypothesis import given, settings
from hypothesis import strategies as st

from emails.message import build_message, prove_sendable
from emails.models import EmailSend

ODD = st.sampled_from(["\n", "\r\nBcc: a@b.example", "\ud800", "é", "日本", ",", "<", ">", '"', "@", " ", "x" * 90])
WORDS = st.lists(st.one_of(st.text("abcXYZ ."), ODD), max_size=4).map("".join)
ADDRESSES = st.one_of(
    st.sampled_from(
        ["ada@example.com", "a.b+c@mail.example.com", "é@example.com", "ada@bücher.example", "ada", "", "@"]
    ),
    st.builds("{}@{}".format, WORDS, st.sampled_from(["example.com", "x", "-.a", "a..b"])),
)
SENDERS = st.one_of(ADDRESSES, st.builds("{} <{}>".format, WORDS, ADDRESSES))


def is_accepted(prove):
    try:
        prove()
    except (ValueError, UnicodeError):
        return False
    return True


@settings(max_examples=300)
@given(
    sender=SENDERS,
    to=ADDRESSES,
    reply_to=st.lists(SENDERS, max_size=1),
    words=st.tuples(WORDS, WORDS, WORDS),
)
def test_what_is_plainly_good_could_be_laid_out(sender, to, reply_to, words):
    subject, text, html = words
    send = EmailSend(
        email_id="hello", from_email=sender, to_email=to, reply_to=reply_to, subject=subject, text=text, html=html
    )

    assert is_accepted(lambda: prove_sendable(send)) == is_accepted(lambda: build_message(send).message())
