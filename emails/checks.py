"""``manage.py check``: every declared e-mail has its templates, a known category and a sample that renders."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Self

from django.core.checks import CheckMessage, Error
from django.template import Engine, engines
from django.template.backends.django import DjangoTemplates

from emails.definitions import BUILT_IN_CATEGORIES, Email, registry
from emails.render import BODIES, RESERVED, MailLinks, Recipient, RenderError, find, render
from lists.definitions import registry as lists

SAMPLE_LINKS = MailLinks("https://example.com/unsubscribe", "https://example.com/preferences")
SAMPLE_RECIPIENT = Recipient("ada@example.com", "Ada")
INSIDE = ("contact.email", "contact.first_name", "contact.properties", "brand.name", "brand.address")
OF_THE_PERSON = "contact.properties."
DJANGO = "django.template.backends.django.DjangoTemplates"


def check_emails(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report e-mails that could not be sent: see the e-mail's definition and its folder of templates."""
    del app_configs, kwargs
    return [error for email in registry for error in _errors(email)]


def _errors(email: Email) -> Iterator[CheckMessage]:
    yield from _category(email)
    yield from _reserved(email)
    missing = list(_missing(email))
    yield from missing or _sample(email)


def _category(email: Email) -> Iterator[CheckMessage]:
    if email.category not in BUILT_IN_CATEGORIES and email.category not in lists:
        near = get_close_matches(email.category, [*BUILT_IN_CATEGORIES, *(known.id for known in lists)], n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        yield _error(
            email,
            f"its category {email.category!r} is neither transactional nor journey nor the id of a list.{meant}",
            hint="Declare a list of that id in lists.py, or take another category.",
            number=1,
        )


def _reserved(email: Email) -> Iterator[CheckMessage]:
    for name in sorted(RESERVED & set(email.sample)):
        yield _error(
            email,
            f"its sample has a value {name!r}, a name that templates get from us.",
            hint="Call the value something else.",
            number=2,
        )


def _missing(email: Email) -> Iterator[CheckMessage]:
    wanted: list[tuple[tuple[str, ...], str]] = [(BODIES, "body.mjml or body.html")]
    if email.subject is None:
        wanted.insert(0, (("subject.txt",), "subject.txt"))
    for names, words in wanted:
        try:
            template = find(email, names, Engine.get_default())
        except RenderError as error:
            yield _error(email, str(error), hint="Correct the template.", number=4)
            continue
        if template is None:
            yield _error(
                email,
                f"there is no {words} for it.",
                hint=f"Create templates/{email.folder}/{words} in the app that declares it.",
                number=3,
            )


def _sample(email: Email) -> Iterator[CheckMessage]:
    noticed = Unknown()
    try:
        render(email.id, props=email.sample, links=SAMPLE_LINKS, contact=SAMPLE_RECIPIENT, engine=_strict(noticed))
    except RenderError as error:
        yield _error(email, str(error), hint="Render it with its sample until it works.", number=4)
    for name in sorted(noticed.names):
        if name.startswith(OF_THE_PERSON):
            continue
        near = get_close_matches(name, [*email.sample, *RESERVED, *INSIDE], n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        yield _error(
            email,
            f"a template uses {name!r}, which is not in its sample.{meant}",
            hint="Add the value to the sample, or correct the name in the template.",
            number=5,
        )


class Unknown(str):
    """What a template shows for a name it does not know: nothing, but the name is noticed."""

    __slots__ = ("names",)
    names: set[str]

    def __new__(cls) -> Self:
        made = super().__new__(cls, "%s")
        made.names = set()
        return made

    def __mod__(self, name: object) -> str:
        self.names.add(str(name))
        return ""


def _strict(noticed: Unknown) -> Engine:
    """Return the product's template engine once more, one that notices unknown names."""
    given = dict(next(one for one in engines.templates.values() if one["BACKEND"] == DJANGO))
    del given["BACKEND"]
    return DjangoTemplates({**given, "OPTIONS": {**given["OPTIONS"], "string_if_invalid": noticed}}).engine


def _error(email: Email, sentence: str, *, hint: str, number: int) -> CheckMessage:
    source = registry.source(email.id)
    where = f"{source.file}:{source.line}" if source else "e-mail"
    return Error(f"E-mail {email.id!r}: {sentence}", hint=hint, obj=where, id=f"emails.E{number:03d}")
