"""PILOT_ORIGINS: pages that may ask from a browser, as CORS has it (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

import contextlib
from collections.abc import Iterator

import httpx
import psutil
import pytest

from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack

PAGE, OTHER_PAGE = "https://chat.example", "http://localhost:3000"
NAMED = ", ".join((PAGE, OTHER_PAGE, f"https://{'a' * 60}.{'b' * 60}.example:8443", "http://[::1]:3000"))
A_KEY = "correct-horse-battery-1"
ASK = {"model": "pilot", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
PATHS = ("/v1/chat/completions", "/v1/messages", "/anthropic/v1/messages")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with keys that two pages may ask."""
    with (
        FakeAnthropic() as fake,
        Stack(
            ANTHROPIC_API_KEY=KEY,
            ANTHROPIC_BASE_URL=fake.base_url,
            PILOT_KEYS=A_KEY,
            PILOT_ORIGINS=NAMED,
        ) as stack,
    ):
        yield stack


def ask(stack: Stack, path: str = PATHS[0], origin: str = PAGE, key: str = A_KEY) -> httpx.Response:
    headers = {"Origin": origin, "Authorization": f"Bearer {key}"}
    return stack.client.post(path, json=ASK, headers=headers)


@pytest.mark.parametrize("origin", NAMED.split(", "))
@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_needs_no_key(stack: Stack, path: str, origin: str) -> None:
    """A browser sends none with it; what it asks for is allowed to the pages that are named."""
    wanted = "authorization, content-type, x-stainless-lang"
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted}
    reply = stack.client.options(path, headers=asked)
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == origin
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-allow-headers"] == wanted
    assert "Origin" in reply.headers["vary"]


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_may_be_read_by_the_page(stack: Stack, path: str) -> None:
    """Once, and its headers too; Claude is asked as from no page at all, which it would refuse."""
    reply = ask(stack, path)
    assert (reply.status_code, reply.headers["x-served-by"]) == (200, "claude")
    assert reply.headers.get_list("access-control-allow-origin") == [PAGE]
    assert reply.headers["access-control-expose-headers"] == "*"


def test_an_error_may_be_read_by_the_page(stack: Stack) -> None:
    """Whoever refuses: nginx for want of a key, or the gateway for a body."""
    for refused, status in (
        (ask(stack, key="wrong-key-0123456789"), 401),
        (stack.client.post(PATHS[0], json={}, headers={"Origin": PAGE, "Authorization": f"Bearer {A_KEY}"}), 400),
        (stack.client.delete("/v1/models", headers={"Origin": PAGE, "Authorization": f"Bearer {A_KEY}"}), 405),
        (stack.client.request("PURGE", "/v1/models", headers={"Origin": PAGE}), 405),
    ):
        assert refused.status_code == status
        assert refused.headers.get_list("access-control-allow-origin") == [PAGE]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://chat.example.evil", "http://chat.example", "https://chatXexample", "null"],
)
def test_another_page_is_told_nothing(stack: Stack, origin: str) -> None:
    """Its preflight is refused as ever, and its answers carry nothing."""
    preflight = stack.client.options(PATHS[0], headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 401
    for reply in (preflight, ask(stack, origin=origin)):
        assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_without_the_setting_nothing_is_different(keyless: Stack) -> None:
    """The default: a preflight is a method that is not possible, and no page may read an answer."""
    preflight = keyless.client.options(PATHS[0], headers={"Origin": PAGE, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 405
    for reply in (preflight, keyless.client.get("/v1/models", headers={"Origin": PAGE})):
        assert not [name for name in reply.headers if name.startswith("access-control-")]
        assert "origin" not in reply.headers.get("vary", "").lower()


def test_a_page_is_answered_while_the_gateway_is_down(stack: Stack) -> None:
    """nginx allows it, and asks the backends itself."""
    gateway = stack.room("gateway")
    gateway.suspend()
    try:
        reply = ask(stack)  # one that had gone in before the silence was noticed waits for the watchdog
        assert reply.status_code == 200
        assert reply.headers.get_list("access-control-allow-origin") == [PAGE]
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):  # the watchdog's work
            gateway.resume()
