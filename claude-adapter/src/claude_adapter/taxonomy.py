"""Whose fault is a failure, and what is it called? Pure functions from what was seen to a verdict.

Sources: Anthropic's error documentation, gathered in docs; reasons are the closed list shared by all services.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import orjson

from claude_adapter.account_errors import account_error, own_words
from claude_adapter.availability.reasons import Fallback, Reason

ConnectionProblem = Literal[
    "refused", "reset", "dead", "dns", "tls", "unreachable", "connect_timeout", "read_timeout", "not_http"
]


@dataclass(frozen=True, slots=True)
class ClientError:
    """The client's own mistake: passed through with the upstream's status and words."""

    status: int
    message: str

    @property
    def code(self) -> str | None:
        """OpenAI's code for it, where clients act on one: they make the conversation shorter."""
        return "context_length_exceeded" if _TOO_LONG.match(self.message) else None


Verdict = Fallback | ClientError

# An in-stream error has a type but no status: the status it would have had as a response.
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "unprocessable_entity_error": 422,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

_ACCOUNT_STATUSES = (400, 401, 402, 403, 404)
_WRONG_PATH = (
    "Nothing at ANTHROPIC_BASE_URL answers Messages: set it to the address before /v1/messages, "
    "such as https://api.anthropic.com."
)
# As Anthropic and those who pass its models on say it: crmne/ruby_llm#755, anthropics/claude-code#2846; Bedrock's.
_TOO_LONG = re.compile(
    r"(prompt is too long|input is too long|input length and `?max_tokens`? exceed|.{0,80}\b(exceeds?|larger than) the "
    r"(model'?s )?(maximum )?(context|number of tokens))",
    re.IGNORECASE,
)
_MODEL = re.compile(r"\bmodel\b", re.IGNORECASE)

_CONNECTION: dict[ConnectionProblem, tuple[Reason, str]] = {
    "refused": ("connect", "The connection to Claude was refused: is ANTHROPIC_BASE_URL right and reachable?"),
    "reset": ("connect", "The connection to Claude broke."),
    "dead": ("connect", "A kept connection to Claude had died."),
    "dns": ("connect", "Claude's host name could not be resolved: check this machine's DNS and ANTHROPIC_BASE_URL."),
    "tls": ("connect", "The TLS handshake with Claude failed: check the clock, the CA certificates and any proxy."),
    "unreachable": ("connect", "Claude cannot be reached from here: check this machine's network."),
    "connect_timeout": ("timeout", "No connection to Claude within the connect timeout: check this machine's network."),
    "read_timeout": ("timeout", "Claude did not answer in time."),
    "not_http": ("protocol", "What answered does not speak HTTP: is ANTHROPIC_BASE_URL right?"),
}


def classify_connection(problem: ConnectionProblem) -> Fallback:
    """No response came: the reason by what the connection died of."""
    reason, detail = _CONNECTION[problem]
    return Fallback(
        reason,
        detail,
        needs_evidence=problem in ("reset", "dead", "not_http"),
        is_transient=problem in ("reset", "dead"),
        dead_connection=problem == "dead",
    )


def classify_response(status: int, headers: Mapping[str, str], body: bytes, now: datetime | None = None) -> Verdict:
    """A response that is not a success. `headers` has lower-case names; `now` serves a `retry-after` that is a date."""
    document = _document(body)
    if status in (404, 405) and not _is_known(document):
        return _protocol(_WRONG_PATH, status)
    verdict = _classify(status, _error_in(document), _retry_after_seconds(headers.get("retry-after"), now))
    if isinstance(verdict, Fallback) and headers.get("x-should-retry") == "false":  # as the SDKs read it
        return replace(verdict, is_transient=False)
    return verdict


def classify_event(event: Mapping[str, Any]) -> Verdict:
    """An `error` event inside a stream; an unknown type counts as Claude's fault."""
    error = _error_in(event) or {}
    return _classify(_STATUS_OF_TYPE.get(str(error.get("type")), 500), error, None)


def classify_not_a_stream(status: int, content_type: str) -> Fallback:
    """A success that is not an event stream: a captive portal, a proxy's page, an empty answer."""
    kind = content_type.partition(";")[0].strip()[:50] or "no content type"
    return _protocol(f"A {status} came back with {kind} in place of an event stream: a portal or proxy?", status)


def classify_not_json(status: int) -> Fallback:
    """A success that is not JSON, or not the API's."""
    return _protocol(f"A {status} came back that is not the API's: a portal or proxy?", status)


def classify_broken(detail: str) -> Fallback:
    """A stream that is no Messages stream."""
    return _protocol(detail, None)


def classify_ended_early() -> Fallback:
    """A stream that is over before its reply is."""
    return replace(classify_broken("Claude's stream ended before the reply was complete."), is_transient=True)


def _protocol(detail: str, status: int | None) -> Fallback:
    return Fallback("protocol", detail, status=status, needs_evidence=True)


def _is_known(document: object) -> bool:
    """Whether a 404 or 405 is of the API, and about something that was asked for: its path it calls `Not Found`."""
    error = _error_in(document)
    if error is None:
        return False
    if _MODEL.search(own_words(error)):
        return True
    is_apis = isinstance(document, Mapping) and document.get("type") == "error" and isinstance(error.get("type"), str)
    return is_apis and own_words(error).rstrip(".").lower() not in ("", "not found", "method not allowed")


def _classify(status: int, error: Mapping[str, Any] | None, retry_after_seconds: float | None) -> Verdict:
    message = str((error or {}).get("message") or "")
    kind = str((error or {}).get("type") or "")
    if status in _ACCOUNT_STATUSES and (row := account_error(error)) is not None:
        retry_after_seconds = retry_after_seconds if row.reason == "quota" else None
        return Fallback(
            row.reason, " ".join(row.words), retry_after_seconds, status, needs_trial=True, own_words=row.words
        )
    match status:
        case 401:
            return Fallback("auth", "Anthropic refused the API key: replace it.", None, status)
        case 402:
            return Fallback(
                "billing", "Anthropic reports a billing problem: see the Console's billing page.", None, status
            )
        case 403:
            detail = (
                "The API key may not do this: check its workspace, its permissions and where this machine asks from."
            )
            return Fallback("permission", detail, None, status, needs_evidence=True)
        case 404 if error is not None and _MODEL.search(own_words(error)):
            return Fallback("model_not_found", "Anthropic does not know this model: check its name.", None, status)
        case 408 | 504:
            detail = f"Anthropic answered {status} (timeout)."
            return Fallback("timeout", detail, retry_after_seconds, status, needs_evidence=True, is_transient=True)
        case 429 if _error_code(error) == "enforced_spend_limit_reached":
            return Fallback(
                "quota", "The spend limit is reached: raise it in the Console.", retry_after_seconds, status
            )
        case 429:
            is_short = retry_after_seconds is not None  # how short is patience's to judge
            detail = "Anthropic's rate limit is reached."
            return Fallback("rate_limit", detail, retry_after_seconds, status, is_transient=is_short)
        case 413:  # may be a CDN's page, which is still about the client's request
            return ClientError(status, message or "The request is too large: Claude accepts up to 32 MB.")
    if status == 529 or kind == "overloaded_error":
        return Fallback("overloaded", "Anthropic is overloaded.", retry_after_seconds, status, is_transient=True)
    if status >= 500:
        detail = f"Anthropic answered {status}."
        return Fallback("server_error", detail, retry_after_seconds, status, needs_evidence=True, is_transient=True)
    if 400 <= status < 500 and error is not None:
        return ClientError(status, message or f"Claude refused the request ({status}).")
    return _protocol(f"An unexpected {status} that is not the API's: is ANTHROPIC_BASE_URL right?", status)


def _document(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _error_in(document: object) -> Mapping[str, Any] | None:
    error = document.get("error") if isinstance(document, Mapping) else None
    return error if isinstance(error, Mapping) else None


def _error_code(error: Mapping[str, Any] | None) -> object:
    details = (error or {}).get("details")
    return details.get("error_code") if isinstance(details, Mapping) else None


def _retry_after_seconds(value: str | None, now: datetime | None) -> float | None:
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
