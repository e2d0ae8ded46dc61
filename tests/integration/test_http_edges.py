"""The edges of HTTP: what nginx itself refuses is refused in the caller's dialect, and HEAD is answered."""

import concurrent.futures
import json
import socket

import httpx
import pytest

from stack import Stack

REFUSED = [
    # why it exists, request line, header lines, status, Allow
    ("TRACE", "TRACE /status HTTP/1.1", "", 405, "GET, HEAD"),
    ("TRACE of what is posted", "TRACE /v1/chat/completions?x HTTP/1.1", "", 405, "POST"),
    ("TRACE of a Message", "TRACE /v1/messages HTTP/1.1", "", 405, "POST"),
    ("a proxy's method", "CONNECT /v1/models HTTP/1.1", "", 405, "GET, HEAD"),
    ("no method at all", "HELLO /v1/models HTTP/1.1", "", 405, "GET, HEAD"),
    ("nginx's own locations", "GET /.nobody HTTP/1.1", "", 404, None),
    ("a path that is not ASCII", "GET /v1/models/\xff HTTP/1.1", "", 400, None),
    ("a query that is not ASCII", "POST /v1/messages?x=\xe2\x82\xac HTTP/1.1", "", 400, None),
    ("an unknown coding", "POST /v1/messages HTTP/1.1", "Transfer-Encoding: gzip\r\n", 400, None),
    ("an unknown version", "GET /status HTTP/3.0", "", 400, None),
    ("a NUL in the path", "GET /v1/models/%00 HTTP/1.1", "", 400, None),
]


READ = ("/", "/status", "/status/badge.svg", "/v1/models", "/healthz", "/readyz", "/docs", "/openapi.json")


SAME_PATHS = [
    # why it exists, as it is asked, served as
    ("a base URL that ends with a slash", "POST //v1/chat/completions", 200),
    ("a path that does", "POST /v1/chat/completions/", 200),
    ("both, with a query that has slashes too", "POST //v1//messages/?beta=//true/", 200),
    ("a dialect's own base URL", "POST /anthropic//v1/messages/", 200),
    ("tokens counted", "POST /v1/messages/count_tokens/", 200),
    ("models listed", "GET /v1/models/", 200),
    ("the page's document", "GET //status/", 200),
    ("documentation", "GET /docs/", 200),
    ("two slashes are the root", "GET //", 200),
    ("nginx' own location", "GET /.nobody/", 404),
    ("nginx' own location, behind a step back", "GET /v1/../.liveness/", 404),
    ("nothing", "GET /v1/nothing/", 404),
]


@pytest.mark.parametrize("path", READ)
def test_what_can_be_read_can_be_looked_at(keyless: Stack, path: str) -> None:
    """HEAD, by which many a monitor asks whether a service is up: GET's head, and no body."""
    head, whole = keyless.client.head(path), keyless.client.get(path)
    assert (head.status_code, head.headers["content-type"]) == (200, whole.headers["content-type"])
    assert (head.content, bool(whole.content)) == (b"", True)
    assert keyless.client.delete(path).headers["allow"] == "GET, HEAD"


def raw(stack: Stack, head: str) -> tuple[int, dict[str, str], bytes]:
    """What comes back for these bytes, which no HTTP client would send."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as connection:
        connection.sendall(head.encode("latin-1"))
        with connection.makefile("rb") as answer:
            first, *lines = iter(lambda: answer.readline().decode().strip(), "")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            return int(first.split()[1]), headers, answer.read(int(headers["content-length"]))


@pytest.mark.parametrize(("why", "line", "headers", "status", "allow"), REFUSED, ids=[case[0] for case in REFUSED])
def test_the_edge_refuses_in_the_callers_dialect(
    keyless: Stack, why: str, line: str, headers: str, status: int, allow: str | None
) -> None:
    """JSON, in the shape that the path's clients read, with `Allow` where RFC 9110 demands it."""
    got, head, body = raw(keyless, f"{line}\r\nHost: pilot\r\n{headers}Connection: close\r\n\r\n")
    assert (got, head["content-type"], head.get("allow")) == (status, "application/json", allow)
    document = json.loads(body)
    assert document["error"]["type"] == ("not_found_error" if status == 404 else "invalid_request_error")
    assert (document.get("type") == "error") == ("/v1/messages" in line)


@pytest.mark.parametrize(("why", "line", "status"), SAME_PATHS, ids=[case[0] for case in SAME_PATHS])
def test_a_slash_too_many_changes_nothing(keyless: Stack, why: str, line: str, status: int) -> None:
    """Answered as the path without it, as api.openai.com does; never by a redirect, which leads to another port."""
    method, _, path = line.partition(" ")
    body = json.dumps({"model": "local", "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]})
    sent = body if method == "POST" else ""
    head = f"Host: pilot\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\nConnection: close\r\n\r\n"
    got, _, _ = raw(keyless, f"{method} {path} HTTP/1.1\r\n{head}{sent}")
    assert got == status


def test_small_bodies_without_a_length_count_by_their_size(keyless: Stack) -> None:
    """Many at once are let in, although a body over 10 MB has one place; nothing of it has been said beforehand."""
    body = json.dumps({"model": "local", "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]}).encode()

    def ask(_: int) -> int:
        headers = {"Content-Type": "application/json"}
        return httpx.post(
            f"{keyless.url}/v1/chat/completions", content=iter([body]), headers=headers, timeout=60, trust_env=False
        ).status_code

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(12))) == [200] * 12


def test_large_bodies_without_a_length_count_by_theirs(keyless: Stack) -> None:
    """Of six at once with over 10 MB each some are refused, in the caller's dialect."""
    message = {"model": "local", "max_tokens": 2, "messages": [{"role": "user", "content": "Hi" * 5_500_000}]}
    body = json.dumps(message).encode()

    def ask(_: int) -> httpx.Response:
        pieces = (body[at : at + 1_000_000] for at in range(0, len(body), 1_000_000))
        headers = {"Content-Type": "application/json"}
        return httpx.post(f"{keyless.url}/v1/messages", content=pieces, headers=headers, timeout=60, trust_env=False)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        refused = [answer for answer in pool.map(ask, range(6)) if answer.status_code == 429]
    assert refused
    assert {answer.json()["error"]["type"] for answer in refused} == {"rate_limit_error"}
    assert {answer.json()["type"] for answer in refused} == {"error"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/models"])
@pytest.mark.parametrize("character", ["\x01", "\x1f", "\x7f"])
def test_a_control_character_in_a_header_is_the_clients_mistake(keyless: Stack, path: str, character: str) -> None:
    """400 in the dialect of the path, as RFC 9110 has it; and not the sign that a service is down."""
    method = "GET" if path == "/v1/models" else "POST"
    line = f"{method} {path} HTTP/1.1\r\nHost: pilot\r\nX-Odd: a{character}b\r\nContent-Length: 0\r\n"
    got, head, body = raw(keyless, f"{line}Connection: close\r\n\r\n")
    assert (got, head["content-type"]) == (400, "application/json")
    document = json.loads(body)
    assert document["error"]["type"] == "invalid_request_error"
    assert (document.get("type") == "error") == (path == "/v1/messages")
