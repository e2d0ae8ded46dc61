"""The order Messages requires of a conversation: a user first, each tool call answered, each result called for."""

from typing import Any

Json = dict[str, Any]

_EARLIER_LEFT_OUT = "(The conversation's beginning was left out.)"


def in_valid_order(messages: list[Json]) -> list[Json]:
    """Messages (roles alternate, content is a list of blocks) as Claude accepts them; block order is kept otherwise.

    A result without its call becomes text, a call without its result gets an empty one, and results stand first.
    """
    ordered: list[Json] = []
    if messages[0]["role"] == "assistant":
        ordered.append({"role": "user", "content": [{"type": "text", "text": _EARLIER_LEFT_OUT}]})
    called: list[str] = []
    for message in messages:
        if message["role"] == "user":
            ordered.append({"role": "user", "content": _answering(called, message["content"])})
            called = []
        else:
            ordered.append(message)
            called = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
    if called:
        ordered.append({"role": "user", "content": _answering(called, [])})
    return ordered


def _answering(called: list[str], blocks: list[Json]) -> list[Json]:
    results: dict[str, Json] = {}
    rest: list[Json] = []
    for block in blocks:
        if block["type"] != "tool_result":
            rest.append(block)
        elif block["tool_use_id"] in called and block["tool_use_id"] not in results:
            results[block["tool_use_id"]] = block
        else:
            rest += _as_content(block)
    return [results.get(call) or {"type": "tool_result", "tool_use_id": call} for call in called] + rest


def _as_content(result: Json) -> list[Json]:
    content = result.get("content") or "(empty)"
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [{"type": "text", "text": "Result of an earlier tool call:"}, *blocks]
