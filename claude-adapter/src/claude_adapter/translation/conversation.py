"""The messages of a Chat Completions request as Claude's system texts and messages. Pure."""

import re
from typing import Any

import orjson

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.message_order import in_valid_order
from claude_adapter.translation.parts import assistant_text, content_blocks, part_text, parts_of

Json = dict[str, Any]

_ODD_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")
_TOOL_NAME_LIMIT = 128


def conversation(request: Json) -> tuple[list[str], list[Json]]:
    """The system texts, and the messages in the order Claude requires. Raises `BadRequestError`."""
    given = request.get("messages")
    if not isinstance(given, list) or not given:
        raise BadRequestError("messages must be a list with at least one message.", "messages")
    system: list[str] = []
    messages: list[Json] = []
    for index, message in enumerate(given):
        path = f"messages[{index}]"
        if not isinstance(message, dict):
            raise BadRequestError(f"{path} must be an object.", path)
        match message.get("role"):
            case "system" | "developer":
                system += _texts(message, path)
            case "user":
                _append(messages, "user", content_blocks(message.get("content"), f"{path}.content"))
            case "assistant":
                _append(messages, "assistant", _assistant_blocks(message, path))
            case "tool":
                _append(messages, "user", [_tool_result(message, path)])
            case _:
                raise BadRequestError(
                    f"{path}.role must be system, developer, user, assistant or tool.", f"{path}.role"
                )
    if not messages:
        raise BadRequestError("messages must hold at least one user or assistant message with content.", "messages")
    return system, in_valid_order(messages)


def _append(messages: list[Json], role: str, blocks: list[Json]) -> None:
    """Add blocks; neighbours of one role are one message."""
    if not blocks:
        return
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += blocks
    else:
        messages.append({"role": role, "content": blocks})


def _texts(message: Json, path: str) -> list[str]:
    content = message.get("content")
    texts = (
        [content] if isinstance(content, str) else [part_text(*part) for part in parts_of(content, f"{path}.content")]
    )
    return [text for text in texts if text.strip()]


def _assistant_blocks(message: Json, path: str) -> list[Json]:
    blocks = assistant_text(message.get("content"), f"{path}.content")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequestError(f"{path}.tool_calls must be a list.", f"{path}.tool_calls")
    return blocks + [_tool_use(call, f"{path}.tool_calls[{index}]") for index, call in enumerate(calls)]


def _tool_use(call: object, path: str) -> Json:
    match call:
        case {"type": "custom", "custom": {"name": str(name), "input": str(text)}}:  # another model's: free text
            given: Json = {"input": text}
        case {"function": {"name": str(name), **function}}:
            given = _arguments(function.get("arguments"), f"{path}.function.arguments")
        case _:
            raise BadRequestError(f"{path} must be a function call with a name.", f"{path}.function.name")
    call_id = call.get("id") if isinstance(call, dict) else None
    return {"type": "tool_use", "id": _tool_id(call_id, f"{path}.id"), "name": _past_name(name), "input": given}


def _past_name(name: str) -> str:
    """The name of a call that another model may have made up: Claude must only be able to read it."""
    return _ODD_CHARACTER.sub("_", name)[:_TOOL_NAME_LIMIT] or "_"


def _arguments(arguments: object, path: str) -> Json:
    if arguments is None or arguments == "":
        return {}
    if isinstance(arguments, str):
        try:
            parsed = orjson.loads(arguments)
        except orjson.JSONDecodeError as error:
            raise BadRequestError(f"{path} is not valid JSON: {error}.", path) from None
        if isinstance(parsed, dict):
            return parsed
    raise BadRequestError(f"{path} must be a string that holds a JSON object.", path)


def _tool_result(message: Json, path: str) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": _tool_id(message.get("tool_call_id"), f"{path}.tool_call_id")}
    content = message.get("content")
    if isinstance(content, str):
        if content.strip():
            block["content"] = content
    elif content is not None and (blocks := content_blocks(content, f"{path}.content")):
        block["content"] = blocks
    if message.get("is_error") is True:
        _mark_as_error(block)
    return block


def _mark_as_error(block: Json) -> None:
    """Claude wants words in an error, and nothing else: one with an image stays a plain result."""
    content = block.setdefault("content", "The tool failed and said nothing.")
    if isinstance(content, str) or all(part["type"] == "text" for part in content):
        block["is_error"] = True


def _tool_id(value: object, path: str) -> str:
    """Claude allows fewer characters in an id than other models use; the call and its result change alike."""
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"{path} must be a string.", path)
    return _ODD_CHARACTER.sub("_", value)
