"""Callers with keys of their own: what one of them does takes nothing from the others, and is known by its name."""

import contextlib
import json
import re
import socket
from collections.abc import Iterator

import httpx
import pytest

from stack import Stack, wait_for

PHONE, LAPTOP = "correct-horse-battery-phone", "correct-horse-battery-2"
PLACES = 6
OF_ONE_NAME = PLACES // 2
WRONG = "wrong-horse-battery-1"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A key with a name and one without, and few places."""
    keys = f"phone:{PHONE},{LAPTOP}"
    with Stack(PILOT_KEYS=keys, PILOT_CONCURRENCY=str(PLACES), PILOT_STATUS_PUBLIC="1") as stack:
        yield stack


def ask(stack: Stack, key: str, question: str = "Hi", **headers: str) -> httpx.Response:
    """One short answer."""
    return stack.ask(question, max_tokens=2, headers={"x-api-key": key, **headers})


@contextlib.contextmanager
def unfinished(stack: Stack, key: str, length: int, many: int) -> Iterator[list[socket.socket]]:
    """As many requests whose body stops after its first byte."""
    head = f"POST /v1/messages HTTP/1.1\r\nHost: pilot\r\nx-api-key: {key}\r\nContent-Length: {length}\r\n\r\n{{"
    with contextlib.ExitStack() as connections:
        crowd = [
            connections.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=30))
            for _ in range(many)
        ]
        for client in crowd:
            client.sendall(head.encode())
        yield crowd


def log(stack: Stack) -> str:
    """What nginx has written."""
    return (stack.run_dir / "logs" / "nginx.log").read_text()


def refused(crowd: list[socket.socket]) -> int:
    """How many have been answered, while the others still wait for the rest of their body."""
    count = 0
    for client in crowd:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            count += client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 429"
    return count


def test_one_name_takes_half_of_the_places(stack: Stack) -> None:
    """By bodies that do not come: what is beyond its places is refused, and another key is answered meanwhile."""
    with unfinished(stack, PHONE, 1000, 2 * PLACES) as crowd:
        wait_for("the others are refused", lambda: refused(crowd) == 2 * PLACES - OF_ONE_NAME, 8)
        assert ask(stack, PHONE).status_code == 429
        assert ask(stack, LAPTOP).status_code == 200


def test_a_large_body_takes_a_large_bodys_place_once_it_is_here(stack: Stack) -> None:
    """One that does not come keeps nobody's away, although there is one place for those over 10 MB."""
    with unfinished(stack, LAPTOP, 20_000_000, OF_ONE_NAME) as crowd:
        wait_for("of one name there are two", lambda: refused(crowd) == OF_ONE_NAME - 2, 8)
        assert ask(stack, PHONE, "Hi" * 5_500_000).status_code == 200


def test_what_a_name_asks_is_counted_under_it(stack: Stack) -> None:
    """And under no other one, whatever the client says of itself."""

    def counted() -> dict[str, float]:
        lines = re.findall(r'\npilotlight_caller_requests_total\{caller="(.*)"\} (.*)', stack.metrics("gateway"))
        return {name: float(value) for name, value in lines}

    before = counted()
    assert ask(stack, PHONE, **{"X-Pilot-Caller": "somebody"}).status_code == 200
    assert ask(stack, LAPTOP).status_code == 200
    now = counted()
    assert {name: now[name] - before.get(name, 0) for name in now} == {"phone": 1, "key2": 1}


def test_the_log_names_who_asked(stack: Stack) -> None:
    """By the name of the key; by the address where there is none. It never has the key."""
    assert ask(stack, PHONE).status_code == 200
    assert stack.client.get("/v1/models", headers={"x-api-key": WRONG}).status_code == 401
    assert stack.client.get("/status").status_code == 200
    with httpx.Client(base_url=stack.url, trust_env=False) as browser:
        assert browser.post("/session", data={"key": LAPTOP}).status_code == 303
        assert browser.get("/v1/models").status_code == 200
    lines = (
        r"POST /v1/chat/completions 200 .* phone",
        r"GET /v1/models 401 .* from 127\.0\.0\.1",
        r"GET /v1/models 200 .* key2",
        r"GET /status 200 .* [0-9a-f]{32}",
    )

    def all_there() -> bool:
        return all(re.search(rf"{line}$", log(stack), re.MULTILINE) for line in lines)

    wait_for("all lines", all_there)
    assert PHONE not in log(stack)
    assert WRONG not in log(stack)


@pytest.mark.parametrize(("path", "form"), [("/v1/responses", "openai"), ("/v1/messages", "anthropic")])
def test_who_guesses_keys_is_slowed(stack: Stack, path: str, form: str) -> None:
    """A crowd of wrong keys from one address meets a 429 in words, and a right one from there is answered."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: pilot\r\nx-api-key: {WRONG}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )

    def guess_all_at_once() -> bytes | None:
        with contextlib.ExitStack() as connections:
            crowd = [
                connections.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=30))
                for _ in range(250)
            ]
            for client in crowd:
                client.sendall(head.encode())
            answers = [client.makefile("rb").read() for client in crowd]
        assert {answer[:12] for answer in answers} <= {b"HTTP/1.1 401", b"HTTP/1.1 429"}
        return next((answer for answer in answers if answer.startswith(b"HTTP/1.1 429")), None)

    answer = wait_for("a 429", guess_all_at_once, 60)  # again, when this machine is too slow to be too fast
    assert answer is not None
    assert ask(stack, PHONE).status_code == 200
    said, _, body = answer.partition(b"\r\n\r\n")
    document = json.loads(body)
    assert document["error"]["type"] == "rate_limit_error"
    assert "wrong keys" in document["error"]["message"]
    assert (document.get("type") == "error") == (form == "anthropic")
    assert re.search(rb"Retry-After: [1-9]", said)
    wait_for("it is counted", lambda: re.search(rf'{form}",status="401"\}} [1-9]', stack.metrics("gateway")))
    wait_for("it is logged", lambda: re.search(rf"{path} 429 .* from 127\.0\.0\.1$", log(stack), re.MULTILINE))


def test_readers_without_a_key_leave_places(stack: Stack) -> None:
    """Of the status' events: however many of them listen, who has a key is let in."""

    def listen(key: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", stack.port), timeout=30)
        client.sendall(f"GET /status/events HTTP/1.1\r\nHost: pilot\r\n{key}\r\n".encode())
        return client

    with contextlib.ExitStack() as connections:
        anonymous = [connections.enter_context(listen("")) for _ in range(70)]
        statuses = [client.recv(12).decode() for client in anonymous]
        assert set(statuses) == {"HTTP/1.1 200", "HTTP/1.1 503"}
        operator = connections.enter_context(listen(f"x-api-key: {PHONE}\r\n"))
        assert operator.recv(12) == b"HTTP/1.1 200"


def test_a_name_is_no_key(stack: Stack) -> None:
    """What stands before the colon, or with it, opens nothing."""
    for sent in ("phone", f"phone:{PHONE}", "key2", ""):
        answer = stack.client.get("/v1/models", headers={"x-api-key": sent})
        assert answer.status_code == 401, sent
    assert json.loads(answer.content)["error"]["type"] == "authentication_error"
