"""The order Messages requires: a user first and last, each tool call answered, each result called for."""

from collections import defaultdict, deque
from typing import Any

Json = dict[str, Any]

_EARLIER_LEFT_OUT = "(The conversation's beginning was left out.)"
_GO_ON = "Continue."


def in_valid_order(messages: list[Json]) -> list[Json]:
    """Messages (roles alternate, content is a list of blocks) as Claude accepts them; block order is kept otherwise.

    A result without its call becomes text, a call without its result gets an empty one, results stand first, no two
    calls share an id, and a user has the last word: newer models refuse to continue an assistant's.
    """
    ordered: list[Json] = []
    if messages[0]["role"] == "assistant":
        ordered.append(_said_by_user(_EARLIER_LEFT_OUT))
    taken: set[str] = set()
    calls: list[tuple[str, str]] = []
    for message in messages:
        if message["role"] == "user":
            ordered.append({"role": "user", "content": _answering(calls, message["content"])})
            calls = []
        else:
            content, calls = _with_unique_ids(message["content"], taken)
            ordered.append({"role": "assistant", "content": content})
    if calls:
        ordered.append({"role": "user", "content": _answering(calls, [])})
    elif ordered[-1]["role"] == "assistant":
        ordered.append(_said_by_user(_GO_ON))
    return ordered


def _said_by_user(text: str) -> Json:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _with_unique_ids(blocks: list[Json], taken: set[str]) -> tuple[list[Json], list[tuple[str, str]]]:
    """The blocks, and for each call its id as given and as it is now. Some models count calls anew in every turn."""
    renamed: list[Json] = []
    calls: list[tuple[str, str]] = []
    for block in blocks:
        if block["type"] == "tool_use":
            given = unique = block["id"]
            count = 1
            while unique in taken:
                count += 1
                unique = f"{given}_{count}"
            taken.add(unique)
            calls.append((given, unique))
            block = {**block, "id": unique}
        renamed.append(block)
    return renamed, calls


def _answering(calls: list[tuple[str, str]], blocks: list[Json]) -> list[Json]:
    waiting: defaultdict[str, deque[str]] = defaultdict(deque)
    for given, unique in calls:
        waiting[given].append(unique)
    results: dict[str, Json] = {}
    rest: list[Json] = []
    for block in blocks:
        if block["type"] != "tool_result":
            rest.append(block)
        elif waiting[block["tool_use_id"]]:
            unique = waiting[block["tool_use_id"]].popleft()
            results[unique] = {**block, "tool_use_id": unique}
        else:
            rest += _as_content(block)
    return [results.get(call) or {"type": "tool_result", "tool_use_id": call} for _, call in calls] + rest


def _as_content(result: Json) -> list[Json]:
    content = result.get("content") or "(empty)"
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [{"type": "text", "text": "Result of an earlier tool call:"}, *blocks]
