"""A Responses request as a Chat Completions request, so that both backends can serve it. Pure.

Shape: https://platform.openai.com/docs/api-reference/responses/create. Nothing is kept between requests: what leans on
something kept is refused. Tools that OpenAI itself would run, and fields without a counterpart, are left out.
"""

from typing import Any

from gateway.dialects.chat_completions.mistakes import named
from gateway.dialects.chat_completions.request import read_as
from gateway.dialects.interface import Json
from gateway.dialects.responses.declaration import RESPONSE
from gateway.dialects.responses.items import messages_of
from gateway.dialects.shapes import MistakeError

_CALLABLE = ("function", "custom")
_SAME = (
    "model",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "user",
    "metadata",
    "safety_identifier",
    "service_tier",
)


def read_responses_request(raw: bytes, content_type: str) -> Json:
    """Parse and check `raw`. Raises OpenAIError with the status and the field that is wrong."""
    body: Json = read_as(RESPONSE, raw, content_type)[0]
    if not body.get("instructions") and body.get("input") in (None, []):
        raise named(MistakeError("missing" if body.get("input") is None else "empty", "", None, "input"))
    return body


def to_chat(body: Json) -> Json:
    """The Chat Completions request."""
    chat: Json = {name: body[name] for name in _SAME if body.get(name) is not None}
    messages = messages_of(body.get("input") or [])
    if body.get("instructions"):
        messages.insert(0, {"role": "system", "content": body["instructions"]})
    chat["messages"] = messages or [{"role": "user", "content": ""}]  # items were there, none of them with words
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    if effort := (body.get("reasoning") or {}).get("effort"):
        chat["reasoning_effort"] = effort
    if wanted := _response_format((body.get("text") or {}).get("format")):
        chat["response_format"] = wanted
    if tools := _tools(body.get("tools") or []):
        chat["tools"] = tools
        if body.get("tool_choice") is not None:
            chat["tool_choice"] = _tool_choice(body["tool_choice"])
    if body.get("stream"):
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return chat


def _tools(tools: list[Json]) -> list[Json]:
    translated = []
    for tool in tools:
        kind = tool.get("type")
        if kind in _CALLABLE:
            names = ("name", "description", "parameters", "strict", "format")
            given = {name: tool[name] for name in names if tool.get(name) is not None}
            translated.append({"type": kind, kind: given})
    return translated


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    kind = choice.get("type")
    if kind in _CALLABLE:
        return {"type": kind, kind: {"name": choice.get("name")}}
    mode = "required" if choice.get("mode") == "required" else "auto"
    listed = choice.get("tools") if kind == "allowed_tools" else None
    allowed = [_tool_choice(each) for each in listed or () if isinstance(each, dict) and each.get("type") in _CALLABLE]
    return {"type": kind, "allowed_tools": {"mode": mode, "tools": allowed}} if allowed else mode


def _response_format(wanted: object) -> Json | None:
    if not isinstance(wanted, dict) or wanted.get("type") in (None, "text"):
        return None
    if wanted["type"] != "json_schema":
        return {"type": wanted["type"]}
    names = ("name", "description", "schema", "strict")
    return {
        "type": "json_schema",
        "json_schema": {name: wanted[name] for name in names if wanted.get(name) is not None},
    }
