"""How much of a history is looked at: a body may hold 300,000 messages, and a context window a thousand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Each costs five tokens or more beside its text, so no window that can be read in time holds as many.
NEWEST_MESSAGES = 4096
_INSTRUCTIONS = ("system", "developer")


def newest(messages: list[Any]) -> list[Any]:
    """The newest 4,096 to 8,191 messages, and the instructions among those before.

    Older ones go in blocks, so that the conversation's next request begins with the same message.
    """
    begin = max(0, len(messages) // NEWEST_MESSAGES - 1) * NEWEST_MESSAGES
    older = messages[:begin]
    instructions = [each for each in older if isinstance(each, Mapping) and each.get("role") in _INSTRUCTIONS]
    return instructions + messages[begin:]
