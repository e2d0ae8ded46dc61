"""What the stand-in is told to do: one script at a time, set on the control port."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from .errors import MESSAGE_BY_TYPE, STATUS_BY_TYPE, TYPE_BY_STATUS

PATHS = ("all", "messages", "models")
CUTS = ("close", "reset", "half_event")


class ScriptError(ValueError):
    """A script that makes no sense; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Behaviour until changed. "After N events" counts content deltas: 0 is after `message_start` and `ping`, before
    any content; -1 is after the response head only. The fields are described in README.md."""

    paths: str = "all"
    times: int | None = None
    status: int | None = None
    error_type: str | None = None
    message: str | None = None
    details: dict[str, Any] | None = None
    headers: dict[str, str] | None = None
    body: str | None = None
    content_type: str | None = None
    delay_seconds: float = 0.0
    first_event_delay_seconds: float = 0.0
    silent_after_events: int | None = None
    pings: bool = False
    ping_interval_seconds: float = 0.5
    cut: str | None = None
    cut_reused: str | None = None
    cut_after_events: int | None = None
    error_after_events: int | None = None
    chunks: int | None = None
    chunk_interval_seconds: float = 0.0
    text: str | None = None
    thinking: str | None = None
    tool_use: dict[str, Any] | None = None
    stop_reason: str | None = None
    garbage: bool = False
    accept_but_silent: bool = False
    refuse: bool = False
    black_hole: bool = False

    @property
    def error(self) -> tuple[int, str, str] | None:
        """(status, type, message) when the whole answer is an error, else None."""
        if self.status is None:
            if self.error_type is None or self.error_after_events is not None:
                return None
            status = STATUS_BY_TYPE.get(self.error_type, 500)
        elif self.status < 400:
            return None
        else:
            status = self.status
        error_type = self.error_type or TYPE_BY_STATUS.get(
            status, "api_error" if status >= 500 else "invalid_request_error"
        )
        return status, error_type, self.message or MESSAGE_BY_TYPE.get(error_type, "Error")

    @property
    def stream_error(self) -> tuple[str, str]:
        """(type, message) of the in-stream `error` event."""
        error_type = self.error_type or "overloaded_error"
        return error_type, self.message or MESSAGE_BY_TYPE.get(error_type, "Error")


DEFAULT = Script()


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and _is_number(value, low, high)


def _is_header_map(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(text, str) and not set("\r\n") & set(name + text)
        for name, text in value.items()
    )


def _is_tool_use(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"name", "input"}
        and isinstance(value["name"], str)
        and isinstance(value["input"], dict)
    )


_AN_HOUR_SECONDS = 3600
_RULES: dict[str, tuple[str, Any]] = {
    "paths": (f"one of {', '.join(PATHS)}", lambda v: v in PATHS),
    "times": ("a whole number, 1 or more", lambda v: _is_integer(v, 1, 10**9)),
    "status": ("an HTTP status, 200 to 599", lambda v: _is_integer(v, 200, 599)),
    "details": ("an object", lambda v: isinstance(v, dict)),
    "headers": ("an object of strings", _is_header_map),
    "silent_after_events": ("a whole number, -1 or more", lambda v: _is_integer(v, -1, 10**9)),
    "cut_after_events": ("a whole number, -1 or more", lambda v: _is_integer(v, -1, 10**9)),
    "error_after_events": ("a whole number, -1 or more", lambda v: _is_integer(v, -1, 10**9)),
    "cut_reused": ("close or reset", lambda v: v in ("close", "reset")),
    "cut": (f"one of {', '.join(CUTS)}", lambda v: v in CUTS),
    "chunks": ("a whole number, 1 to 100000", lambda v: _is_integer(v, 1, 100_000)),
    "ping_interval_seconds": ("a number, 0.01 to 3600", lambda v: _is_number(v, 0.01, _AN_HOUR_SECONDS)),
    "tool_use": ('{"name": string, "input": object}', _is_tool_use),
} | {
    name: ("a number of seconds, 0 to 3600", lambda v: _is_number(v, 0, _AN_HOUR_SECONDS))
    for name in ("delay_seconds", "first_event_delay_seconds", "chunk_interval_seconds")
}
_FIELDS = {field.name: field for field in fields(Script)}


def parse(given: object) -> Script:
    """A Script from decoded JSON. Raises ScriptError for an unknown field, a wrong type, or fields that contradict."""
    if not isinstance(given, dict):
        raise ScriptError("a script is a JSON object")
    for name, value in given.items():
        if name not in _FIELDS:
            raise ScriptError(f"{name}: unknown field; known are {', '.join(sorted(_FIELDS))} and valid_keys")
        if value is None:
            continue
        if name in _RULES:
            wanted, accepts = _RULES[name]
        elif isinstance(_FIELDS[name].default, bool):
            wanted, accepts = "true or false", lambda v: isinstance(v, bool)
        else:
            wanted, accepts = "a string", lambda v: isinstance(v, str)
        if not accepts(value):
            raise ScriptError(f"{name}: must be {wanted}")
    script = Script(**{name: value for name, value in given.items() if value is not None})
    _check_together(script)
    return script


def parse_each(given: list[Any]) -> list[Script]:
    """Scripts that hold one after another. Raises ScriptError as `parse` does, and where one would never end."""
    scripts = [parse(each) for each in given]
    if not scripts:
        raise ScriptError("a list of scripts holds one at least")
    if any(script.times is None for script in scripts[:-1]):
        raise ScriptError("times: each script of a list needs it, but for the last")
    if any(script.refuse or script.black_hole for script in scripts):
        raise ScriptError("refuse, black_hole: not in a list, as they close the listener")
    return scripts


def _check_together(script: Script) -> None:
    if script.refuse and script.black_hole:
        raise ScriptError("refuse, black_hole: only one of them")
    if (script.refuse or script.black_hole) and (script.times is not None or script.paths != "all"):
        raise ScriptError("refuse, black_hole: they close the listener, so neither times nor paths can be honoured")
    if script.cut == "half_event" and script.cut_after_events is None:
        raise ScriptError("cut: half_event needs cut_after_events")
    endings = ("silent_after_events", "cut_after_events", "error_after_events")
    if sum(getattr(script, name) is not None for name in endings) > 1:
        raise ScriptError(f"{', '.join(endings)}: only one of them")
    if script.status is not None and 200 < script.status < 400 and script.body is None:
        raise ScriptError("status: between 201 and 399 it needs a body")
    if script.content_type is not None and script.body is None:
        raise ScriptError("content_type: only together with body")
