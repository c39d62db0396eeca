"""Lead the links of a mail through us and add the pixel. The document is spliced, never rebuilt.

Rebuilding from a parsed tree would change what mail clients depend on: conditional comments for Outlook, entities,
attribute order. So a tolerant tokenizer finds the places, and only those characters are replaced.
"""

import re
from dataclasses import dataclass, field
from html.entities import html5
from html.parser import HTMLParser
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.html import escape

from emails.render import MailLinks
from hogsend.lib.ids import new_id

_ATTRIBUTE = re.compile(
    r"""[\s/]+(?P<name>[^\s/>=][^\s/>=]*)"""
    r"""(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'>][^\s>]*)))?"""
)
_REFERENCE = re.compile(
    r"&(?:#(?P<decimal>\d{1,7});?|#[xX](?P<hex>[\da-fA-F]{1,6});?|(?P<name>[A-Za-z][A-Za-z\d]*;?)(?P<next>=)?)"
)
_ABSOLUTE = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_BROWSERS_DROP = re.compile(r"[\t\n\r]")


class Span(NamedTuple):
    start: int
    end: int
    url: str


@dataclass(frozen=True, slots=True)
class Instrumented:
    """The finished HTML, and the id under which each distinct address is redirected."""

    html: str
    links: dict[str, UUID] = field(default_factory=dict)


def instrument(html: str, *, send_id: UUID, links: MailLinks) -> Instrumented:
    """Replace the web addresses of ``a[href]`` by tracked ones and add a pixel before the end of the body.

    Addresses of ``links``, other schemes, relative addresses and every other element stay as they are.
    """
    places = Places(html)
    targets: dict[str, UUID] = {}
    pieces, reached = [], 0
    for span in places.hrefs:
        if span.url in links or not _ABSOLUTE.match(span.url):
            continue
        link_id = targets.setdefault(span.url, new_id())
        pieces += [html[reached : span.start], absolute("tracking-click", link_id)]
        reached = span.end
    end = len(html) if places.body_end is None else places.body_end
    pieces += [html[reached:end], pixel(send_id), html[end:]]
    return Instrumented("".join(pieces), targets)


def absolute(view: str, row_id: UUID) -> str:
    """Return the public address of ``view`` for one row."""
    return f"{settings.API_PUBLIC_URL}{reverse(view, args=[row_id])}"


def pixel(send_id: UUID) -> str:
    """Return the image whose loading is an open."""
    source = escape(absolute("tracking-open", send_id))
    return f'<img src="{source}" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px">'


class Places(HTMLParser):
    """Where the values of ``a[href]`` stand in a document, in order, and where its body ends."""

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
            self._note_href(self.get_starttag_text() or "", self._offset())

    def handle_endtag(self, tag: str) -> None:
        if tag == "body":
            self.body_end = self._offset()

    def _note_href(self, tag: str, start: int) -> None:
        for attribute in _ATTRIBUTE.finditer(tag, pos=2):
            if attribute["name"].lower() == "href":
                group = next((name for name in ("double", "single", "bare") if attribute[name] is not None), None)
                if group:
                    begin, end = attribute.span(group)
                    self.hrefs.append(Span(start + begin, start + end, address_in(attribute[group])))
                return

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column


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
