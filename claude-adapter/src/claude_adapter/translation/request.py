"""A Chat Completions request as a Messages request. Pure: dict in, dict out.

What Claude has no counterpart for is left out, as in the vendor's own compatibility layer; a value that means nothing
counts as not given. What is refused here the gateway refuses before, in the same way for both backends.
"""

from typing import Any

import orjson

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.cache_marks import keep_to_limits
from claude_adapter.translation.conversation import conversation
from claude_adapter.translation.fields import number, object_in, typed, whole_number
from claude_adapter.translation.model_traits import ModelTraits, traits_of
from claude_adapter.translation.output_schema import output_schema
from claude_adapter.translation.thinking import thinking_fields
from claude_adapter.translation.tools import is_forced, tool_fields
from claude_adapter.translation.user_id import user_id

Json = dict[str, Any]

_MOST_TOP_K = 500  # as Bedrock documents it for Claude; the API itself names no limit
_JSON_ONLY = "no other text, no code fence."


def to_messages(request: Json, default_model: str, default_max_tokens: int) -> Json:
    """The body for `POST /v1/messages`, always with `"stream": true`. Raises `BadRequestError`."""
    if request.get("n") not in (None, 1):
        raise BadRequestError("n must be 1: Claude gives one answer per request.", "n")
    model = model_for(request, default_model)
    traits = traits_of(model)
    max_tokens = _max_tokens(request, default_max_tokens)
    system, messages = conversation(request)
    tools, choice_words = tool_fields(request, traits)
    form, form_words = _answer_form(request, traits)
    thinking, effort = thinking_fields(
        request, traits, max_tokens, forced_tool=is_forced(tools), after_tool=_is_tool_turn(messages[-1])
    )
    body: Json = {"model": model, "max_tokens": max_tokens, "messages": messages, "stream": True}
    system += [{"type": "text", "text": words} for words in choice_words + form_words]
    if any("cache_control" in block for block in system):
        body["system"] = system
    elif system:
        body["system"] = "\n".join(block["text"] for block in system)
    body |= tools
    if thinking is not None:
        body["thinking"] = thinking
    if output_config := ({"effort": effort} if effort else {}) | form:
        body["output_config"] = output_config
    sampling = _sampling(request, traits)
    if traits.takes_sampling and thinking is None:
        body |= sampling
    if stop := _stop_sequences(request):
        body["stop_sequences"] = stop
    if user := user_id(request):
        body["metadata"] = {"user_id": user}
    keep_to_limits(body)
    return body


def model_for(request: Json, default_model: str) -> str:
    """The Claude model to ask: any `claude-*` as it is, the default for every other name."""
    model = request.get("model")
    return model if isinstance(model, str) and model.startswith("claude-") else default_model


def wants_stream(request: Json) -> bool:
    """Whether the client asked for a stream."""
    return bool(typed(request, "stream", bool, "true or false"))


def wants_usage_chunk(request: Json) -> bool:
    """Whether the client asked for a last chunk with the token counts."""
    return bool(object_in(request, "stream_options").get("include_usage"))


def _is_tool_turn(message: Json) -> bool:
    return any(block["type"] == "tool_result" for block in message["content"])


def _max_tokens(request: Json, default: int) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if (value := request.get(name)) is not None:
            tokens = whole_number(value)
            if tokens is None or tokens < 1:
                raise BadRequestError(f"{name} must be a whole number above 0.", name)
            return tokens
    return default


def _sampling(request: Json, traits: ModelTraits) -> Json:
    fields: Json = {}
    if (temperature := number(request, "temperature")) is not None:
        fields["temperature"] = min(1.0, max(0.0, temperature))  # OpenAI goes to 2, Claude to 1
    top_p = number(request, "top_p")
    if top_p is not None and 0 <= top_p < 1 and (not fields or traits.takes_temperature_beside_top_p):  # 1 is "off"
        fields["top_p"] = top_p
    top_k = whole_number(request.get("top_k"))
    if top_k is not None and top_k > 0:  # other servers' "off" is 0 or -1
        fields["top_k"] = min(top_k, _MOST_TOP_K)
    return fields


def _stop_sequences(request: Json) -> list[str]:
    stop = request.get("stop")
    if stop is None:
        return []
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise BadRequestError("stop must be a string or a list of strings.", "stop")
    return [text for text in stops if text.strip()]


def _answer_form(request: Json, traits: ModelTraits) -> tuple[Json, list[str]]:
    """JSON mode: `output_config.format` where schema and model allow it, a sentence in the system prompt elsewhere."""
    wish = typed(request, "response_format", dict, "an object") or {}
    match wish.get("type"):
        case None | "text":
            return {}, []
        case "json_object":
            return {}, [f"Answer with one JSON object only: {_JSON_ONLY}"]
        case "json_schema":
            path = "response_format.json_schema.schema"
            schema = wish["json_schema"].get("schema") if isinstance(wish.get("json_schema"), dict) else None
            if not isinstance(schema, dict):
                raise BadRequestError(f"{path} must be a JSON schema.", path)
            if traits.takes_output_schema and (fitted := output_schema(schema)) is not None:
                return {"format": {"type": "json_schema", "schema": fitted}}, []
            try:
                rule = orjson.dumps(schema).decode()
            except orjson.JSONEncodeError:
                raise BadRequestError(f"{path} is nested too deeply.", path) from None
            return {}, [f"Answer with one JSON value only: {_JSON_ONLY} It must fit this schema: {rule}"]
    raise BadRequestError("response_format.type must be text, json_object or json_schema.", "response_format.type")
