"""`GET /docs` in a browser: the whole API on a page that needs neither the internet nor a script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from page.watching import PHONE, opened, violations
from stack import Stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One without a key: this page is the same in every state."""
    with Stack() as stack:
        yield stack


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_api_is_described_without_a_script(browser: Browser, stack: Stack, theme: str) -> None:
    """Every operation, on a phone, with nothing from elsewhere and nothing that axe-core finds wrong."""
    document = stack.client.get("/openapi.json").json()
    with browser.new_context() as context:
        asked: list[str] = []
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{stack.url}/docs")
        assert all(url.startswith(stack.url) for url in asked)
        assert f"{stack.url}/page/reference.css" in asked
    with opened(browser, f"{stack.url}/docs", viewport=PHONE, color_scheme=theme, java_script_enabled=False) as page:
        for path, item in document["paths"].items():
            method = "POST" if "post" in item else "GET"
            expect(page.get_by_role("heading", name=f"{method} {path}", exact=True)).to_be_visible()
        page.get_by_role("link", name="ChatCompletionRequest").click()
        assert page.url.endswith("#shape-ChatCompletionRequest")
    with opened(browser, f"{stack.url}/docs", viewport=PHONE, color_scheme=theme) as page:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
