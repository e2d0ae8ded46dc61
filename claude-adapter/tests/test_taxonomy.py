"""Whose fault is a failure, and what is it called?"""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from claude_adapter.taxonomy import (
    REASONS,
    ClientError,
    ConnectionProblem,
    Fallback,
    Verdict,
    classify_connection,
    classify_event,
    classify_not_a_stream,
    classify_response,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def error(kind: str, message: str = "no", **details: str) -> bytes:
    body: dict[str, Any] = {"type": kind, "message": message}
    return orjson.dumps({"type": "error", "error": body | ({"details": details} if details else {})})


FALLBACKS: list[tuple[str, int, dict[str, str], bytes, str, float | None]] = [
    ("key refused", 401, {}, error("authentication_error"), "auth", None),
    ("401 from a proxy", 401, {}, b"<html>", "auth", None),
    ("billing", 402, {}, error("billing_error"), "billing", None),
    ("permission", 403, {}, error("permission_error"), "permission", None),
    ("model retired", 404, {}, error("not_found_error", "model: claude-2"), "model_not_found", None),
    ("a 404 that is not the API's", 404, {}, b"404 page not found", "protocol", None),
    ("request timeout", 408, {}, b"", "timeout", None),
    ("rate limit", 429, {"retry-after": "20"}, error("rate_limit_error"), "rate_limit", 20.0),
    ("fraction", 429, {"retry-after": "0.5"}, error("rate_limit_error"), "rate_limit", 0.5),
    ("no retry-after", 429, {}, error("rate_limit_error"), "rate_limit", None),
    ("date", 429, {"retry-after": "Sun, 22 Nov 2026 12:01:00 GMT"}, b"", "rate_limit", 60.0),
    ("date gone by", 429, {"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, b"", "rate_limit", 0.0),
    ("nonsense in retry-after", 429, {"retry-after": "soon"}, b"", "rate_limit", None),
    ("infinite retry-after", 429, {"retry-after": "inf"}, b"", "rate_limit", None),
    (
        "monthly limit",
        429,
        {},
        error("rate_limit_error", "no", error_code="enforced_spend_limit_reached"),
        "quota",
        None,
    ),
    (
        "no credit",
        400,
        {},
        error("invalid_request_error", "Your credit balance is too low to access the API."),
        "billing",
        None,
    ),
    (
        "usage limit",
        400,
        {},
        error("invalid_request_error", "You have reached your specified API usage limits."),
        "quota",
        None,
    ),
    ("spend limit", 400, {}, error("invalid_request_error", "This exceeds the spend limit."), "quota", None),
    ("a 400 that is not the API's", 400, {}, b"<html>Bad Request", "protocol", None),
    ("server error", 500, {}, error("api_error"), "server_error", None),
    ("empty 502", 502, {}, b"", "server_error", None),
    ("503 as HTML", 503, {}, b"<html>", "server_error", None),
    ("gateway timeout", 504, {}, b"", "timeout", None),
    ("overloaded", 529, {}, error("overloaded_error"), "overloaded", None),
    ("overloaded by type", 503, {}, error("overloaded_error"), "overloaded", None),
    ("a CDN's own status", 520, {}, b"", "server_error", None),
    ("redirect to a portal", 302, {"location": "http://portal/"}, b"", "protocol", None),
    ("JSON that is no object", 418, {}, b"[]", "protocol", None),
]


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason", "retry_after"), [c[1:] for c in FALLBACKS], ids=[c[0] for c in FALLBACKS]
)
def test_falls_back(status: int, headers: dict[str, str], body: bytes, reason: str, retry_after: float | None) -> None:
    """A failure that is Claude's or the operator's has a reason, the status, and a sentence to act on."""
    verdict = classify_response(status, headers, body, NOW)
    assert isinstance(verdict, Fallback)
    assert (verdict.reason, verdict.retry_after_seconds, verdict.status) == (reason, retry_after, status)
    assert verdict.reason in REASONS
    assert verdict.detail.endswith((".", "?"))


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, error("invalid_request_error", "max_tokens: too large"), "max_tokens: too large"),
        (404, error("not_found_error", "file_123 not found"), "file_123 not found"),
        (409, error("conflict_error", "busy"), "busy"),
        (413, error("request_too_large", "too big"), "too big"),
        (413, b"<html>", "The request is too large: Claude accepts up to 32 MB."),
        (422, error("unprocessable_entity_error", "odd"), "odd"),
    ],
)
def test_clients_own(status: int, body: bytes, message: str) -> None:
    """The client's own mistake keeps its status and the upstream's words."""
    assert classify_response(status, {}, body) == ClientError(status, message)


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("overloaded_error", "Overloaded", "overloaded"),
        ("api_error", "no", "server_error"),
        ("rate_limit_error", "no", "rate_limit"),
        ("authentication_error", "no", "auth"),
        ("timeout_error", "no", "timeout"),
        ("invalid_request_error", "Your credit balance is too low", "billing"),
        ("something_new", "no", "server_error"),
    ],
)
def test_in_stream_error(kind: str, message: str, expected: str) -> None:
    """An error event inside a stream is judged by its type; an unknown one is Claude's fault."""
    verdict: Verdict = classify_event({"type": "error", "error": {"type": kind, "message": message}})
    assert isinstance(verdict, Fallback)
    assert verdict.reason == expected


def test_in_stream_error_without_a_body() -> None:
    """An error event that says nothing is still an error."""
    assert isinstance(classify_event({"type": "error"}), Fallback)


def test_in_stream_client_error() -> None:
    """The client's mistake stays the client's when it is reported inside a stream."""
    event = {"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}}
    assert classify_event(event) == ClientError(400, "bad")


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        ("refused", "connect"),
        ("reset", "connect"),
        ("dns", "connect"),
        ("tls", "connect"),
        ("unreachable", "connect"),
        ("connect_timeout", "timeout"),
        ("read_timeout", "timeout"),
        ("not_http", "protocol"),
    ],
)
def test_connection(problem: ConnectionProblem, reason: str) -> None:
    """What a connection dies of has a reason, and a detail of its own."""
    assert classify_connection(problem).reason == reason


def test_not_a_stream() -> None:
    """A portal's page in place of an event stream is named as such."""
    verdict = classify_not_a_stream(200, "text/html; charset=utf-8")
    assert verdict.reason == "protocol"
    assert "text/html" in verdict.detail
