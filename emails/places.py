"""Where the links of an HTML document stand, and where its body ends."""

import re
from html.entities import html5
from html.parser import HTMLParser
from typing import NamedTuple, Protocol

_ATTRIBUTE = re.compile(
    r"""[\s/]+(?P<name>[^\s/>=][^\s/>=]*)"""
    r"""(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'>][^\s>]*)))?"""
)
_REFERENCE = re.compile(
    r"&(?:#(?P<decimal>\d{1,7});?|#[xX](?P<hex>[\da-fA-F]{1,6});?|(?P<name>[A-Za-z][A-Za-z\d]*;?)(?P<next>=)?)"
)
_BROWSERS_DROP = re.compile(r"[\t\n\r]")
# What every reader of HTML understands alike: whole comments, tags whose attributes are quoted, references that end.
_SPACE = r"[ \t\n]"
_END_OF_NAME = r"(?![a-z0-9:-])"
_ATTRIBUTES = rf"""(?:{_SPACE}++[a-z_:][a-z0-9_:.-]*+(?:{_SPACE}*+={_SPACE}*+(?:"[^"]*+"|'[^']*+'))?+)*+{_SPACE}*+"""
# Their content is not HTML; it is plain where it holds no "<".
_RAW = "(?:script|style|textarea|title|iframe|noembed|noframes|noscript|xmp)"
_DULL = rf"""<(?:
    !--(?!-?>)(?:[^-]|-(?!-))*+-->
    |!doctype{_SPACE}[^<>]*+>
    |/(?!body{_END_OF_NAME})[a-z][a-z0-9:-]*+{_SPACE}*+>
    |(?!(?:a|body|plaintext|{_RAW}){_END_OF_NAME})[a-z][a-z0-9:-]*+{_ATTRIBUTES}/?>
    |body{_END_OF_NAME}{_ATTRIBUTES}>
    |(?P<raw>{_RAW}){_END_OF_NAME}{_ATTRIBUTES}>[^<]*+</(?P=raw){_SPACE}*+>
)"""
_NEXT_PLACE = re.compile(
    rf"(?:[^<]++|{_DULL})*+(?:(?P<link><a{_END_OF_NAME}{_ATTRIBUTES}/?>)|(?P<end></body{_SPACE}*+>)|\Z)",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_ODD_REFERENCE = re.compile(r"&#(?!\d+;|[xX][\da-fA-F]+;)|&(?:[a-zA-Z][a-zA-Z\d.-]*+)?\Z")


class Span(NamedTuple):
    """The value of one ``href``, and the address that it means."""

    start: int
    end: int
    url: str


class Places(Protocol):
    """The values of ``a[href]`` in their order, and where the last end of the body stands."""

    hrefs: list[Span]
    body_end: int | None


def places_in(html: str) -> Places:
    """Return the places of a document; one that is not plain is read by a tolerant parser, ten times slower."""
    return plain_places(html) or TolerantPlaces(html)


class PlainPlaces:
    """The places of a plain document."""

    def __init__(self) -> None:
        self.hrefs: list[Span] = []
        self.body_end: int | None = None


def plain_places(html: str) -> PlainPlaces | None:
    """Return the places of a document in which every tag is plain; None for another."""
    if _ODD_REFERENCE.search(html):
        return None
    places, at = PlainPlaces(), 0
    while at < len(html):
        found = _NEXT_PLACE.match(html, at)
        if found is None:
            return None
        if found["link"]:
            note_href(places.hrefs, found["link"], found.start("link"))
        elif found["end"]:
            places.body_end = found.start("end")
        at = found.end()
    return places


class TolerantPlaces(HTMLParser):
    """The places of any document."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=False)
        self.hrefs: list[Span] = []
        self.body_end: int | None = None
        self._lines = [0, *(newline.end() for newline in re.finditer("\n", html))]
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "a":
            note_href(self.hrefs, self.get_starttag_text() or "", self._offset())

    def handle_endtag(self, tag: str) -> None:
        if tag == "body":
            self.body_end = self._offset()

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column


def note_href(hrefs: list[Span], tag: str, start: int) -> None:
    """Add the value of the first ``href`` of a tag that begins at ``start``, if it has one."""
    for attribute in _ATTRIBUTE.finditer(tag, pos=2):
        if attribute["name"].lower() == "href":
            group = next((name for name in ("double", "single", "bare") if attribute[name] is not None), None)
            if group:
                begin, end = attribute.span(group)
                hrefs.append(Span(start + begin, start + end, address_in(attribute[group])))
            return


def address_in(value: str) -> str:
    """Return the address an ``href`` means: entities decoded as in attributes, what browsers drop dropped."""
    return _BROWSERS_DROP.sub("", _REFERENCE.sub(_decoded, value)).strip()


def _decoded(reference: re.Match[str]) -> str:
    if reference["decimal"] or reference["hex"]:
        point = int(reference["decimal"] or reference["hex"], 10 if reference["decimal"] else 16)
        return chr(point) if 0 < point < 0x110000 and not 0xD800 <= point < 0xE000 else "\ufffd"  # noqa: PLR2004 - Unicode's bounds
    name, following = reference["name"], reference["next"] or ""
    # In an attribute "&copy=1" is a parameter; without its semicolon a name counts only where no "=" follows.
    if following and not name.endswith(";"):
        return reference[0]
    return html5.get(name, f"&{name}") + following
