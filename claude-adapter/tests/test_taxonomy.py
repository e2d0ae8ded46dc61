"""Whose fault is a failure, and what is it called?"""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from claude_adapter.availability.reasons import REASONS, Fallback
from claude_adapter.taxonomy import (
    ClientError,
    ConnectionProblem,
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
    ("FastAPI's 404", 404, {}, b'{"detail":"Not Found"}', "protocol", None),
    ("OpenAI's 404", 404, {}, b'{"error":{"message":"Unknown request URL: POST /x","type":"e"}}', "protocol", None),
    ("an OpenAI-like relay's model", 404, {}, b'{"error":{"message":"No such model: x"}}', "model_not_found", None),
    ("the API's 404 for a path", 404, {}, error("not_found_error", "Not Found"), "protocol", None),
    ("the API's 405 for a path", 405, {}, error("invalid_request_error", "Method Not Allowed"), "protocol", None),
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


# As Anthropic wrote it in public reports, which account_errors.py names.
ACCOUNT = [
    (400, "This organization has been disabled.", "permission", "support"),
    (403, "This organization has been disabled.", "permission", "support"),
    (400, "Your account has been disabled after an automatic review of your recent activities.", "permission", "key"),
    (403, "Your account has been suspended.", "permission", "key"),
    (
        400,
        "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
        "permission",
        "ANTHROPIC_API_KEY",
    ),
    (
        400,
        "anthropic-workspace-id is required when authenticating with an identity-linked API key; send the id of it",
        "permission",
        "ANTHROPIC_API_KEY",
    ),
    (
        400,
        "This API key is not scoped to a workspace, so this request must include the anthropic-workspace-id header.",
        "permission",
        "ANTHROPIC_API_KEY",
    ),
    (403, "OAuth authentication is currently not allowed for this organization.", "permission", "ANTHROPIC_API_KEY"),
    (403, "OAuth token has been revoked. Please obtain a new token.", "auth", "key"),
    (401, "OAuth token has expired. Please obtain a new token or refresh your existing token.", "auth", "key"),
    (
        400,
        "Access to Anthropic models is not allowed from unsupported countries, regions, or territories. Please "
        "refer to https://www.anthropic.com/supported-countries for more information.",
        "permission",
        "network",
    ),
    (
        400,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
        "billing",
        "Console",
    ),
    (403, "Your credit balance is too low to access the Anthropic API.", "billing", "Console"),
    (
        400,
        "You have reached your specified API usage limits. You will regain access on 2026-04-01 at 00:00 UTC.",
        "quota",
        "Console",
    ),
    (
        400,
        "You have reached your specified workspace API usage limits. You will regain access on …",
        "quota",
        "Console",
    ),
    (400, "You've hit your monthly spend limit · raise it at claude.ai/settings/usage", "quota", "Raise"),
    (400, "You're out of extra usage. Add more at claude.ai/settings/usage and keep going.", "quota", "settings/usage"),
    (
        400,
        "Third-party apps now draw from your extra usage, not your plan limits. We've added a $20 credit to get you "
        "started. Claim it at claude.ai/settings/usage and keep going.",
        "quota",
        "settings/usage",
    ),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("status", "message", "reason", "to_do"), ACCOUNT, ids=[f"{a[0]} {a[1][:40]}" for a in ACCOUNT]
)
def test_account_and_credential(status: int, message: str, reason: str, to_do: str, streamed: bool) -> None:
    """What the account meets is no client's mistake, also when it is reported as one, and it says what to do."""
    types = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error"}
    body = error(types[status], message)
    verdict = classify_event(orjson.loads(body)) if streamed else classify_response(status, {}, body)
    assert isinstance(verdict, Fallback)
    assert (verdict.reason, verdict.status) == (reason, status)
    assert (verdict.needs_evidence, verdict.needs_trial) == (False, True)
    assert to_do in verdict.detail


QUOTED = [
    'messages.0.content.0.text: Unexpected value "This organization has been disabled."',
    "messages.1: Your credit balance is too low to access the Anthropic API.",
    "tools.0.name: String should match pattern, got 'This organization has been disabled.'",
    'Unexpected role "You have reached your specified API usage limits."',
    "`You're out of extra usage` is not a valid stop sequence",
    "The text This organization has been disabled cannot be cached.",
    "Invalid user: You've hit your monthly spend limit",
    "The long context beta is not yet available for this subscription.",
    "max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens",
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("message", QUOTED)
def test_a_persons_words_are_no_account_error(message: str, streamed: bool) -> None:
    """What Anthropic quotes of the request never decides, and an unknown 400 stays the client's."""
    body = error("invalid_request_error", message)
    verdict = classify_event(orjson.loads(body)) if streamed else classify_response(400, {}, body)
    assert verdict == ClientError(400, message)


@pytest.mark.parametrize(
    ("status", "body", "needs_evidence"),
    [
        (403, error("permission_error"), True),
        (408, b"", True),
        (500, error("api_error"), True),
        (503, b"<html>", True),
        (504, b"", True),
        (404, b"404 page not found", True),
        (401, error("authentication_error"), False),
        (402, error("billing_error"), False),
        (429, error("rate_limit_error"), False),
        (529, error("overloaded_error"), False),
    ],
)
def test_what_may_be_about_one_request(status: int, body: bytes, needs_evidence: bool) -> None:
    """Only what is surely about the way, the account or one model needs no second failure."""
    verdict = classify_response(status, {}, body)
    assert isinstance(verdict, Fallback)
    assert verdict.needs_evidence is needs_evidence


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
    ("message", "code"),
    [
        ("prompt is too long: 210118 tokens > 200000 maximum", "context_length_exceeded"),
        ("Prompt is too long", "context_length_exceeded"),
        ("input length and `max_tokens` exceed context limit: 199999 + 8192 > 200000", "context_length_exceeded"),
        ("Input is too long for requested model.", "context_length_exceeded"),
        ("The request of 250000 tokens exceeds the model's maximum context length.", "context_length_exceeded"),
        ("max_tokens: 300000 > 64000, which is the maximum allowed number of output tokens", None),
        ('messages.0.content.0.text: Unexpected value "prompt is too long"', None),
        ("tools: Tool names must be unique.", None),
    ],
)
def test_a_conversation_that_is_too_long_has_a_code(message: str, code: str | None) -> None:
    """OpenAI's clients compact a conversation when they read it, whole or as a stream's first event."""
    body = error("invalid_request_error", message)
    for verdict in (classify_response(400, {}, body), classify_event(orjson.loads(body))):
        assert isinstance(verdict, ClientError)
        assert (verdict.status, verdict.message, verdict.code) == (400, message, code)


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
    verdict = classify_connection(problem)
    assert verdict.reason == reason
    assert verdict.needs_evidence is (problem in ("reset", "not_http"))


def test_not_a_stream() -> None:
    """A portal's page in place of an event stream is named as such."""
    verdict = classify_not_a_stream(200, "text/html; charset=utf-8")
    assert verdict.reason == "protocol"
    assert "text/html" in verdict.detail
