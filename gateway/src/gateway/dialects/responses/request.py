"""A Responses request as a Chat Completions request, so that both backends can serve it. Pure.

Shape: https://platform.openai.com/docs/api-reference/responses/create. Nothing is kept between requests: what leans on
something kept is refused. Tools that OpenAI itself would run, and fields without a counterpart, are left out.
"""

from collections.abc import Callable
from typing import Any

from gateway.dialects.chat_completions.request import read_json_object
from gateway.dialects.errors import OpenAIError
from gateway.dialects.interface import Json
from gateway.dialects.json_body import is_whole_number
from gateway.dialects.responses.items import invalid, messages_of, text_in

_STATELESS = "Nothing is kept between requests here: send the whole conversation in 'input'."
_CALLABLE = ("function", "custom")
KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
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
    body = read_json_object(raw, content_type)
    for name in KEPT_ELSEWHERE:
        if body.get(name) is not None:
            raise OpenAIError(400, f"'{name}' cannot be honoured. {_STATELESS}", "unsupported_parameter", name)
    if body.get("background"):
        raise OpenAIError(400, "'background' cannot be honoured: ask and wait.", "unsupported_parameter", "background")
    for name, (accepts, wanted) in _FIELDS.items():
        if body.get(name) is not None and not accepts(body[name]):
            raise invalid(name, f"expected {wanted}")
    return body


def to_chat(body: Json) -> Json:
    """The Chat Completions request. Raises OpenAIError naming the item that is wrong."""
    chat: Json = {name: body[name] for name in _SAME if body.get(name) is not None}
    messages = messages_of(body.get("input"))
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
    for i, tool in enumerate(tools):
        kind = tool.get("type")
        if kind in _CALLABLE:
            given = {"name": text_in(tool, "name", f"tools[{i}]")}
            names = ("description", "parameters", "strict", "format")
            given |= {name: tool[name] for name in names if tool.get(name) is not None}
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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "model": (lambda value: isinstance(value, str), "a string"),
    "input": (lambda value: isinstance(value, str) or _is_objects(value), "a string or an array of items"),
    "instructions": (lambda value: isinstance(value, str), "a string"),
    "stream": (lambda value: isinstance(value, bool), "true or false"),
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "max_output_tokens": (lambda value: is_whole_number(value, 1), "an integer above 0"),
    "parallel_tool_calls": (lambda value: isinstance(value, bool), "true or false"),
    "tools": (_is_objects, "an array of objects"),
    "tool_choice": (lambda value: isinstance(value, str | dict), "a string or an object"),
    "text": (lambda value: isinstance(value, dict), "an object"),
    "reasoning": (lambda value: isinstance(value, dict), "an object"),
    "metadata": (lambda value: isinstance(value, dict), "an object"),
}
