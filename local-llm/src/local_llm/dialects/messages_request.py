"""The body of `POST /v1/messages` as a Chat Completions request. Pure.

What a small model cannot see is handed on under its type, and becomes a marker where conversations are flattened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from local_llm.dialects.chat_request import ChatRequest, ResponseFormat, checked, stops_in
from local_llm.dialects.errors import BadRequestError
from local_llm.dialects.numbers import Length, Probability, Temperature, TopK

Json = dict[str, Any]
_MARKED = ("image", "document", "thinking", "redacted_thinking")


class OutputConfig(BaseModel):
    """Anthropic's `output_config`; its effort has no meaning here."""

    model_config = ConfigDict(strict=True)
    format: Json | None = None


class CountRequest(BaseModel):
    """What is counted of a request: all that makes its prompt."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    messages: list[Any] = Field(min_length=1)
    system: str | list[Any] | None = None
    tools: list[Any] | None = None
    tool_choice: Json | None = None


class MessagesRequest(CountRequest):
    """What this service understands of a request; other fields are let pass and have no effect."""

    max_tokens: Length
    stream: bool | None = None
    temperature: Temperature = None
    top_p: Probability = None
    top_k: TopK = None
    stop_sequences: Any = None
    output_config: OutputConfig | None = None
    output_format: Json | None = None  # its name while it was in beta


def parse_messages(body: bytes) -> ChatRequest:
    """Check a body and translate it. Raises `BadRequestError` naming the first field that is wrong."""
    request = checked(MessagesRequest, body)
    wanted_format = (request.output_config.format if request.output_config else None) or request.output_format
    return ChatRequest(
        messages=_conversation(request),
        stream=request.stream,
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=[stop for stop in stops_in(request.stop_sequences) if stop.strip()],
        response_format=_response_format(wanted_format),
        tools=_tools(request.tools),
        tool_choice=_tool_choice(request.tool_choice),
    )


def parse_count(body: bytes) -> ChatRequest:
    """The same for `POST /v1/messages/count_tokens`."""
    request = checked(CountRequest, body)
    return ChatRequest(
        messages=_conversation(request), tools=_tools(request.tools), tool_choice=_tool_choice(request.tool_choice)
    )


def _conversation(request: CountRequest) -> list[Json]:
    messages: list[Json] = []
    if request.system:
        messages.append({"role": "system", "content": _system(request.system)})
    for index, message in enumerate(request.messages):
        where = f"messages.{index}"
        if not isinstance(message, Mapping):
            raise BadRequestError(where, f"`{where}` must be an object with `role` and `content`.")
        role = message.get("role")
        blocks = _blocks(message.get("content"), f"{where}.content")
        if role == "assistant":
            messages.append(_assistant(blocks, f"{where}.content"))
        elif role == "user":
            messages += _user(blocks, f"{where}.content")
        elif role == "system":
            messages.append({"role": "system", "content": _parts(blocks, f"{where}.content")})
        else:
            raise BadRequestError(f"{where}.role", f"`{where}.role` must be user or assistant.")
    return messages


def _system(system: str | list[Any]) -> Any:
    return system if isinstance(system, str) else _parts(_blocks(system, "system"), "system")


def _assistant(blocks: list[Mapping[str, Any]], where: str) -> Json:
    said = [block for block in blocks if block["type"] != "tool_use"]
    calls = [_call(block, where) for block in blocks if block["type"] == "tool_use"]
    return {"role": "assistant", "content": _parts(said, where)} | ({"tool_calls": calls} if calls else {})


def _call(block: Mapping[str, Any], where: str) -> Json:
    if not isinstance(block.get("name"), str):
        raise BadRequestError(where, f"A tool_use block in `{where}` must have a `name`.")
    arguments = orjson.dumps(block.get("input", {})).decode()
    return {"id": block.get("id"), "type": "function", "function": {"name": block["name"], "arguments": arguments}}


def _user(blocks: list[Mapping[str, Any]], where: str) -> list[Json]:
    """Results of tools as messages of their own, in front of what the person said."""
    results = [
        {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": _result(block, where)}
        for block in blocks
        if block["type"] == "tool_result"
    ]
    said = [block for block in blocks if block["type"] != "tool_result"]
    return [*results, {"role": "user", "content": _parts(said, where)}] if said or not results else results


def _result(block: Mapping[str, Any], where: str) -> list[Json]:
    failed = [{"type": "text", "text": "error:"}] if block.get("is_error") else []
    content = block.get("content")
    return failed + ([] if content is None else _parts(_blocks(content, where), where))


def _blocks(content: Any, where: str) -> list[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise BadRequestError(where, f"`{where}` must be a string or a list of blocks.")
    for index, block in enumerate(content):
        if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
            raise BadRequestError(f"{where}.{index}", f"`{where}.{index}` must be an object with a `type`.")
    return content


def _parts(blocks: list[Mapping[str, Any]], where: str) -> list[Json]:
    return [_part(block, where) for block in blocks]


def _part(block: Mapping[str, Any], where: str) -> Json:
    kind: str = block["type"]
    if kind in _MARKED:
        return {"type": kind}
    if kind != "text":  # blocks come and go with Claude's tools: all the model needs to know is that there was one
        return {"type": "text", "text": f"[{kind.replace('_', ' ')}]"}
    if not isinstance(block.get("text"), str):
        raise BadRequestError(where, f"A text block in `{where}` must have a `text` that is a string.")
    return {"type": "text", "text": block["text"]}


def _response_format(wanted: Json | None) -> ResponseFormat | None:
    if wanted is None or wanted.get("type") != "json_schema":
        return None
    return ResponseFormat(type="json_schema", json_schema={"schema": wanted.get("schema")})


def _tools(tools: list[Any] | None) -> list[Json] | None:
    if tools is None:
        return None
    translated = []
    for index, tool in enumerate(tools):
        if not isinstance(tool, Mapping):
            raise BadRequestError(f"tools.{index}", f"`tools.{index}` must be an object.")
        if isinstance(tool.get("name"), str) and isinstance(tool.get("input_schema"), Mapping):
            function = {
                "name": tool["name"],
                "description": tool.get("description"),
                "parameters": tool["input_schema"],
            }
            translated.append({"type": "function", "function": function})
    return translated  # the others run on Anthropic's servers


def _tool_choice(choice: Json | None) -> Any:
    kind = None if choice is None else choice.get("type")
    if choice is None or kind in ("auto", "none"):
        return kind
    if kind == "any":
        return "required"
    if kind == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    raise BadRequestError("tool_choice.type", "`tool_choice.type` must be auto, any, tool or none.")
