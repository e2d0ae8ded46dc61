"""The items of a Responses request as messages of Chat Completions. Pure.

An item that is unknown here is left out: a newer client's history never ends a conversation. One that calls something
and names its call, or brings what came of it, is told as a call of a function, whatever its type.
"""

from typing import Any

import orjson

from gateway.dialects.interface import Json

_TEXTS = ("input_text", "output_text", "text")
# What is said of an item elsewhere, and is no part of what was called.
_ABOUT_ITEMS = ("type", "id", "call_id", "status", "name", "namespace", "pending_safety_checks")


def messages_of(given: str | list[Json]) -> list[Json]:
    """The messages of a checked `input`."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    messages: list[Json] = []
    for item in given:
        _add(messages, item)
    return messages


def _add(messages: list[Json], item: Json) -> None:
    kind = item.get("type")
    if kind is None:
        kind = "message" if "role" in item else "item_reference"
    if kind == "message":
        messages.append({"role": item["role"], "content": _content(item.get("content"))})
    elif kind in ("function_call", "custom_tool_call") or (
        kind.endswith("_call") and isinstance(item.get("call_id"), str)
    ):
        _add_call(messages, item)
    elif kind.endswith("_call_output"):
        result = {"role": "tool", "content": _output(item.get("output"))}
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


def _output(output: Any) -> str | list[Json]:
    """What came of a call: words, parts, or an object of which the words are its JSON."""
    if output is None or isinstance(output, str):
        return output or ""
    if isinstance(output, dict) and isinstance(output.get("image_url"), str):  # a computer's screen
        return [{"type": "image_url", "image_url": {"url": output["image_url"]}}]
    parts = isinstance(output, list) and all(isinstance(each, dict) and "type" in each for each in output)
    return _content(output) if parts else orjson.dumps(output).decode()


def _content(content: str | list[Json] | None) -> str | list[Json]:
    return [_part(part) for part in content] if isinstance(content, list) else content or ""


def _part(part: Json) -> Json:
    """A part as Chat Completions has it; that of an output may be of any form."""
    kind = part["type"]
    mark = {"cache_control": part["cache_control"]} if "cache_control" in part else {}
    if kind in _TEXTS:
        return {"type": "text", "text": _text(part.get("text")), **mark}
    if kind == "refusal":
        return {"type": "text", "text": _text(part.get("refusal"))}
    if kind == "input_image":
        image = part.get("image_url")
        image = image if isinstance(image, dict) else {"url": image}
        return {"type": "image_url", "image_url": image | {k: part[k] for k in ("detail",) if part.get(k)}, **mark}
    if kind == "input_file":
        fields = ("filename", "file_data", "file_url", "file_id")
        return {"type": "file", "file": {name: part[name] for name in fields if part.get(name) is not None}, **mark}
    return {"type": str(kind)}  # of tomorrow, or nothing that can be seen: its type is said in words


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
