"""A Responses request as a Chat Completions request, so that both backends can serve it. Pure.

Shape: https://platform.openai.com/docs/api-reference/responses/create. Nothing is kept between requests: what leans on
something kept is refused. Tools that OpenAI itself would run, and fields without a counterpart, are left out.
"""

from collections.abc import Callable
from typing import Any

from gateway.dialects.chat_completions.request import read_json_object
from gateway.dialects.errors import OpenAIError
from gateway.dialects.interface import Json

_STATELESS = "Nothing is kept between requests here: send the whole conversation in 'input'."
_KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
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
    for name in _KEPT_ELSEWHERE:
        if body.get(name) is not None:
            raise OpenAIError(400, f"'{name}' cannot be honoured. {_STATELESS}", "unsupported_parameter", name)
    if body.get("background"):
        raise OpenAIError(400, "'background' cannot be honoured: ask and wait.", "unsupported_parameter", "background")
    for name, (accepts, wanted) in _FIELDS.items():
        if body.get(name) is not None and not accepts(body[name]):
            raise _invalid(name, f"expected {wanted}")
    return body


def to_chat(body: Json) -> Json:
    """The Chat Completions request. Raises OpenAIError naming the item that is wrong."""
    chat: Json = {name: body[name] for name in _SAME if body.get(name) is not None}
    messages = _messages(body)
    if body.get("instructions"):
        messages.insert(0, {"role": "system", "content": body["instructions"]})
    chat["messages"] = messages
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


def _messages(body: Json) -> list[Json]:
    given = body.get("input")
    if given is None:
        raise OpenAIError(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    messages: list[Json] = []
    for i, item in enumerate(given):
        _add(messages, item, f"input[{i}]")
    if not messages:
        raise OpenAIError(400, "'input' is empty. Send at least one message.", "empty_array", "input")
    return messages


def _add(messages: list[Json], item: Json, where: str) -> None:
    match item.get("type", "message"):
        case "message":
            role = item.get("role")
            if role not in ("user", "assistant", "system", "developer"):
                raise _invalid(f"{where}.role", "use one of user, assistant, system, developer")
            messages.append({"role": role, "content": _content(item.get("content"), f"{where}.content")})
        case "function_call":
            call_id, name, arguments = (_text(item, field, where) for field in ("call_id", "name", "arguments"))
            call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            # What one answer said and called is one message in Chat Completions.
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append(call)
        case "function_call_output":
            content = _content(item.get("output"), f"{where}.output")
            messages.append({"role": "tool", "tool_call_id": _text(item, "call_id", where), "content": content})
        case "reasoning":
            pass  # earlier thoughts cannot be given back to a model that has not had them
        case _:
            raise _invalid(f"{where}.type", "messages, function calls and their outputs can be understood here")


def _content(content: object, where: str) -> str | list[Json]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _invalid(where, "expected a string or an array of content parts")
    return [_part(part, f"{where}[{j}]") for j, part in enumerate(content)]


def _part(part: object, where: str) -> Json:
    if not isinstance(part, dict):
        raise _invalid(where, "expected an object")
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": _text(part, "text", where)}
        case "refusal":
            return {"type": "text", "text": _text(part, "refusal", where)}
        case "input_image":
            image = {"url": _text(part, "image_url", where)}
            return {"type": "image_url", "image_url": image | {k: part[k] for k in ("detail",) if part.get(k)}}
        case "input_file":
            fields = ("filename", "file_data", "file_url", "file_id")
            return {"type": "file", "file": {name: part[name] for name in fields if part.get(name) is not None}}
    raise _invalid(f"{where}.type", "use one of input_text, output_text, refusal, input_image, input_file")


def _tools(tools: list[Json]) -> list[Json]:
    translated = []
    for i, tool in enumerate(tools):
        if tool.get("type") != "function":
            continue
        function = {"name": _text(tool, "name", f"tools[{i}]")}
        function |= {name: tool[name] for name in ("description", "parameters", "strict") if tool.get(name) is not None}
        translated.append({"type": "function", "function": function})
    return translated


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    if choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return "required" if choice.get("mode") == "required" else "auto"


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


def _text(holder: Json, name: str, where: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise _invalid(f"{where}.{name}", "expected a string")
    return value


def _invalid(where: str, wanted: str) -> OpenAIError:
    return OpenAIError(400, f"Invalid value for '{where}': {wanted}.", "invalid_value", where)


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
    "max_output_tokens": (
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
        "an integer above 0",
    ),
    "parallel_tool_calls": (lambda value: isinstance(value, bool), "true or false"),
    "tools": (_is_objects, "an array of objects"),
    "tool_choice": (lambda value: isinstance(value, str | dict), "a string or an object"),
    "text": (lambda value: isinstance(value, dict), "an object"),
    "reasoning": (lambda value: isinstance(value, dict), "an object"),
    "metadata": (lambda value: isinstance(value, dict), "an object"),
}
