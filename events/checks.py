"""``manage.py check``: the secret of every webhook source can be read, and can be one of its scheme."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from events.sources.definitions import SECRET_ENDS, WebhookSource, registry
from events.sources.schemes import Proof, UnusableSecretError


def check_webhook_sources(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report sources that would stay closed whatever their sender does."""
    del app_configs, kwargs
    return [error for source in registry for error in _errors(source)]


def _errors(source: WebhookSource) -> Iterator[CheckMessage]:
    if source.secret and not source.secret.endswith(SECRET_ENDS):
        yield _error(
            source,
            f"the name of its secret, {source.secret!r}, does not end in {SECRET_ENDS}, so it is never read.",
            hint=f"Call the variable something like {source.id.upper().replace('-', '_')}{SECRET_ENDS}.",
            number=1,
        )
    if secret := settings.WEBHOOK_SECRETS.get(source.secret):
        try:
            source.verify.check(Proof({}, b"", datetime.now(UTC)), secret)
        except UnusableSecretError as error:
            yield _error(
                source,
                f"{source.secret} does not hold a secret of its scheme: {error}",
                hint="Copy the secret once more from the page of the sender.",
                number=2,
            )


def _error(source: WebhookSource, sentence: str, *, hint: str, number: int) -> Error:
    place = registry.source(source.id)
    return Error(
        f"Webhook source {source.id!r}: {sentence}",
        hint=hint,
        obj=f"{place.file}:{place.line}" if place else source.id,
        id=f"events.E{number:03}",
    )
