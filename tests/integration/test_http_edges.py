"""The edges of HTTP: what nginx itself refuses is refused in the caller's dialect, and HEAD is answered."""

import json
import socket

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
