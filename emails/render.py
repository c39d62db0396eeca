"""Turn an e-mail definition and its values into a subject, an HTML part and a text part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import css_inline
import inscriptis
import mrml
from django.conf import settings
from django.template import Context, Engine, Template, TemplateDoesNotExist
from inscriptis.model.config import ParserConfig

from emails.definitions import Email, registry
from emails.rules import one_line

BODIES = ("body.mjml", "body.html")
_INLINER = css_inline.CSSInliner(keep_style_tags=True, keep_link_tags=True, load_remote_stylesheets=False)
_TEXT = ParserConfig(display_links=True)


class RenderError(Exception):
    """An e-mail cannot be rendered; the message names the e-mail, the template and what is wrong."""


@dataclass(frozen=True, slots=True)
class MailLinks:
    """The addresses by which the recipient of one mail changes what they get."""

    unsubscribe_url: str
    preferences_url: str

    def __contains__(self, url: object) -> bool:
        return url in {self.unsubscribe_url, self.preferences_url}


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a template may know of the person."""

    email: str
    first_name: str = "there"
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    html: str
    text: str


def render(
    email_id: str,
    *,
    props: Mapping[str, Any],
    links: MailLinks,
    contact: Recipient,
    subject: str | None = None,
    engine: Engine | None = None,
) -> Rendered:
    """Render one e-mail. A name the templates use and nobody gave is empty.

    ``props`` are reachable by their own names and as ``props.<name>``; where a name is one of ours, ours wins.
    ``subject`` replaces the e-mail's own. Raises UnknownIdError, or RenderError naming the e-mail and the template.
    """
    email = registry.get(email_id)
    engine = engine or Engine.get_default()
    values = context(email, props=props, links=links, contact=contact)
    values["subject"] = _subject(email, subject, values, engine)
    html = _html(email, values, engine)
    return Rendered(values["subject"], html, _text(email, values, html, engine))


def context(email: Email, *, props: Mapping[str, Any], links: MailLinks, contact: Recipient) -> dict[str, Any]:
    """Return what every template of ``email`` sees; ``subject`` joins it for the bodies."""
    return {
        **props,
        "props": props,
        "contact": contact,
        "unsubscribe_url": links.unsubscribe_url,
        "preferences_url": links.preferences_url,
        "brand": {"name": settings.HOGSEND_BRAND_NAME, "address": settings.HOGSEND_BRAND_ADDRESS},
        "email_id": email.id,
        "subject": "",
    }


RESERVED = frozenset({"props", "contact", "unsubscribe_url", "preferences_url", "brand", "email_id", "subject"})


def find(email: Email, names: tuple[str, ...], engine: Engine) -> Template | None:
    """Return the first of the templates that exists. Raises RenderError when one exists and cannot be compiled."""
    for name in names:
        path = f"{email.folder}/{name}"
        try:
            return engine.get_template(path)
        except TemplateDoesNotExist:
            continue
        except Exception as error:
            raise _error(email, path, error) from error
    return None


def _subject(email: Email, given: str | None, values: dict[str, Any], engine: Engine) -> str:
    words = given or email.subject
    if words is None:
        template = find(email, ("subject.txt",), engine)
        if template is None:
            raise _error(email, f"{email.folder}/subject.txt", "the file does not exist and no subject was given")
        words = _fill(email, template, values, autoescape=False)
    line = one_line(words)
    if not line:
        raise _error(email, f"{email.folder}/subject.txt", "the subject is empty")
    return line


def _html(email: Email, values: dict[str, Any], engine: Engine) -> str:
    template = find(email, BODIES, engine)
    if template is None:
        raise _error(email, f"{email.folder}/body.mjml", "neither body.mjml nor body.html exists")
    source = _fill(email, template, values, autoescape=True)
    try:
        return _compiled(source) if str(template.name).endswith(".mjml") else _inlined(source)
    except (OSError, css_inline.InlineError) as error:
        raise _error(email, str(template.name), error) from error


def _compiled(mjml: str) -> str:
    return str(mrml.to_html(mjml).content)


def _inlined(html: str) -> str:
    return str(_INLINER.inline(html)) if "<style" in html.lower() else html


def _text(email: Email, values: dict[str, Any], html: str, engine: Engine) -> str:
    template = find(email, ("body.txt",), engine)
    words = inscriptis.get_text(html, _TEXT) if template is None else _fill(email, template, values, autoescape=False)
    return "\n".join(line.rstrip() for line in words.strip().splitlines()) + "\n"


def _fill(email: Email, template: Template, values: dict[str, Any], *, autoescape: bool) -> str:
    try:
        return str(template.render(Context(values, autoescape=autoescape)))
    except Exception as error:
        raise _error(email, str(template.name), error) from error


def _error(email: Email, path: str, problem: object) -> RenderError:
    what = str(problem) or type(problem).__name__
    if isinstance(problem, TemplateDoesNotExist):
        what = f"it needs {what}, which does not exist"
    return RenderError(f"The e-mail {email.id!r} cannot be rendered: {path}: {what}.")
