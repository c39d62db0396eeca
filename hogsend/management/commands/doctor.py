"""`manage.py doctor`: is everything well, and if not, what to do."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from ops.doctor import examine, examine_remote

MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


class Command(BaseCommand):
    help = "Examine the installation, or with --url a running stack, and say what to do. Exit 0 only when all is well."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", help="examine the stack that answers here instead of this installation")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, **options: Any) -> None:
        findings = examine_remote(options["url"]) if options["url"] else examine()
        well = all(finding.level != "problem" for finding in findings)
        if options["json"]:
            document = {"ok": well, "findings": [asdict(finding) for finding in findings]}
            self.stdout.write(json.dumps(document, indent=2))
        else:
            for finding in findings:
                self.stdout.write(f"{MARKS[finding.level]}{finding.part:<14}{finding.sentence}")
            self.stdout.write("\nAll is well." if well else "\nSomething must be done; see the lines marked PROBLEM.")
        if not well:
            raise SystemExit(1)
