"""Marks for Claude's prompt cache: the client's, else ours. Pure; blocks are marked where they stand.

A mark stores all that stands before it, and a later request with the same beginning reads it for a tenth of the price.
Limits: https://docs.claude.com/en/docs/build-with-claude/prompt-caching.
"""

from typing import Any

Json = dict[str, Any]

_FIELD = "cache_control"
_MOST = 4


def mark_last(blocks: list[Json], given: object) -> None:
    """Put a client's mark on the last of these blocks; what is no mark of Claude's is left out."""
    if blocks and isinstance(given, dict) and given.get("type") == "ephemeral":
        lasts = {"ttl": given["ttl"]} if given.get("ttl") in ("5m", "1h") else {}
        blocks[-1][_FIELD] = {"type": "ephemeral", **lasts}


def moved_out(blocks: list[Json], holder: Json) -> None:
    """A mark among a tool result's blocks goes to the result itself: inside of it Claude refuses one."""
    marks = [block.pop(_FIELD) for block in blocks if _FIELD in block]
    if marks:
        holder[_FIELD] = marks[-1]


def keep_to_limits(body: Json) -> None:
    """At most four marks, the first and the last ones, and none that lasts longer than one before it."""
    marked = [block for block in _in_order(body) if _FIELD in block]
    for block in marked[1 : 1 - _MOST] if len(marked) > _MOST else ():
        del block[_FIELD]
    short = False
    for block in marked:
        if _FIELD in block:
            short = short or block[_FIELD].get("ttl") != "1h"
            if short:
                block[_FIELD].pop("ttl", None)


def add_marks(body: Json) -> None:
    """Mark the last tool, the system text and the last two things the user said, where the client marked nothing.

    So each step of a conversation reads what the step before it has stored.
    """
    if any(_FIELD in block for block in _in_order(body)):
        return
    if isinstance(system := body.get("system"), str):
        body["system"] = [{"type": "text", "text": system}]
    users = [message["content"] for message in body["messages"] if message["role"] == "user"]
    for blocks in (body.get("tools"), body.get("system"), *users[-2:]):
        mark_last(blocks or [], {"type": "ephemeral"})


def _in_order(body: Json) -> list[Json]:
    """Whatever may carry a mark, in the order in which Claude reads."""
    system = body.get("system")
    blocks = [block for message in body["messages"] for block in message["content"]]
    return [*(body.get("tools") or ()), *(system if isinstance(system, list) else ()), *blocks]
