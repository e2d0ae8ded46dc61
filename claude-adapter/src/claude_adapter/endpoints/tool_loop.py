"""Is a request one step of a tool loop that Claude is in? Pure."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

# How local-llm names its own calls: a loop of its own must not wait for Claude at each step.
_CALLED_BY_LOCAL = re.compile(r"(call|toolu)_[0-9a-f]{32}_\d+")
_SYSTEM = ("system", "developer")  # some clients add reminders behind a result


def ends_in_tool_result(body: bytes) -> bool:
    """Whether the last message of `body`, in either dialect, brings the result of a call that Claude has made."""
    if b'"tool' not in body:  # cheap, as most requests are refused by it while an outage lasts
        return False
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    messages = request.get("messages") if isinstance(request, dict) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if not isinstance(message, dict):
            return False
        if message.get("role") not in _SYSTEM:
            return any(not _CALLED_BY_LOCAL.fullmatch(call_id) for call_id in _answered_calls(message))
    return False


def _answered_calls(message: Mapping[str, Any]) -> list[str]:
    """The ids of the calls whose results this message brings."""
    if message.get("role") == "tool":
        return [str(message.get("tool_call_id"))]
    content = message.get("content")
    if message.get("role") != "user" or not isinstance(content, list):
        return []
    return [
        str(block.get("tool_use_id"))
        for block in content
        if isinstance(block, dict) and block.get("type") == "tool_result"
    ]
