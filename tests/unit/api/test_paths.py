import pytest
from django.urls import URLPattern, URLResolver, path
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RegexPattern


@pytest.fixture(scope="module")
def resolver() -> URLResolver:
    def view(request):
        raise NotImplementedError

    patterns: list[URLPattern] = [
        path("lists/<segment:list_id>/subscribe", view, name="subscribe"),
        path("campaigns/<segment:campaign_id>", view, name="campaign"),
    ]
    return URLResolver(RegexPattern(r"^/"), patterns)


@pytest.mark.parametrize(
    ("address", "ids"),
    [
        ("/lists/news/subscribe", {"list_id": "news"}),
        ("/lists/a/b/subscribe", {"list_id": "a/b"}),
        ("/lists/a/subscribe/subscribe", {"list_id": "a/subscribe"}),
        ("/lists/ä ö%/subscribe", {"list_id": "ä ö%"}),
        ("/campaigns/a/b", {"campaign_id": "a/b"}),
    ],
)
def test_an_id_may_hold_slashes_which_servers_have_decoded(resolver, address, ids):
    assert resolver.resolve(address).kwargs == ids


@pytest.mark.parametrize(
    "address", ["/lists//subscribe", "/lists/news/subscribe/", "/campaigns/", "/campaigns/x/", "/campaigns//x"]
)
def test_an_empty_id_and_a_trailing_slash_are_no_route(resolver, address):
    with pytest.raises(Resolver404):
        resolver.resolve(address)
