"""PILOT_KEYS and the page: nothing without a key, a cookie for browsers, and what PILOT_STATUS_PUBLIC opens."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from page.watching import PHONE, opened, violations, wait_for_brain
from stack import Stack

KEYS = ("correct-horse-battery-1", "correct.horse~battery_2")
PATHS = ("/", "/status", "/status/events", "/status/fragment", "/status/badge.svg", "/pilot-light.js", "/page/page.js")


@pytest.fixture(scope="module", params=["0", "1"], ids=["shut", "public"])
def public(request: pytest.FixtureRequest) -> str:
    """PILOT_STATUS_PUBLIC."""
    return str(request.param)


@pytest.fixture(scope="module")
def guarded(public: str) -> Iterator[Stack]:
    """A stack with keys, and PILOT_STATUS_PUBLIC off and on."""
    with Stack(PILOT_KEYS=", ".join(KEYS), PILOT_STATUS_PUBLIC=public) as stack:
        yield stack


def first_bytes(stack: Stack, path: str, **headers: str) -> tuple[int, str]:
    """The status and, for a stream, its first event."""
    with stack.client.stream("GET", path, headers=headers) as answer:
        if answer.headers["content-type"].startswith("text/event-stream"):
            text = ""
            for piece in answer.iter_text():
                text += piece
                if "data: {" in text and text.endswith("\n\n"):
                    break
            return answer.status_code, text
        return answer.status_code, answer.read().decode()


def test_without_a_key(guarded: Stack, public: str) -> None:
    """Shut: the same 401 for every path. Public: the light, and of the facts only brain, since and ready."""
    if public == "0":
        assert {first_bytes(guarded, path) for path in PATHS} == {first_bytes(guarded, "/status/nothing")}
        assert first_bytes(guarded, "/status")[0] == 401
    else:
        answers = {path: first_bytes(guarded, path) for path in PATHS}
        assert {status for status, _ in answers.values()} == {200}
        assert set(guarded.status()) == {"version", "active_backend", "since", "ready"}
        facts = "".join(text for path, (_, text) in answers.items() if path.startswith("/status"))
        for secret in ("SmolLM2", "no_key", "API key", "queue", "context_tokens"):
            assert secret not in facts
    for path in ("/v1/models", "/metrics", "/readyz", "/docs", "/openapi.json", "/page/../v1/models"):
        assert guarded.client.get(path).status_code == 401
    assert guarded.client.get("/status", headers={"X-Pilot-View": "full"}).json().get("claude") is None


def test_a_key_opens_everything(guarded: Stack) -> None:
    """By header, as for the API; the public view is for those without one."""
    for path in PATHS:
        status, text = first_bytes(guarded, path, **{"x-api-key": KEYS[1]})
        assert status == 200
        if path in ("/status", "/status/events"):
            assert "no_key" in text


def test_the_key_form_is_one_constant_page(guarded: Stack) -> None:
    """For a browser the 401 is a form: the same everywhere, without a script, and nothing in it but itself."""
    html = {"Accept": "text/html,application/xhtml+xml"}
    answers = [guarded.client.get(path, headers=html) for path in ("/nothing", "/v1/models", "/session")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert "<script" not in answers[0].text
    assert "unsafe" not in answers[0].headers["Content-Security-Policy"]


@pytest.mark.parametrize("key", KEYS)
def test_a_browser_comes_in_by_the_form(browser: Browser, guarded: Stack, key: str) -> None:
    """A wrong key leads back to the form, a right one to the page, alive; the key is in no cookie, address or log."""
    with opened(browser, f"{guarded.url}/session", viewport=PHONE) as page:
        expect(page.locator("h1")).to_have_css("font-size", "28px")  # its style fits its policy
        assert violations(page) == []
        page.fill("#key", "wrong-horse-battery-1")
        page.click("button")
        expect(page.locator("#key")).to_have_value("")
        page.fill("#key", key)
        page.click("button")
        wait_for_brain(page, "local")
        assert page.url == f"{guarded.url}/"
        expect(page.locator("#ask-section")).to_be_visible()
        page.fill("#question", "Hello?")
        page.press("#question", "Enter")
        expect(page.locator("#answered-by")).to_contain_text("Answered by the local model", timeout=60_000)
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert re.fullmatch("[0-9a-f]{64}", cookie["value"])
    for log in (guarded.run_dir / "logs").iterdir():
        assert key not in log.read_text(errors="replace")


def test_a_cookie_writes_for_our_own_page_only(guarded: Stack) -> None:
    """What another site's page would send is refused, however it came by the cookie; a made-up cookie is nothing."""
    with httpx.Client(base_url=guarded.url, trust_env=False, timeout=60) as visitor:
        answer = visitor.post("/session", data={"key": KEYS[0]})
        assert answer.status_code == 303
        body = {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2}
        for site, status in (("same-origin", 200), ("cross-site", 401), ("same-site", 401)):
            sent = visitor.post("/v1/chat/completions", json=body, headers={"Sec-Fetch-Site": site})
            assert sent.status_code == status
        assert "claude" in visitor.get("/status", headers={"Sec-Fetch-Site": "cross-site"}).json()
    made_up = httpx.get(f"{guarded.url}/v1/models", headers={"Cookie": f"pilot_session={'0' * 64}"}, trust_env=False)
    assert made_up.status_code == 401


@pytest.mark.parametrize("body", ["key=", "key=wrong-horse-battery-1", "key=a%0d%0aX: y" + "b" * 20, "x" * 3000, ""])
def test_what_is_no_key_gets_no_cookie(guarded: Stack, body: str) -> None:
    """Refused, whatever it is."""
    answer = guarded.client.post("/session", content=body)
    assert answer.status_code in (401, 413)
    assert "set-cookie" not in answer.headers


def test_the_public_page_shows_the_light_and_no_more(browser: Browser, guarded: Stack, public: str) -> None:
    """Which brain and since when; no reason, no model, no box, and a way in."""
    if public == "0":
        pytest.skip("without PILOT_STATUS_PUBLIC there is no such page")
    with opened(browser, guarded.url, viewport=PHONE) as page:
        wait_for_brain(page, "local")
        expect(page.locator("#since")).to_be_visible()
        expect(page.locator("#sign-in")).to_be_visible()
        for hidden in ("#model", "#why", "#day-section", "#facts-section", "#ask-section"):
            expect(page.locator(hidden)).to_be_hidden()
        assert violations(page) == []
