"""The page in Chromium, in each of its states; `make screenshots` keeps what it looks like."""

import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fake_anthropic.process import FakeAnthropic
from page.watching import DESKTOP, PATIENCE_MILLISECONDS, PHONE, opened, violations, wait_for_brain, wait_for_contact
from stack import REPOSITORY, Stack, wait_for

SCREENSHOTS = REPOSITORY / "docs" / "screenshots"
LOOKS = [(theme, size) for theme in ("light", "dark") for size in ("desktop", "phone")]


def inspect(page: Page, state: str) -> None:
    """No accessibility violation and no sideways scrolling in either theme, on a desk and on a phone."""
    for theme, size in LOOKS:
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
        page.set_viewport_size(DESKTOP if size == "desktop" else PHONE)  # type: ignore[arg-type]  # two known sizes
        assert violations(page) == [], f"{state}, {theme}, {size}"
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{state}, {theme}, {size}: {wide} px too wide"
        if os.environ.get("KEEP_SCREENSHOTS"):
            SCREENSHOTS.mkdir(exist_ok=True)
            page.screenshot(path=SCREENSHOTS / f"{state}-{theme}-{size}.png", animations="disabled")


def test_claude_and_fallback_and_back_without_a_reload(browser: Browser, lit: Stack, claude: FakeAnthropic) -> None:
    """The page follows an outage live: Claude, the small model with the reason and what to do, Claude again."""
    for question in ("Hello.", "How are you?"):
        lit.ask(question)
    with opened(browser, lit.url, viewport=DESKTOP) as page:
        page.evaluate("window.never_reloaded = true")
        wait_for_brain(page, "claude")
        expect(page.locator("h1")).to_have_text("Claude is answering")
        expect(page.locator("#model")).to_have_text("claude-sonnet-5-5")
        expect(page.locator("#why")).to_be_hidden()
        inspect(page, "claude")
        claude.script(status=401)
        asked = time.monotonic()
        lit.ask("Is the key still good?")
        wait_for_brain(page, "local")
        print(f"asked to shown: {time.monotonic() - asked:.2f} s")
        expect(page.locator("#what")).to_have_text("Anthropic rejected the API key.")
        expect(page.locator("#do")).to_contain_text("I will notice within seconds")
        expect(page.locator("#model")).to_have_text("SmolLM2-135M-Instruct")
        expect(page.locator("#failover")).to_contain_text("just now")
        inspect(page, "local")
        claude.reset()
        wait_for_brain(page, "claude")
        expect(page.locator("#failback")).to_contain_text("just now")
        assert page.evaluate("window.never_reloaded")


def test_nobody(browser: Browser, lit: Stack, claude: FakeAnthropic) -> None:
    """With both brains away the flame is out, and the page says of both why."""
    with opened(browser, lit.url, viewport=DESKTOP) as page:
        wait_for_brain(page, "claude")
        claude.script(refuse=True)
        lit.supervise("stop", "local-llm")
        try:
            lit.ask("Anybody?")
            wait_for_brain(page, "none")
            expect(page.locator("h1")).to_have_text("Nobody can answer right now")
            expect(page.locator("#what")).to_contain_text("The local model is not ready either.")
            expect(page.locator("#parachute")).to_have_text("not ready")
            inspect(page, "nobody")
            page.fill("#question", "Anybody there?")
            page.press("#question", "Enter")
            expect(page.locator("#answered-by")).to_contain_text("Nobody can answer right now")
        finally:
            claude.reset()
            lit.supervise("start", "local-llm")
        wait_for_brain(page, "claude")


def test_lost_contact_is_said_and_mends_itself(browser: Browser, lit: Stack) -> None:
    """A stopped gateway ends its streams at once; the page says so, and is live again without a reload."""
    with opened(browser, lit.url, viewport=DESKTOP) as page:
        page.evaluate("window.never_reloaded = true")
        wait_for_contact(page, "live")
        began = time.monotonic()
        lit.supervise("stop", "gateway")
        try:
            assert time.monotonic() - began < 15  # uvicorn would wait 25 s for an open stream
            wait_for_contact(page, "lost")
            expect(page.locator("#lost")).to_contain_text("I have lost contact with Pilot Light.")
            expect(page.locator("#since")).to_contain_text("Last known: Claude is answering")
            inspect(page, "lost")
        finally:
            lit.supervise("start", "gateway")
        wait_for_contact(page, "live")
        expect(page.locator("#lost")).to_be_hidden()
        assert page.evaluate("window.never_reloaded")


@pytest.mark.parametrize("brain", ["claude", "local"])
def test_the_ask_box(browser: Browser, lit: Stack, claude: FakeAnthropic, brain: str) -> None:
    """By keyboard alone: the answer streams in as text, and its author is named."""
    with opened(browser, lit.url, viewport=PHONE) as page:
        wait_for_brain(page, "claude")
        if brain == "local":
            claude.script(status=500)
        else:
            claude.script(text="<b>not bold</b>")
        page.focus("#question")
        page.keyboard.type("What is the capital of France?")
        page.keyboard.press("Enter")
        by = "Claude (claude-sonnet-5-5)" if brain == "claude" else "the local model (SmolLM2-135M-Instruct)"
        expect(page.locator("#answered-by")).to_have_text(f"Answered by {by}.", timeout=2 * PATIENCE_MILLISECONDS)
        if brain == "claude":
            expect(page.locator("#answer")).to_have_text("<b>not bold</b>")
        assert len(page.locator("#answer").inner_text()) > 5
        assert violations(page) == []
        assert page.locator("#question").get_attribute("maxlength") == "2000"


def test_markup_from_outside_shows_as_text(browser: Browser, lit: Stack) -> None:
    """A model name and a detail that hold HTML are shown, not obeyed."""
    evil = '<img src=x onerror="window.hurt=1"><b>model</b>'
    with opened(browser, lit.url, viewport=PHONE) as page:
        wait_for_brain(page, "claude")
        status = lit.status() | {"model": evil, "active_backend": "local"}
        status["words"] = {"headline": evil, "what": evil, "do": evil}
        status["local"]["model"] = evil
        page.evaluate("status => render(status)", status)
        for place in ("headline", "model", "what", "do"):
            assert page.locator(f"#{place}").inner_text() == evil
        assert page.locator("main img, main b").count() == 0
        assert page.evaluate("window.hurt") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_what_was_held_back_for_claude_shows(browser: Browser, lit: Stack) -> None:
    """A line with how many, and none while there is nothing to say."""
    with opened(browser, lit.url, viewport=PHONE) as page:
        wait_for_brain(page, "claude")
        status = lit.status()
        page.evaluate("status => render(status)", status | {"refused_side_tasks": 3})
        expect(page.locator("#held-back")).to_have_text("Held back for Claude alone, and refused: 3.")
        page.evaluate("status => render(status)", status | {"refused_side_tasks": 0})
        expect(page.locator("#held-back")).to_be_hidden()


def test_the_history_survives_a_restart_of_the_gateway(lit: Stack) -> None:
    """Since when, the last changes and the counts are those of before."""
    lit.ask("For the record.")
    before = lit.status()
    lit.supervise("stop", "gateway")
    lit.supervise("start", "gateway")
    wait_for("the gateway is back", lambda: lit.client.get("/status").status_code == 200)
    lit.wait_for_backend("claude")
    after = lit.status()
    assert after["since"] == before["since"]
    assert after["last_failover"] == before["last_failover"]
    assert after["traffic"]["claude"]["requests"] >= before["traffic"]["claude"]["requests"] > 0
    assert after["day"]["kept"] == "disk"
    assert after["day"]["slots"].count("c") > 80  # the day before this stack was started


def test_the_page_is_shut_in(lit: Stack) -> None:
    """Its policy lets in nothing from elsewhere and nothing inline, and there is nothing inline in it."""
    answer = lit.client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert answer.text.count("<script") == answer.text.count("<script src=") == 1
    sources = Path(REPOSITORY / "gateway" / "src" / "gateway" / "status" / "page").glob("*")
    assert [file.name for file in sources if "innerHTML" in file.read_text() or "https://" in file.read_text()] == []
