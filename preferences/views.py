from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from hogsend.clock import database_now
from lists.definitions import ID
from preferences.actions import change_consent, pause
from preferences.choices import choices_for, name_of
from preferences.models import ConsentChange
from preferences.pages import METHODS, invalid, not_allowed, page, private
from preferences.queries import consent_of, contact_of
from preferences.rules import Consent, choices_made
from preferences.tokens import Action, Claims, InvalidTokenError, read, sign

PAUSE = timedelta(days=30)
ANY = frozenset(Action)

Door = ConsentChange.Door
log = structlog.get_logger(__name__)


# The signed token is the authority and no cookie is read, so there is no session that another site could ride on.
@csrf_exempt
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """Answer the link in the mail: GET asks and changes nothing, POST acts (RFC 8058)."""
    if request.method not in METHODS:
        return not_allowed(request)
    now = database_now()
    try:
        claims = _claims(request, now=now, allowed=ANY - {Action.MANAGE})
    except InvalidTokenError as error:
        return invalid(error)
    if request.method != "POST":
        return page("confirm", _words(claims))
    if _form(request).get("confirm") == "1":
        _act(claims, door=Door.PAGE, now=now)
        return page("done", _words(claims) | _ways_on(claims, now=now))
    if claims.action is not Action.UNSUBSCRIBE:
        return invalid(InvalidTokenError("Missing confirmation"))
    _act(claims, door=Door.ONE_CLICK, now=now)
    return private(HttpResponse(content_type="text/plain; charset=utf-8"))


@csrf_exempt
def preferences(request: HttpRequest) -> HttpResponse:
    """Show what a person can choose; POST saves it."""
    if request.method not in METHODS:
        return not_allowed(request)
    now = database_now()
    try:
        claims = _claims(request, now=now, allowed=ANY)
    except InvalidTokenError as error:
        return invalid(error)
    consent = _consent(claims)
    if consent is None:
        return page("gone", {"email": claims.email}, status=404)
    if request.method != "POST":
        return _preference_page(consent, claims, now=now)
    notice = _save(_form(request), consent=consent, claims=claims, now=now)
    if notice is None:
        return invalid(InvalidTokenError("Incomplete form"))
    return _preference_page(_consent(claims) or consent, claims, now=now, notice=notice)


def _claims(request: HttpRequest, *, now: datetime, allowed: AbstractSet[Action]) -> Claims:
    token = request.GET.get("token", "")
    if not token:
        raise InvalidTokenError("Missing token")
    claims = read(token, now=now)
    if claims.action not in allowed:
        raise InvalidTokenError("Wrong kind of link")
    if claims.category is not None and not ID.fullmatch(claims.category):
        raise InvalidTokenError("Invalid category")
    return claims


def _form(request: HttpRequest) -> QueryDict:
    """Return the fields that came, none from a body that cannot be read: a link alone is enough to unsubscribe."""
    try:
        return request.POST
    except (BadRequest, MultiPartParserError, SuspiciousOperation):
        return QueryDict()


def _act(claims: Claims, *, door: ConsentChange.Door, now: datetime) -> None:
    contact_id = contact_of(claims)
    if contact_id is None:
        log.info("preferences.nobody", action=claims.action.value)
        return
    change_consent(
        contact_id=contact_id,
        category=claims.category,
        subscribed=claims.action is Action.RESUBSCRIBE,
        door=door,
        now=now,
        send_id=claims.send_id,
    )


def _words(claims: Claims) -> dict[str, Any]:
    return {
        "returning": claims.action is Action.RESUBSCRIBE,
        "email": claims.email,
        "category": name_of(claims.category) if claims.category else "",
    }


def _ways_on(claims: Claims, *, now: datetime) -> dict[str, str]:
    opposite = Action.RESUBSCRIBE if claims.action is Action.UNSUBSCRIBE else Action.UNSUBSCRIBE
    return {
        "manage_token": sign(replace(claims, action=Action.MANAGE), now=now),
        "undo_token": sign(replace(claims, action=opposite), now=now),
    }


def _consent(claims: Claims) -> Consent | None:
    contact_id = contact_of(claims)
    return consent_of([contact_id]).get(contact_id) if contact_id else None


def _preference_page(consent: Consent, claims: Claims, *, now: datetime, notice: str = "") -> HttpResponse:
    # The address shown is the one the mail went to: whoever holds an old mail shall not read a new address here.
    context = {
        "consent": consent,
        "choices": choices_for(consent, claims),
        "email": claims.email,
        "came_from": name_of(claims.category) if claims.category else "",
        "paused": consent.is_paused(now),
        "notice": notice,
    }
    return page("preferences", context)


@transaction.atomic
def _save(form: QueryDict, *, consent: Consent, claims: Claims, now: datetime) -> str | None:
    """Do what the form asks; return what to tell the person, or None if it asks nothing we know."""
    who = consent.contact_id
    match form.get("do"):
        case "save":
            _save_choices(form, consent=consent, claims=claims, now=now)
            return _("Your choices are saved.")
        case "stop" | "start" as verb:
            back = verb == "start"
            change_consent(
                contact_id=who, category=None, subscribed=back, door=Door.PAGE, now=now, send_id=claims.send_id
            )
            return _("You are back: mail is on again.") if back else _("You have been unsubscribed from all mail.")
        case "pause":
            pause(contact_id=who, until=now + PAUSE, now=now)
            return _("Your mail is paused for 30 days.")
        case "resume":
            pause(contact_id=who, until=None, now=now)
            return _("The pause has ended.")
        case _:
            return None


def _save_choices(form: QueryDict, *, consent: Consent, claims: Claims, now: datetime) -> None:
    offered = {choice.category for choice in choices_for(consent, claims)}
    was_on = set(form.getlist("was"))
    shown = {category: category in was_on for category in form.getlist("shown") if category in offered}
    for category, on in choices_made(consent, shown=shown, wanted=set(form.getlist("want"))).items():
        change_consent(
            contact_id=consent.contact_id,
            category=category,
            subscribed=on,
            door=Door.PAGE,
            now=now,
            send_id=claims.send_id,
        )
