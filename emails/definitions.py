"""What an adopter declares: an e-mail, its category and a sample of what it is given."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hogsend.lib.registry import Registry, declared_at

EMAIL_ID = re.compile(r"[a-z0-9][a-z0-9_/-]*")
TRANSACTIONAL = "transactional"
JOURNEY = "journey"
BUILT_IN_CATEGORIES = frozenset({TRANSACTIONAL, JOURNEY})


class InvalidEmailError(ValueError):
    """An e-mail is declared in a way that cannot work; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Email:
    """An e-mail of the product. Declaring it registers it.

    Its words stand in the folder ``templates/emails/<id>/`` of the app that declares it: ``subject.txt``, either
    ``body.mjml`` or ``body.html``, and ``body.txt`` if the text part shall not be derived from the HTML.

    Args:
        id: Names the e-mail in code and on the wire: small letters, digits, ``-``, ``_`` and ``/``.
        category: ``"transactional"``, ``"journey"`` or the id of a list; decides whose consent is asked.
        name: How people call it in the admin; the id if empty.
        sample: Every value the templates use, for previews and for ``manage.py check``.
        subject: Replaces ``subject.txt``; plain words, no template.

    Raises InvalidEmailError, or DuplicateIdError when the id is taken.

    Example:
        >>> with registry.scratch():
        ...     hello = Email("hello", category="journey", sample={"product": "Acme"})
        >>> hello.name
        'hello'
    """

    id: str = field(kw_only=False)
    category: str
    name: str = ""
    sample: Mapping[str, Any] = field(default_factory=dict)
    subject: str | None = None

    def __post_init__(self) -> None:
        if not EMAIL_ID.fullmatch(self.id):
            raise InvalidEmailError(
                f"The e-mail id {self.id!r} is not usable; take small letters, digits, '-', '_' and '/', "
                "beginning with a letter or digit."
            )
        if not self.category:
            raise InvalidEmailError(f"The e-mail {self.id!r} needs a category: transactional, journey or a list's id.")
        if not self.name:
            object.__setattr__(self, "name", self.id)
        registry.add(self.id, self, declared_at(depth=2))

    @property
    def folder(self) -> str:
        """Where its templates stand, below an app's ``templates`` directory."""
        return f"emails/{self.id}"


registry: Registry[Email] = Registry("e-mail")
