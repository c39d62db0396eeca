"""Pages and probes for people and load balancers."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ops.queries import condition


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that this process answers; nothing else is asked, so a restart is the right cure for silence."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """Say whether this process can serve now, and if not, what to do (503)."""
    reasons = condition().unready
    if reasons:
        return JsonResponse({"status": "unavailable", "reasons": reasons}, status=503)
    return JsonResponse({"status": "ready"})


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Show where to go from the root address."""
    reads_mail_here = settings.EMAIL_BACKEND == "emails.mailbox.MailboxBackend"
    return render(
        request, "ops/landing.html", {"brand": settings.HOGSEND_BRAND_NAME, "reads_mail_here": reads_mail_here}
    )
