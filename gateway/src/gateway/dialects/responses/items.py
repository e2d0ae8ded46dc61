"""The items of a Responses request as messages of Chat Completions. Pure.

An item that is unknown here is left out: a newer client's history never ends a conversation. One that calls something
and names its call, or brings what came of it, is told as a call of a function, whatever its type.
"""

from typing import Any

import orjson

from gateway.dialects.errors import OpenAIError
from gateway.dialects.interface import Json

_ROLES = ("user", "assistant", "system", "developer")
_TEXTS = ("input_text", "output_text", "text")
# What is said of an item elsewhere, and is no part of what was called.
_ABOUT_ITEMS = ("type", "id", "call_id", "status", "name", "namespace", "pending_safety_checks")


def messages_of(given: Any) -> list[Json]:
    """The messages of `input`, a string or a list of objects. Raises OpenAIError naming the item that is wrong."""
    if given is None:
        raise OpenAIError(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not given:
        raise OpenAIError(400, "'input' is empty. Send at least one message.", "empty_array", "input")
    messages: list[Json] = []
    for i, item in enumerate(given):
        _add(messages, item, f"input[{i}]")
    return messages


def invalid(where: str, wanted: str) -> OpenAIError:
    """A value that cannot be understood."""
    return OpenAIError(400, f"Invalid value for '{where}': {wanted}.", "invalid_value", where)


def text_in(holder: Json, name: str, where: str) -> str:
    """A field that must be a string. Raises OpenAIError."""
    value = holder.get(name)
    if not isinstance(value, str):
        raise invalid(f"{where}.{name}", "expected a string")
    return value


def _add(messages: list[Json], item: Json, where: str) -> None:
    kind = item.get("type")
    if kind is None:
        kind = "item_reference" if isinstance(item.get("id"), str) and "role" not in item else "message"
    if not isinstance(kind, str):
        raise invalid(f"{where}.type", "expected a string")
    if kind == "message":
        role = item.get("role")
        if role not in _ROLES:
            raise invalid(f"{where}.role", "use one of user, assistant, system, developer")
        messages.append({"role": role, "content": _content(item.get("content"), f"{where}.content", role)})
    elif kind in ("function_call", "custom_tool_call"):
        text_in(item, "name", where)
        _add_call(messages, item)
    elif kind.endswith("_call") and isinstance(item.get("call_id"), str):
        _add_call(messages, item)
    elif kind.endswith("_call_output"):
        result = {"role": "tool", "content": _output(item.get("output"), f"{where}.output")}
        messages.append(result if item.get("call_id") is None else {**result, "tool_call_id": item["call_id"]})


def _add_call(messages: list[Json], item: Json) -> None:
    call: Json = {"id": item.get("call_id") or item.get("id")}
    if item["type"] == "custom_tool_call":
        call |= {"type": "custom", "custom": {"name": item["name"], "input": item.get("input") or ""}}
    elif item["type"] == "function_call":
        arguments = item.get("arguments") or ""
        call |= {"type": "function", "function": {"name": item["name"], "arguments": arguments}}
    else:  # a shell, a computer, what comes after them
        given = {name: value for name, value in item.items() if name not in _ABOUT_ITEMS}
        name = item["type"].removesuffix("_call")
        call |= {"type": "function", "function": {"name": name, "arguments": orjson.dumps(given).decode()}}
    # What one answer said and called is one message in Chat Completions.
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1].setdefault("tool_calls", []).append(call)


def _output(output: Any, where: str) -> str | list[Json]:
    """What came of a call: words, parts, or an object of which the words are its JSON."""
    if output is None or isinstance(output, str):
        return output or ""
    if isinstance(output, dict) and isinstance(output.get("image_url"), str):  # a computer's screen
        return [{"type": "image_url", "image_url": {"url": output["image_url"]}}]
    parts = isinstance(output, list) and all(isinstance(each, dict) and "type" in each for each in output)
    return _content(output, where, "user") if parts else orjson.dumps(output).decode()


def _content(content: object, where: str, role: str) -> str | list[Json]:
    if isinstance(content, str):
        return content
    if content is None and role == "assistant":
        return ""
    if not isinstance(content, list):
        raise invalid(where, "expected a string or an array of content parts")
    return [_part(part, f"{where}[{j}]") for j, part in enumerate(content)]


def _part(part: object, where: str) -> Json:
    if not isinstance(part, dict):
        raise invalid(where, "expected an object")
    kind = text_in(part, "type", where)
    mark = {"cache_control": part["cache_control"]} if "cache_control" in part else {}
    if kind in _TEXTS:
        return {"type": "text", "text": text_in(part, "text", where), **mark}
    if kind == "refusal":
        return {"type": "text", "text": text_in(part, "refusal", where)}
    if kind == "input_image":
        image = {"url": text_in(part, "image_url", where)}
        return {"type": "image_url", "image_url": image | {k: part[k] for k in ("detail",) if part.get(k)}, **mark}
    if kind == "input_file":
        fields = ("filename", "file_data", "file_url", "file_id")
        return {"type": "file", "file": {name: part[name] for name in fields if part.get(name) is not None}, **mark}
    return {"type": kind}  # of tomorrow, or nothing that can be seen: its type is said in words
