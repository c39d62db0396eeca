from datetime import timedelta

import pytest

from tracking.models import Visitor as StoredVisitor
from tracking.rules import Verdict, judge

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LATER = timedelta(hours=1)


def verdict(kind="click", method="GET", user_agent=FIREFOX, headers=None, since_sent=LATER) -> Verdict:
    return judge(kind=kind, method=method, user_agent=user_agent, headers=headers or {}, since_sent=since_sent)


@pytest.mark.parametrize("kind", ["click", "open"])
@pytest.mark.parametrize(
    "agent",
    [
        FIREFOX,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; CUBOT) AppleWebKit/537.36",
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36 [Pinterest/Android]",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Microsoft Outlook 16.0.5071; ms-office; MSOffice 16)",
        "Mozilla/5.0 (Macintosh) AppleWebKit/537.36 Chrome/131.0 Safari/537.36 Avast/131.0",
    ],
)
def test_a_browser_or_mail_program_is_human(kind, agent):
    assert verdict(kind, user_agent=agent) == Verdict("human", {"because": "nothing_against", "after_seconds": 3600.0})


@pytest.mark.parametrize("kind", ["click", "open"])
@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slack-ImgProxy (+https://api.slack.com/robots)",
        "Twitterbot/1.0",
        "TelegramBot (like TwitterBot)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "WhatsApp/2.23.20.0",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Googlebot-Image/1.0",
        "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)",
        "Barracuda Sentinel (EE)",
        "Mozilla/5.0 (compatible; Mimecast-URL-Protect)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0",
        "curl/8.5.0",
        "python-requests/2.32",
        "Go-http-client/1.1",
        "SomeNewBot",
        "Baiduspider+(+http://www.baidu.com/search/spider.htm)",
    ],
)
def test_who_names_itself_a_machine_is_one(kind, agent):
    judged = verdict(kind, user_agent=agent)

    assert (judged.visitor, judged.evidence["because"]) == ("machine", "user_agent")
    assert judged.evidence["sign"] in agent.lower()


@pytest.mark.parametrize(
    ("agent", "sign"),
    [
        (
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            "googleimageproxy",
        ),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "yahoomailproxy"),
        ("Mozilla/5.0", "apple"),
    ],
)
def test_an_image_proxys_open_is_of_unknown_humanity_and_its_click_a_machines(agent, sign):
    opened, clicked = verdict("open", user_agent=agent), verdict("click", user_agent=agent)

    assert (opened.visitor, clicked.visitor) == ("unknown", "machine")
    assert opened.evidence == {"because": "image_proxy", "sign": sign, "after_seconds": 3600.0}


def test_who_asks_only_for_headers_is_a_machine():
    assert verdict(method="HEAD") == Verdict("machine", {"because": "head", "after_seconds": 3600.0})


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("purpose", "prefetch"),
        ("purpose", "Preview"),
        ("x-purpose", "preview"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-purpose", "prerender"),
        ("x-moz", "prefetch"),
        ("x-moz", ""),
    ],
)
def test_a_prefetch_is_a_machines(header, value):
    judged = verdict(headers={header: value})

    assert judged.visitor == "machine"
    assert judged.evidence["sign"] == header


@pytest.mark.parametrize("headers", [{"purpose": "navigation"}, {"sec-purpose": ""}, {"accept": "prefetch"}])
def test_other_headers_say_nothing(headers):
    assert verdict(headers=headers).visitor == "human"


@pytest.mark.parametrize("agent", ["", "   "])
def test_who_has_no_name_is_a_machine(agent):
    assert verdict(user_agent=agent).evidence["because"] == "no_user_agent"


@pytest.mark.parametrize("kind", ["click", "open"])
@pytest.mark.parametrize(("seconds", "visitor"), [(0, "machine"), (1.999, "machine"), (2, "human")])
def test_nobody_reads_within_two_seconds(kind, seconds, visitor):
    assert verdict(kind, since_sent=timedelta(seconds=seconds)).visitor == visitor


def test_a_proxy_that_comes_at_once_stays_unknown():
    assert verdict("open", user_agent="Mozilla/5.0", since_sent=timedelta(0)).visitor == "unknown"


def test_the_verdicts_are_those_that_can_be_stored():
    assert set(StoredVisitor.values) == {"human", "machine", "unknown"}
