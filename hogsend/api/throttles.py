"""Which limit a request counts against, and the refusal when there is no room."""

import ipaddress
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from hogsend.api.errors import ApiError
from hogsend.api.limits import Limiter
from hogsend.api.proxy import told_by_proxy
from hogsend.api.shared_window import SharedWindow
from hogsend.api.window import Verdict

if TYPE_CHECKING:
    from hogsend.api.authentication import Caller

API = "/v1/"
UNAUTHENTICATED = "unauthenticated"
WEBHOOKS = "webhooks"


class PerKey(BaseThrottle):
    """A limit for each key on each part of the API that has one."""

    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002
        """Count the request, or raise ApiError 429. The framework asks after 401 and 403, and before the body."""
        count(request)
        return True


def count(request: Request, cost: int = 1) -> None:
    """Count ``cost`` against the limit of the caller. Raises ApiError 429, counting nothing, when it does not fit."""
    if (bucket := _bucket(request)) is None:
        return
    _take(request, *bucket, cost)


def count_items(request: Request, number: int) -> None:
    """Count a batch as ``number``, of which the request itself was one; a batch that does not fit gives that back."""
    if number <= 1:
        return
    try:
        count(request, number - 1)
    except ApiError:
        if bucket := _bucket(request):
            _note(request, limiter(settings.REDIS_URL).take(bucket[0], limit=bucket[1], cost=-1))
        raise


def count_delivery(request: Request, source_id: str) -> None:
    """Count a webhook that has proven to come from its source against the limit of that source. Raises ApiError 429."""
    if limit := settings.HOGSEND_RATE_LIMITS[WEBHOOKS]:
        _take(request, f"{WEBHOOKS}:{source_id}", limit)


def count_stranger(request: HttpRequest) -> None:
    """Count a request that brings no key known to be good against its address. Raises ApiError 429."""
    limit = settings.HOGSEND_RATE_LIMITS[UNAUTHENTICATED]
    if not limit:
        return
    verdict = limiter(settings.REDIS_URL).take(f"{UNAUTHENTICATED}:{address_of(request)}", limit=limit)
    if verdict.wait:
        request.rate_limit = verdict  # type: ignore[attr-defined]
        raise _refusal(verdict, 1)


def address_of(request: HttpRequest) -> str:
    """Return where the request came from, as far as it can be trusted; of IPv6 the network, which one host owns."""
    try:
        address = ipaddress.ip_address(told_by_proxy(request) or request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)  # noqa: PLR2004


@cache
def limiter(url: str) -> Limiter:
    """Return this process's limiter."""
    return Limiter(SharedWindow(url))


def _bucket(request: Request) -> tuple[str, int] | None:
    part = request._request.path.removeprefix(API).partition("/")[0]  # noqa: SLF001 - the wrapped one is not cheap
    limit = settings.HOGSEND_RATE_LIMITS.get(part, 0)
    caller = cast("Caller | None", request.auth)
    return (f"{part}:{caller.id}", limit) if limit and caller is not None else None


def _take(request: Request, name: str, limit: int, cost: int = 1) -> None:
    verdict = limiter(settings.REDIS_URL).take(name, limit=limit, cost=cost)
    _note(request, verdict)
    if verdict.wait:
        raise _refusal(verdict, cost)


def _note(request: Request, verdict: Verdict) -> None:
    request._request.rate_limit = verdict  # type: ignore[attr-defined]  # noqa: SLF001 - the shell writes the headers


def _refusal(verdict: Verdict, cost: int) -> ApiError:
    seconds = verdict.retry_after
    sentence = f"Rate limit exceeded; send again in {seconds} second{'s' if seconds > 1 else ''}."
    if cost >= verdict.limit > 1:
        sentence = f"Rate limit exceeded: at most {verdict.limit} fit into a minute; send fewer at once."
    return ApiError(429, sentence, headers={"Retry-After": str(seconds)})
