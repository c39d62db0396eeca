"""What every page has to do on every screen."""

import os

from playwright.sync_api import Page

SHOTS = os.environ.get("SHOTS")


def fits(page: Page, name: str) -> None:
    """The page does not scroll sideways; with SHOTS set, keep a picture of it."""
    page.wait_for_load_state()
    if SHOTS:
        width = (page.viewport_size or {}).get("width")
        page.screenshot(path=f"{SHOTS}/{name}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, name
