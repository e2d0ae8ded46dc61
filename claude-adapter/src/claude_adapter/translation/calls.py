"""An earlier answer's tool calls, as some model has written them, as `tool_use` blocks. Pure.

OpenAI takes any string for arguments; Claude an object only, and ids and names of fewer characters.
"""

import re
from typing import Any

import orjson

from claude_adapter.errors import BadRequestError

Json = dict[str, Any]

_ODD_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")
_NAME_LIMIT = 128
_DEEPEST = 200  # what is nested deeper could be read, and not written again


class OpenCalls:
    """The calls that wait for a result, in their order: a result without an id belongs to the first of its tool."""

    def __init__(self) -> None:
        self._made = 0
        self._waiting: list[tuple[str, str]] = []  # id and name

    def forget(self) -> None:
        """The person speaks: what waits now is answered by nothing that follows."""
        self._waiting = []

    def opened(self, call_id: str | None, name: str) -> str:
        """A call's id, made up where it came without one."""
        if call_id is None:
            self._made += 1
            call_id = f"call_without_id_{self._made}"
        self._waiting.append((call_id, name))
        return call_id

    def answered(self, call_id: str | None, name: object) -> str:
        """A result's id, that of its call where it came without one."""
        if call_id is None:
            ids = [waiting for waiting, called in self._waiting if called == name]
            ids += [waiting for waiting, _ in self._waiting]
            call_id = ids[0] if ids else "nobodys_call"
        self._waiting = [each for each in self._waiting if each[0] != call_id]
        return call_id


def call_blocks(message: Json, path: str, calls: OpenCalls) -> list[Json]:
    """An assistant message's calls, `function_call` of before tools included. Raises `BadRequestError`."""
    given = message.get("tool_calls") or []
    if not isinstance(given, list):
        raise BadRequestError(f"{path}.tool_calls must be a list.", f"{path}.tool_calls")
    blocks = [_tool_use(call, f"{path}.tool_calls[{index}]", calls) for index, call in enumerate(given)]
    if message.get("function_call") is not None:
        blocks.append(_tool_use({"function": message["function_call"]}, f"{path}.function_call", calls))
    return blocks


def result_id(message: Json, calls: OpenCalls) -> str:
    """The id of the call that a tool's or a function's message is the result of."""
    return calls.answered(_id_of(message.get("tool_call_id")), message.get("name"))


def _tool_use(call: object, path: str, calls: OpenCalls) -> Json:
    match call:
        case {"type": "custom", "custom": {"name": str(name), "input": text}}:  # free text
            given: Json = {"input": text}
        case {"function": {"name": str(name), **function}}:
            given = _arguments(function.get("arguments"))
        case {"custom": {"name": str(name)}}:
            given = {}
        case _:
            raise BadRequestError(f"{path} must be a function call with a name.", f"{path}.function.name")
    call_id = calls.opened(_id_of(call.get("id") if isinstance(call, dict) else None), name)
    # Another model may have made up the name: Claude must only be able to read it.
    name = _ODD_CHARACTER.sub("_", name)[:_NAME_LIMIT] or "_"
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def _arguments(arguments: object) -> Json:
    """A JSON object as it is; anything else, a text that was cut for instance, as an object that holds it."""
    if arguments is None or arguments == "":
        return {}
    if isinstance(arguments, str):
        try:
            parsed = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            parsed = None
        shallow = arguments.count("{") + arguments.count("[") <= _DEEPEST or _can_be_written(parsed)
        return parsed if isinstance(parsed, dict) and shallow else {"arguments": arguments}
    return arguments if isinstance(arguments, dict) else {"arguments": arguments}


def _can_be_written(parsed: object) -> bool:
    for _ in range(254 - _DEEPEST):  # 254 is orjson's limit
        parsed = [parsed]
    try:
        orjson.dumps(parsed)
    except orjson.JSONEncodeError:
        return False
    return True


def _id_of(value: object) -> str | None:
    """Claude allows fewer characters in an id than other models use; the call and its result change alike."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return _ODD_CHARACTER.sub("_", str(value))
