"""The messages of a Chat Completions request: what is wrong with their shape.

What neither backend can do without is asked for; all else they translate, repair or say in words.
"""

from gateway.dialects.chat_completions.mistakes import missing, wrong_type, wrong_value
from gateway.dialects.errors import OpenAIError
from gateway.dialects.interface import Json

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


def check_messages(body: Json) -> None:
    """Raises OpenAIError."""
    messages = body.get("messages")
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise OpenAIError(400, "'messages' is empty. Send at least one message.", "empty_array", "messages")
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        if not isinstance(message, dict):
            raise wrong_type(where, "an object", message)
        role = message.get("role")
        if role is None:
            raise missing(f"{where}.role")
        if role not in ROLES:
            raise wrong_value(f"{where}.role", f"use one of {', '.join(ROLES)}")
        _check_content(message.get("content"), f"{where}.content", required=role in ("system", "developer", "user"))
        if role == "assistant":
            _check_calls(message, where)


def _check_content(content: object, where: str, *, required: bool) -> None:
    if content is None and required:
        raise missing(where)
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(where, "a string or an array of content parts", content)
    for j, part in enumerate(content):
        if not isinstance(part, dict):
            raise wrong_type(f"{where}[{j}]", "an object", part)
        if not isinstance(part.get("type"), str):
            raise wrong_type(f"{where}[{j}].type", "a string", part.get("type"))
        _check_part(part, f"{where}[{j}]")


def _check_part(part: Json, where: str) -> None:
    kind = part["type"]
    if field := _TEXTS.get(kind):
        if not isinstance(part.get(field), str):
            raise wrong_type(f"{where}.{field}", "a string", part.get(field))
    elif kind == "image_url":
        if not isinstance(part.get("image_url"), str | dict | None):
            raise wrong_type(f"{where}.image_url", "an object with a url", part["image_url"])
    elif kind == "file":
        file = part.get("file")
        if not isinstance(file, dict):
            raise wrong_type(f"{where}.file", "an object", file)
        if file.get("file_id") is not None and not (file.get("file_data") or file.get("file_url")):
            raise wrong_value(f"{where}.file.file_id", "OpenAI's store cannot be read from here: send it as file_data")


def _check_calls(message: Json, where: str) -> None:
    """An earlier answer's calls: which tool was called; ids and arguments may be as a model has written them."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list | None):
        raise wrong_type(f"{where}.tool_calls", "an array of objects", calls)
    for j, call in enumerate(calls or ()):
        at = f"{where}.tool_calls[{j}]"
        if not isinstance(call, dict):
            raise wrong_type(at, "an object", call)
        kind = "custom" if call.get("type") == "custom" else "function"
        _check_called(call.get(kind), f"{at}.{kind}")
    if message.get("function_call") is not None:
        _check_called(message["function_call"], f"{where}.function_call")


def _check_called(called: object, where: str) -> None:
    if not isinstance(called, dict):
        raise wrong_type(where, "an object with a name", called)
    if not isinstance(called.get("name"), str):
        raise wrong_type(f"{where}.name", "a string", called.get("name"))
