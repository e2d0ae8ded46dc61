"""Everything has a bound, and at a bound there is a sentence."""

import concurrent.futures
import contextlib
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack, wait_for

PLACES = 6


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(fake: FakeAnthropic) -> Iterator[Stack]:
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=fake.base_url, PILOT_CONCURRENCY=str(PLACES)) as stack:
        stack.wait_for_backend("claude", 30)
        yield stack


def ask_at_once(stack: Stack, people: int, question: str, path: str = "/v1/chat/completions") -> list[httpx.Response]:
    """All at the same time, each on a connection of his own."""
    body = {"model": "pilot", "messages": [{"role": "user", "content": question}], "max_tokens": 8}

    def ask(_: int) -> httpx.Response:
        return httpx.post(f"{stack.url}{path}", json=body, timeout=60, trust_env=False)

    with concurrent.futures.ThreadPoolExecutor(people) as pool:
        return list(pool.map(ask, range(people)))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"], ids=["openai", "anthropic"])
def test_twice_as_many_as_there_are_places(stack: Stack, fake: FakeAnthropic, path: str) -> None:
    """As many as there are places are answered in full; the others hear at once, in their dialect, when to return."""
    fake.script(chunk_interval_seconds=0.3)
    responses = ask_at_once(stack, 2 * PLACES, "A crowd.", path)
    fake.reset()
    statuses = Counter(response.status_code for response in responses)
    assert set(statuses) == {200, 429}
    assert statuses[200] >= PLACES
    for response in responses:
        if response.status_code == 429:
            assert int(response.headers["Retry-After"]) > 0
            error = response.json()
            assert error["error"]["type"] == "rate_limit_error"
            assert "Try again" in error["error"]["message"]
            assert (error.get("type") == "error") == (path == "/v1/messages")
        else:
            assert "A crowd." in response.text


def test_what_the_edge_refuses_is_counted(stack: Stack, fake: FakeAnthropic) -> None:
    """Also by a gateway that has been started anew."""
    gateway = stack.room("gateway")
    gateway.kill()
    wait_for("a new gateway", lambda: stack.room("gateway").pid != gateway.pid)
    stack.wait_for_backend("claude", 30)

    def counted() -> bool:
        fake.script(chunk_interval_seconds=0.3)
        ask_at_once(stack, 2 * PLACES, "A crowd.")
        fake.reset()
        counts = re.findall(r'refusals_total\{dialect="openai",status="429"\} ([1-9])', stack.metrics("gateway"))
        return bool(counts)

    wait_for("refusals are counted", counted)


def test_large_requests_have_fewer_places(stack: Stack, fake: FakeAnthropic) -> None:
    """A body costs the services several times its size."""
    fake.script(chunk_interval_seconds=0.3)
    responses = ask_at_once(stack, PLACES, "x" * 1_100_000)
    fake.reset()
    assert {response.status_code for response in responses} == {200, 429}


@pytest.mark.parametrize(
    "head",
    [f"GET /status HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * 70_000}\r\n\r\n", f"GET /{'x' * 70_000} HTTP/1.1\r\n\r\n"],
    ids=["header", "request line"],
)
def test_a_head_has_a_size(stack: Stack, head: str) -> None:
    """Refused with a sentence, in JSON."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as client:
        client.sendall(head.encode())
        answer = client.makefile("rb").read().decode()
    assert answer.startswith(("HTTP/1.1 400", "HTTP/1.1 414"))
    assert json.loads(answer.partition("\r\n\r\n")[2])["error"]["message"]


def test_who_sends_too_slowly_is_cut_off(stack: Stack) -> None:
    """Of many who send a head byte by byte none keeps a place; and everybody else is answered meanwhile."""
    crowd = [socket.create_connection(("127.0.0.1", stack.port), timeout=30) for _ in range(40)]
    try:
        for client in crowd:
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: ")
        asked = time.monotonic()
        assert stack.ask("In between.").status_code == 200
        assert time.monotonic() - asked < 20
        for client in crowd:
            # nginx hangs up after 10 s; the socket's own 30 would raise.
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
    finally:
        for client in crowd:
            client.close()
