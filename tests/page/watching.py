"""How the tests look at the page: opening it, waiting for it, judging its accessibility."""

import contextlib
from collections.abc import Iterator
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types
from playwright.sync_api import Browser, Page, expect

PATIENCE_MILLISECONDS = 40_000
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1000, "height": 800}


@contextlib.contextmanager
def opened(browser: Browser, url: str, **context: Any) -> Iterator[Page]:
    """A page in a context of its own; anything that the console calls an error, and any request elsewhere, fails it."""
    with browser.new_context(**context) as fresh:
        page = fresh.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Security Policy" in said.text else None)
        page.goto(url)
        yield page
        assert complaints == []


def wait_for_brain(page: Page, brain: str) -> None:
    """Until the page shows this brain."""
    expect(page.locator("body")).to_have_attribute("data-brain", brain, timeout=PATIENCE_MILLISECONDS)


def wait_for_contact(page: Page, contact: str) -> None:
    """Until the page says `live` or `lost`."""
    expect(page.locator("body")).to_have_attribute("data-contact", contact, timeout=PATIENCE_MILLISECONDS)


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, one line for each rule."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}" for rule in found]
