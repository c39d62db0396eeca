"""Lead the links of a mail through us and add the pixel. The document is spliced, never rebuilt.

Rebuilding from a parsed tree would change what mail clients depend on: conditional comments for Outlook, entities,
attribute order. So the places are found (emails/places.py), and only those characters are replaced.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.html import escape

from emails.places import places_in
from emails.render import MailLinks
from hogsend.lib.ids import new_id

_ABSOLUTE = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Instrumented:
    """The finished HTML, and the id under which each distinct address is redirected."""

    html: str
    links: dict[str, UUID] = field(default_factory=dict)


def instrument(html: str, *, send_id: UUID, links: MailLinks) -> Instrumented:
    """Replace the web addresses of ``a[href]`` by tracked ones and add a pixel before the end of the body.

    Addresses of ``links``, other schemes, relative addresses and every other element stay as they are.
    """
    places = places_in(html)
    targets: dict[str, UUID] = {}
    pieces, reached = [], 0
    for span in places.hrefs:
        if span.url in links or not _ABSOLUTE.match(span.url):
            continue
        link_id = targets.get(span.url) or targets.setdefault(span.url, new_id())
        pieces += [html[reached : span.start], absolute("tracking-click", link_id)]
        reached = span.end
    end = len(html) if places.body_end is None else places.body_end
    pieces += [html[reached:end], pixel(send_id), html[end:]]
    return Instrumented("".join(pieces), targets)


def absolute(view: str, row_id: UUID) -> str:
    """Return the public address of ``view`` for one row."""
    return f"{settings.API_PUBLIC_URL}{_path(view, settings.ROOT_URLCONF).replace(str(_NOBODY), str(row_id))}"


@lru_cache
def _path(view: str, urls: str) -> str:
    return reverse(view, urlconf=urls, args=[_NOBODY])


def pixel(send_id: UUID) -> str:
    """Return the image whose loading is an open."""
    source = escape(absolute("tracking-open", send_id))
    return f'<img src="{source}" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px">'
