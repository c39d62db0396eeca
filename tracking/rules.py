import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

Kind = Literal["open", "click"]
Visitor = Literal["human", "machine", "unknown"]

TOO_SOON = timedelta(seconds=2)
NOTHING_AGAINST = "nothing_against"

# Names in user agents of those who fetch a link or an image with nobody looking. Bare "bot" is not among them: there
# are telephones called Cubot.
PREVIEWS = """
    slack-imgproxy, facebookexternalhit, facebookcatalog, facebot, whatsapp, skypeuripreview, bingpreview, embedly,
    iframely, vkshare, nuzzel, qwantify, pinterest.com/bot, snap url preview, flipboardproxy, feedfetcher, mastodon/,
    google-read-aloud, google-pagerenderer, googleother, google-safety, google web preview, mediapartners-google,
    microsoft office existence discovery, microsoft office protocol discovery
"""
SCANNERS = """
    barracuda, mimecast, proofpoint, safelinks, messagelabs, symantec, trendmicro, trend micro, fireeye, forcepoint,
    websense, sophos, fortiguard, fortimail, zscaler, ironport, cloudmark, spamexperts, hornetsecurity, vade secure,
    checkpoint capsule, virustotal, urlscan, censysinspect, palo alto networks, cortex-xpanse, checkmark network,
    mailscanner, spamassassin, rspamd
"""
PROGRAMS = """
    headlesschrome, phantomjs, puppeteer, playwright, selenium, curl/, wget/, python-requests, python-urllib,
    python-httpx, aiohttp, go-http-client, libwww-perl, apache-httpclient, node-fetch, axios/, guzzlehttp, java/,
    scrapy, postmanruntime, winhttp, lighthouse
"""
MACHINES = tuple(name.strip() for name in f"{PREVIEWS},{SCANNERS},{PROGRAMS}".split(","))
CRAWLER = re.compile(r"(?<!cu)bot(?:[-/;,)]|\s+[\d(]|$)|crawler|spider\b")
IMAGE_PROXIES = ("googleimageproxy", "yahoomailproxy", "mailimageproxy", "imageproxy", "duckduckgo-mail")
APPLE_PRIVACY = "mozilla/5.0"  # Apple's mail privacy says this and nothing more

PREFETCH = {
    "purpose": re.compile(r"prefetch|preview"),
    "x-purpose": re.compile(r"prefetch|preview"),
    "sec-purpose": re.compile(r"prefetch|prerender"),
    "x-moz": re.compile(r""),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who made a hit, and what says so."""

    visitor: Visitor
    evidence: dict[str, Any] = field(default_factory=dict)


def judge(*, kind: Kind, method: str, user_agent: str, headers: Mapping[str, str], since_sent: timedelta) -> Verdict:
    """Whoever asks only for headers, prefetches, names itself a machine, has no name or comes at once is no person.

    Image proxies hide whether anybody looks: their opens are of unknown humanity, their clicks a machine's.
    ``headers`` are looked up by lower-case names. The evidence names the ground, and the words that showed it.
    """
    agent = user_agent.strip().lower()
    grounds: dict[str, bool | str] = {
        "head": method == "HEAD",
        "prefetch": _prefetch(headers),
        "no_user_agent": not agent,
        "image_proxy": _image_proxy(agent),
        "user_agent": _machine(agent),
        "too_soon": since_sent < TOO_SOON,
    }
    because = next((ground for ground, sign in grounds.items() if sign), NOTHING_AGAINST)
    evidence: dict[str, Any] = {"because": because, "after_seconds": round(since_sent.total_seconds(), 3)}
    if isinstance(sign := grounds.get(because), str):
        evidence["sign"] = sign
    return Verdict(_visitor(kind, because), evidence)


def _visitor(kind: Kind, because: str) -> Visitor:
    if because == NOTHING_AGAINST:
        return "human"
    return "unknown" if because == "image_proxy" and kind == "open" else "machine"


def _prefetch(headers: Mapping[str, str]) -> str:
    return next((name for name, sign in PREFETCH.items() if name in headers and sign.search(headers[name].lower())), "")


def _image_proxy(agent: str) -> str:
    if agent == APPLE_PRIVACY:
        return "apple"
    return next((name for name in IMAGE_PROXIES if name in agent), "")


def _machine(agent: str) -> str:
    named = next((name for name in MACHINES if name in agent), "")
    return named or (match[0] if (match := CRAWLER.search(agent)) else "")
