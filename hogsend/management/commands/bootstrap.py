"""`manage.py bootstrap`: migrate, load the schedules, make the first credentials of a development stack."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from ops import catalogue
from ops.bootstrap import ensure_credentials
from ops.migrating import alone, bring_up_to_date

REFUSED = (
    "HOGSEND_ENV is production, and there bootstrap makes no credentials. Run `manage.py bootstrap --no-credentials` "
    "to migrate and load the schedules, then `manage.py createsuperuser` and `manage.py create_api_key`."
)


class Command(BaseCommand):
    help = (
        "Migrate the database, load the missing schedules and, outside production, create the first administrator "
        "and two API keys. Prints one JSON document. Running it again changes nothing."
    )
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        default = settings.HOGSEND_STATE_DIR / "dev.json"
        parser.add_argument("--state-file", type=Path, default=default, help=f"where they go (default {default})")
        parser.add_argument("--base-url", default=settings.API_PUBLIC_URL, help="what the state file gives as base_url")
        parser.add_argument("--no-credentials", action="store_true", help="only migrate and load the schedules")

    def handle(self, **options: Any) -> None:
        if settings.PRODUCTION and not options["no_credentials"]:
            raise CommandError(REFUSED)
        document: dict[str, Any] = {}
        try:
            with alone():
                document["migrations_applied"] = bring_up_to_date()
                if not options["no_credentials"]:
                    state = ensure_credentials(state_file=options["state_file"], base_url=options["base_url"])
                    document |= asdict(state)
        except OperationalError as error:
            raise CommandError(f"The database could not be prepared: {str(error).strip()}") from error
        document["content"] = catalogue.counts()
        self.stdout.write(json.dumps(document, indent=2))
