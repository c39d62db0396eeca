"""Links are found as a tolerant parser finds them, in whatever document."""

from hypothesis import given, settings
from hypothesis import strategies as st

from emails.places import TolerantPlaces, places_in, plain_places

BITS = [
    *("<a", "<A", "</a>", "<p>", "<br/>", "<body>", "</body>", "</BODY >", "<body/>", "<img alt=", "<abbr ", "<o:p/>"),
    *("<style>", "</style>", "<script>", "</script>", "<title>", "</title>", "<textarea>", "</textarea>", "<style/>"),
    *("<!--", "-->", "--", "<!-->", "<!--[if mso]>", "<![endif]-->", "<![endif]>", "--!>", "<!doctype html>", "<?xml "),
    *(
        ' href="https://a.example/?a=1&amp;b=2"',
        " href='https://b.example/'",
        " href=https://c.example/",
        " href",
        " /",
    ),
    *(
        ' title=">"',
        " title='<a href=https://no.example>'",
        ' HREF = "https://d.example"',
        "\n",
        " ",
        ">",
        "<",
        '"',
        "'",
    ),
    *(
        "/",
        "=",
        "&",
        "&amp;",
        "&#39;",
        "&#x27",
        "&#",
        "&#;",
        "&copy",
        "x",
        "é",
        "\x0c",
        "\xa0",
        "\0",
        "a < b",
        "<3",
        "</>",
    ),
]
DOCUMENTS = st.lists(st.sampled_from(BITS), max_size=25).map("".join)
ADDRESSES = st.sampled_from(["https://a.example/", "https://b.example/?a=1&amp;b=2", "mailto:a@b.example", "", "#x"])
QUOTED = st.one_of(ADDRESSES.map('"{}"'.format), ADDRESSES.map("'{}'".format))
ATTRIBUTES = st.lists(
    st.one_of(QUOTED.map(" href={}".format), QUOTED.map("\n title = {}".format), st.just(" hidden")), max_size=3
).map("".join)
TAGS = st.builds(
    "<{}{}{}>".format,
    st.sampled_from(["a", "A", "p", "body", "v:rect", "td"]),
    ATTRIBUTES,
    st.sampled_from(["", " ", " /"]),
)
WELL_KEPT = st.lists(
    st.one_of(
        TAGS,
        st.sampled_from(["</a>", "</p>", "</body>", "</td >", "text & more", "&nbsp;", "&#169; 2026", "\n", "ä"]),
        st.sampled_from(
            ["<!--[if mso]><a href='https://no.example'><![endif]-->", "<!--[if !mso]><!-->", "<!--<![endif]-->"]
        ),
        st.sampled_from(["<style>a > b { color: red }</style>", "<title>A & B</title>", "<!doctype html>"]),
    ),
    max_size=30,
).map("".join)


def read(places):
    return places.hrefs, places.body_end


@settings(max_examples=1_000)
@given(DOCUMENTS)
def test_any_document_is_read_as_the_tolerant_parser_reads_it(html):
    assert read(places_in(html)) == read(TolerantPlaces(html))


@settings(max_examples=1_000)
@given(WELL_KEPT)
def test_a_plain_document_is_read_the_fast_way_and_the_same(html):
    plain = plain_places(html + "<p></p>")

    assert "<body" in html or plain is not None
    assert plain is None or read(plain) == read(TolerantPlaces(html + "<p></p>"))
