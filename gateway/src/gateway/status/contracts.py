"""What the gateway reads from the services behind it, each as one pure function from bytes to a type.

Producers: claude-adapter's `/state` (state.py) and `/reasons/{id}`, local-llm's `/healthz` (health.py), Claude's list
of models. What does not hold to its contract raises ContractError; its message names the field and quotes nothing.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast, get_args

import orjson

from gateway.reasons import Words

Json = dict[str, Any]
BreakerState = Literal["closed", "half_open", "open", "down"]

# One word for metrics, headers and pages. Not a list: a newer claude-adapter may know more reasons.
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_LONGEST_RETRY_SECONDS = 3600
_END_OF_TIME = 1e12  # Unix seconds
_HEADER_VALUE = re.compile(r"[\x21-\x7e]{1,256}")


class ContractError(ValueError):
    """An answer that is not what its producer promises."""


@dataclass(frozen=True)
class ClaudeView:
    """What claude-adapter says of itself; `state` is its breaker's, or `down` when it cannot be asked."""

    state: BreakerState = "down"
    reason: str | None = "adapter_down"
    detail: str = "The claude-adapter is not running; its supervisor is starting it again."
    model: str | None = None
    probed: bool = False
    words: Words | None = None  # what the reason means and what to do about it
    of_all: bool = True  # whether the reason keeps every model away, and not the default one alone
    retry_at: float | None = None  # when Claude is asked again, in Unix seconds

    @property
    def retry_in_seconds(self) -> int | None:
        """From now on, at least one and at most an hour; None when nobody has said."""
        if self.retry_at is None:
            return None
        return min(max(1, math.ceil(self.retry_at - time.time())), _LONGEST_RETRY_SECONDS)


@dataclass(frozen=True)
class LocalView:
    """What local-llm says of itself."""

    ready: bool = False
    model: str | None = None
    context_tokens: int = 0
    queue_depth: int = 0


def read_state(status: int, body: bytes) -> ClaudeView:
    """claude-adapter's `GET /state`."""
    _expect_status(status, 200)
    document = _object(body)
    state = _string(document, "state")
    if state not in get_args(BreakerState) or state == "down":
        raise ContractError("'state' is no state of a breaker")
    probe = _field(document, "probe", dict)
    result = probe.get("result", 0)
    if result is not None and not isinstance(result, str):
        raise ContractError("'probe.result' is missing or no string")
    reason = document.get("reason", "")
    if reason is not None:
        reason = _reason(document)
    elif state != "closed":
        raise ContractError("'reason' is missing for a breaker that is not closed")
    return ClaudeView(
        state=cast(BreakerState, state),
        reason=reason,
        detail=_string(document, "detail"),
        model=_string(document, "model"),
        probed=result is not None or not _field(document, "key", bool),
        words=_words(document.get("words")),
        of_all=document["model"] not in _field(document, "models", dict),
        retry_at=_time_of(document.get("retry_at")),
    )


def read_health(status: int, body: bytes) -> LocalView:
    """local-llm's `GET /healthz`: 200 when it is ready, 503 when it is not."""
    _expect_status(status, 200, 503)
    document = _object(body)
    ready = _field(document, "ready", bool)
    if ready != (status == 200):
        raise ContractError("'ready' and the status do not agree")
    return LocalView(
        ready=ready,
        model=_model(document),
        context_tokens=_count(document, "context_tokens"),
        queue_depth=_count(document, "queue_depth"),
    )


def read_reason(status: int, body: bytes) -> str | None:
    """claude-adapter's `GET /reasons/{id}`: why it did not answer; None when it remembers no failure."""
    if status == 404:
        return None
    _expect_status(status, 200)
    return _reason(_object(body))


def read_model_list(body: bytes) -> list[Json]:
    """Anthropic's `GET /v1/models`: its entries, without those that have no usable id.

    A field that we work with (`display_name`, `created_at`, `max_input_tokens`) and that is odd is left out.
    """
    listed = _field(_object(body), "data", list)
    return [_entry(entry) for entry in listed if isinstance(entry, dict) and _is_text(entry.get("id"))]


def read_header(value: str | None) -> str | None:
    """A header that becomes a header or a label again: None when it is missing or odd."""
    return value if value is not None and _HEADER_VALUE.fullmatch(value) else None


def read_retry_after(value: str | None) -> int | None:
    """A `Retry-After` in seconds, at most an hour; None when it is missing, odd or a date."""
    return min(int(value), _LONGEST_RETRY_SECONDS) if value is not None and _SECONDS.fullmatch(value) else None


def _entry(entry: Json) -> Json:
    fits: dict[str, Callable[[object], bool]] = {
        "display_name": _is_text,
        "created_at": _is_time,
        "max_input_tokens": lambda value: _is_count(value) and value != 0,
    }
    return {name: value for name, value in entry.items() if name not in fits or fits[name](value)}


def _words(value: object) -> Words | None:
    """An adapter that does not word its reasons yet is no odd one."""
    if not isinstance(value, dict) or not _is_text(value.get("what")) or not _is_text(value.get("do")):
        return None
    return Words(value["what"], value["do"])


def _expect_status(status: int, *expected: int) -> None:
    if status not in expected:
        raise ContractError(f"the status is {status}")


def _object(body: bytes) -> Json:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ContractError("it is not JSON") from None
    if not isinstance(document, dict):
        raise ContractError("it is no JSON object")
    return document


def _field(document: Json, name: str, kind: type) -> Any:
    value = document.get(name)
    if not isinstance(value, kind):
        raise ContractError(f"'{name}' is missing or no {kind.__name__}")
    return value


def _string(document: Json, name: str) -> str:
    value: str = _field(document, name, str)
    if not value:
        raise ContractError(f"'{name}' is empty")
    return value


def _reason(document: Json) -> str:
    reason = _string(document, "reason")
    if not _REASON.fullmatch(reason):
        raise ContractError("'reason' is no name of a reason")
    return reason


def _model(document: Json) -> str:
    model = _string(document, "model")
    if read_header(model) is None:
        raise ContractError("'model' is no name of a model")
    return model


def _count(document: Json, name: str) -> int:
    value = document.get(name)
    if not _is_count(value):
        raise ContractError(f"'{name}' is missing or no count")
    return cast(int, value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _time_of(value: object) -> float | None:
    """Unix seconds; None also for what is odd, as only a waiting time hangs on it."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _END_OF_TIME:
        return None
    return float(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and math.isfinite(datetime.fromisoformat(value).timestamp())
    except (ValueError, OverflowError, OSError):
        return False
