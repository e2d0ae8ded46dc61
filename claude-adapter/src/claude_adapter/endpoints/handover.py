"""Tells Claude which answers of a conversation are not its own: a label in front of each that the local model wrote.

Pure, and the same in both dialects. The label never changes, so that Claude's prompt cache holds.
"""

from typing import Any

HEADER = b"x-pilot-local-answers"  # set by the gateway: indices into the body's messages, as `3,7`
LABEL = "[Written by a small stand-in model while Claude was unreachable; correct it if it is wrong.]"

_MOST_DIGITS = 6  # more no conversation has
_WORDS = ("text", "refusal")  # types of parts with words, which lie in the field of the same name
_THOUGHTS = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content"})  # stand first


def label_local_answers(request: dict[str, Any], header: str) -> bool:
    """Label the assistant messages of `request` that `header` names, in place; whether there was one.

    What names no assistant message is ignored.
    """
    messages = request.get("messages")
    if not isinstance(messages, list):
        return False
    labelled = False
    for index in _indices(header):
        message = messages[index] if index < len(messages) else None
        if isinstance(message, dict) and message.get("role") == "assistant":
            labelled = _label(message) or labelled
    return labelled


def _indices(header: str) -> set[int]:
    written = (part.strip() for part in header.split(","))
    return {int(part) for part in written if part.isascii() and part.isdigit() and len(part) <= _MOST_DIGITS}


def _label(message: dict[str, Any]) -> bool:
    content = message.get("content")
    if isinstance(content, list):
        _label_parts(content)
    elif content is None or isinstance(content, str):
        message["content"] = _labelled(content or "")
    else:
        return False
    return True


def _label_parts(parts: list[Any]) -> None:
    """In front of the first words, in their own block: what marks a block for the cache stays where it is."""
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _WORDS and isinstance(part.get(kind), str):
            part[kind] = _labelled(part[kind])
            return
    thoughts = 0
    while thoughts < len(parts) and isinstance(parts[thoughts], dict) and parts[thoughts].get("type") in _THOUGHTS:
        thoughts += 1
    parts.insert(thoughts, {"type": "text", "text": LABEL})


def _labelled(text: str) -> str:
    return f"{LABEL}\n\n{text}" if text.strip() else LABEL
