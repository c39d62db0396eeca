"""Chromium, and a window of it in which an administrator is logged in."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct horse battery"

StaffWindow = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is missing; get it with: apt-get install chromium")
    # Playwright runs an event loop in this thread, which makes Django suspect that our queries block it.
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def staff_window(browser: Browser, live_server) -> StaffWindow:
    """Open a window with the given options, logged in as an administrator; no script of its pages may fail."""

    @contextmanager
    def opened(**options: Any) -> Iterator[Page]:
        User.objects.create_superuser("grace", password=PASSWORD)
        context = browser.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(20_000)
        page = context.new_page()
        trouble: list[str] = []
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.goto("/admin/")
        page.fill("input[name=username]", "grace")
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        expect(page).to_have_title(re.compile("Overview"))
        yield page
        context.close()
        assert trouble == []

    return opened


@pytest.fixture(params=[390, 1360])
def page(staff_window, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A logged-in administrator's window, as wide as a phone and as a desk."""
    scheme = "dark" if os.environ.get("DARK") else "light"
    with staff_window(viewport={"width": request.param, "height": 844}, color_scheme=scheme) as opened:
        yield opened
