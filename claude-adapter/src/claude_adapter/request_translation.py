"""A Chat Completions request as a Messages request. Pure: dict in, dict out.

What Claude has no counterpart for is left out, as in the vendor's own compatibility layer; what is wrong is refused
with the name of the field.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from claude_adapter.errors import BadRequestError
from claude_adapter.message_order import in_valid_order

_DATA_URL = re.compile(r"data:(?P<kind>[^;,]*)(?P<options>[^,]*),(?P<data>.*)", re.DOTALL)
_IMAGE_KINDS = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_ODD_ID_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")

Json = dict[str, Any]


def to_messages(request: Json, default_model: str, default_max_tokens: int) -> Json:
    """The body for `POST /v1/messages`, always with `"stream": true`. Raises `BadRequestError`."""
    if request.get("n") not in (None, 1):
        raise BadRequestError("n must be 1: Claude gives one answer per request.", "n")
    system, messages = _conversation(request)
    body: Json = {
        "model": model_for(request, default_model),
        "max_tokens": _max_tokens(request, default_max_tokens),
        "messages": messages,
        "stream": True,
    }
    system += _format_wish(request)
    if system:
        body["system"] = "\n".join(system)
    body |= _sampling(request)
    body |= _tools(request)
    if stop := _stop_sequences(request):
        body["stop_sequences"] = stop
    if user := _typed(request, "user", str, "a string"):
        body["metadata"] = {"user_id": user}
    if isinstance(request.get("thinking"), dict):  # Claude's own field, as the vendor's compatibility layer takes it
        body["thinking"] = request["thinking"]
    return body


def model_for(request: Json, default_model: str) -> str:
    """The Claude model to ask: any `claude-*` as it is, the default for every other name."""
    model = request.get("model")
    return model if isinstance(model, str) and model.startswith("claude-") else default_model


def wants_stream(request: Json) -> bool:
    """Whether the client asked for a stream."""
    return bool(_typed(request, "stream", bool, "true or false"))


def wants_usage_chunk(request: Json) -> bool:
    """Whether the client asked for a last chunk with the token counts."""
    options = _typed(request, "stream_options", dict, "an object")
    return bool(options and options.get("include_usage"))


def _conversation(request: Json) -> tuple[list[str], list[Json]]:
    """The system texts, and the messages with neighbours of one role merged into one."""
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
                _append(messages, "user", _user_blocks(message, path))
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
    messages = in_valid_order(messages)
    _trim_end(messages)
    return system, messages


def _append(messages: list[Json], role: str, blocks: list[Json]) -> None:
    if not blocks:
        return
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += blocks
    else:
        messages.append({"role": role, "content": blocks})


def _trim_end(messages: list[Json]) -> None:
    """Claude refuses a final assistant text that ends in white space."""
    last_block = messages[-1]["content"][-1]
    if messages[-1]["role"] == "assistant" and last_block["type"] == "text":
        last_block["text"] = last_block["text"].rstrip()


def _user_blocks(message: Json, path: str) -> list[Json]:
    content = message.get("content")
    if isinstance(content, str):
        return _text_blocks(content)
    return [block for part, at in _parts(content, f"{path}.content") for block in _part_blocks(part, at)]


def _assistant_blocks(message: Json, path: str) -> list[Json]:
    content = message.get("content")
    blocks = _text_blocks(content) if isinstance(content, str) else []
    if isinstance(content, list):
        for part, at in _parts(content, f"{path}.content"):
            blocks += _text_blocks(_part_text(part, at))
    elif content is not None and not isinstance(content, str):
        raise BadRequestError(f"{path}.content must be a string or a list of parts.", f"{path}.content")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequestError(f"{path}.tool_calls must be a list.", f"{path}.tool_calls")
    return blocks + [_tool_use(call, f"{path}.tool_calls[{index}]") for index, call in enumerate(calls)]


def _tool_use(call: object, path: str) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadRequestError(f"{path} must be a function call with a name.", f"{path}.function.name")
    return {
        "type": "tool_use",
        "id": _tool_id(call.get("id"), f"{path}.id"),
        "name": function["name"],
        "input": _arguments(function.get("arguments"), f"{path}.function.arguments"),
    }


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
    elif content is not None:
        blocks = [block for part, at in _parts(content, f"{path}.content") for block in _part_blocks(part, at)]
        if blocks:
            block["content"] = blocks
    return block


def _tool_id(value: object, path: str) -> str:
    """Claude allows fewer characters in an id than other brains use; the call and its result change alike."""
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"{path} must be a string.", path)
    return _ODD_ID_CHARACTER.sub("_", value)


def _parts(content: object, path: str) -> list[tuple[Json, str]]:
    if not isinstance(content, list):
        raise BadRequestError(f"{path} must be a string or a list of parts.", path)
    parts: list[tuple[Json, str]] = []
    for index, part in enumerate(content):
        at = f"{path}[{index}]"
        if not isinstance(part, dict):
            raise BadRequestError(f"{at} must be an object.", at)
        parts.append((part, at))
    return parts


def _part_blocks(part: Json, path: str) -> list[Json]:
    if part.get("type") == "image_url":
        return [_image(part, f"{path}.image_url")]
    return _text_blocks(_part_text(part, path))


def _part_text(part: Json, path: str) -> str:
    kind = part.get("type")
    if kind not in ("text", "refusal"):
        raise BadRequestError(f"{path}.type {str(kind)[:50]!r} is not supported here.", f"{path}.type")
    if not isinstance(text := part.get(kind), str):
        raise BadRequestError(f"{path}.{kind} must be a string.", f"{path}.{kind}")
    return text


def _texts(message: Json, path: str) -> list[str]:
    content = message.get("content")
    texts = (
        [content] if isinstance(content, str) else [_part_text(*part) for part in _parts(content, f"{path}.content")]
    )
    return [text for text in texts if text.strip()]


def _text_blocks(text: str) -> list[Json]:
    return [{"type": "text", "text": text}] if text.strip() else []  # Claude refuses empty text blocks


def _image(part: Json, path: str) -> Json:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    path = f"{path}.url"
    if not isinstance(url, str):
        raise BadRequestError(f"{path} must be a string.", path)
    if url.startswith(("https://", "http://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    if (match := _DATA_URL.fullmatch(url)) is None:
        raise BadRequestError(f"{path} must be an http(s) address or a data: URL.", path)
    kind = match["kind"].lower().replace("image/jpg", "image/jpeg")
    if kind not in _IMAGE_KINDS:
        raise BadRequestError(f"{path}: Claude reads JPEG, PNG, GIF and WebP, not {kind[:50]!r}.", path)
    if not match["options"].lower().endswith(";base64") or not match["data"]:
        raise BadRequestError(f"{path} must hold base64 data.", path)
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": match["data"]}}


def _max_tokens(request: Json, default: int) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if (value := request.get(name)) is not None:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise BadRequestError(f"{name} must be a whole number above 0.", name)
            return value
    return default


def _sampling(request: Json) -> Json:
    fields: Json = {}
    if (temperature := _number(request, "temperature")) is not None:
        fields["temperature"] = min(1.0, max(0.0, temperature))  # OpenAI goes to 2, Claude to 1
    top_p = _number(request, "top_p")
    if top_p is not None and top_p < 1:  # 1 is "off", and newer models refuse it beside a temperature
        fields["top_p"] = top_p
    return fields


def _stop_sequences(request: Json) -> list[str]:
    stop = request.get("stop")
    if stop is None:
        return []
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise BadRequestError("stop must be a string or a list of strings.", "stop")
    return [text for text in stops if text.strip()]


def _tools(request: Json) -> Json:
    given = _typed(request, "tools", list, "a list")
    if not given:
        return {}
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(given)]
    choice = _tool_choice(request.get("tool_choice"))
    if request.get("parallel_tool_calls") is False:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return {"tools": tools, "tool_choice": choice} if choice else {"tools": tools}


def _tool(tool: object, path: str) -> Json:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type", "function") == "function" else None
    if not isinstance(function, dict):
        raise BadRequestError(f"{path} must be a function.", path)
    if not isinstance(name := function.get("name"), str):
        raise BadRequestError(f"{path}.function.name must be a string.", f"{path}.function.name")
    schema = function.get("parameters") or {}
    if not isinstance(schema, dict):
        raise BadRequestError(f"{path}.function.parameters must be a JSON schema.", f"{path}.function.parameters")
    translated: Json = {"name": name, "input_schema": {"type": "object", **schema}}
    if description := function.get("description"):
        translated["description"] = description
    return translated


def _tool_choice(choice: object) -> Json | None:
    match choice:
        case None:
            return None
        case "auto" | "none":
            return {"type": choice}
        case "required":
            return {"type": "any"}
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "tool", "name": name}
    raise BadRequestError("tool_choice must be none, auto, required or a named function.", "tool_choice")


def _format_wish(request: Json) -> list[str]:
    """JSON mode as a sentence in the system prompt."""
    wish = _typed(request, "response_format", dict, "an object") or {}
    match wish.get("type"):
        case None | "text":
            return []
        case "json_object":
            return ["Answer with one JSON object only: no other text, no code fence."]
        case "json_schema":
            schema = wish["json_schema"].get("schema") if isinstance(wish.get("json_schema"), dict) else None
            if not isinstance(schema, dict):
                path = "response_format.json_schema.schema"
                raise BadRequestError(f"{path} must be a JSON schema.", path)
            rule = orjson.dumps(schema).decode()
            return [f"Answer with one JSON value only: no other text, no code fence. It must fit this schema: {rule}"]
    raise BadRequestError("response_format.type must be text, json_object or json_schema.", "response_format.type")


def _number(request: Mapping[str, Any], name: str) -> float | None:
    value = request.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BadRequestError(f"{name} must be a number.", name)
    return value


def _typed(request: Mapping[str, Any], name: str, kind: type, what: str) -> Any:
    value = request.get(name)
    if value is not None and not isinstance(value, kind):
        raise BadRequestError(f"{name} must be {what}.", name)
    return value
