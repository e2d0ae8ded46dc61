"""The messages of a Chat Completions request as Claude's system text and messages. Pure.

Histories hold what other models, other servers and cut answers have left there: nothing in them ends a conversation.
"""

from typing import Any

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.cache_marks import mark_last, moved_out
from claude_adapter.translation.calls import OpenCalls, call_blocks, result_id
from claude_adapter.translation.message_order import in_valid_order
from claude_adapter.translation.parts import content_blocks, text_blocks, word_blocks

Json = dict[str, Any]

_NOTHING_SAID = "(empty)"


def conversation(request: Json) -> tuple[list[Json], list[Json]]:
    """The system's text blocks, and the messages in the order Claude requires. Raises `BadRequestError`."""
    given = request.get("messages")
    if not isinstance(given, list) or not given:
        raise BadRequestError("messages must be a list with at least one message.", "messages")
    system: list[Json] = []
    messages: list[Json] = []
    calls = OpenCalls()
    for index, message in enumerate(given):
        path = f"messages[{index}]"
        if not isinstance(message, dict):
            raise BadRequestError(f"{path} must be an object.", path)
        role, blocks = _read(message, path, calls)
        mark_last(blocks, message.get("cache_control"))
        if role == "system":
            system += blocks
        else:
            _append(messages, role, blocks)
    if not messages:  # nothing but instructions: they are what there is to be answered
        messages, system = [{"role": "user", "content": system or text_blocks(_NOTHING_SAID)}], []
    return system, in_valid_order(messages)


def _read(message: Json, path: str, calls: OpenCalls) -> tuple[str, list[Json]]:
    """Claude's role for a message, and its blocks."""
    content, at = message.get("content"), f"{path}.content"
    match message.get("role"):
        case "system" | "developer":
            return "system", word_blocks(content, at)
        case "user":
            calls.forget()
            return "user", content_blocks(content, at)
        case "assistant":
            refusal = message.get("refusal")
            said = word_blocks(content, at) or text_blocks(refusal if isinstance(refusal, str) else "")
            return "assistant", said + call_blocks(message, path, calls)
        case "tool" | "function":
            return "user", [_tool_result(message, at, calls)]
    raise BadRequestError(f"{path}.role must be system, developer, user, assistant, tool or function.", f"{path}.role")


def _append(messages: list[Json], role: str, blocks: list[Json]) -> None:
    """Add blocks; neighbours of one role are one message."""
    if not blocks:
        return
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += blocks
    else:
        messages.append({"role": role, "content": blocks})


def _tool_result(message: Json, path: str, calls: OpenCalls) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": result_id(message, calls)}
    content = message.get("content")
    if isinstance(content, str):
        if content.strip():
            block["content"] = content
    elif blocks := content_blocks(content, path):
        moved_out(blocks, block)
        block["content"] = blocks
    if message.get("is_error") is True:
        _mark_as_error(block)
    return block


def _mark_as_error(block: Json) -> None:
    """Claude wants words in an error, and nothing else: one with an image stays a plain result."""
    content = block.setdefault("content", "The tool failed and said nothing.")
    if isinstance(content, str) or all(part["type"] == "text" for part in content):
        block["is_error"] = True
