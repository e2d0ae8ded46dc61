"""Refuses what the real API refuses, in its words: headers and the fields of a request."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import orjson

from .errors import ApiError, invalid
from .messages import NEW_VERSION, OLD_VERSION, Conversation, MessageWalk
from .model_rules import check_model_rules, omits_thinking

SAMPLING = ("temperature", "top_p", "top_k")
TOKENS_PER_IMAGE = 1600  # what a large image costs
CHARACTERS_PER_TOKEN = 4

_KNOWN_FIELDS = frozenset(
    [
        "billing_policy",
        "cache_control",
        "compaction",
        "container",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "max_tokens",
        "mcp_servers",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "thread",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "user_profile_id",
        "workspace_id",
    ]
)


def check_key(x_api_key: str | None, authorization: str | None, valid_keys: Collection[str] | None) -> None:
    """401 unless the key is one of `valid_keys` (None: anything that starts with `sk-ant-`). `x-api-key` wins."""
    if x_api_key is not None:
        key, refusal = x_api_key, "invalid x-api-key"
    elif authorization is not None and authorization[:7].lower() == "bearer ":
        key, refusal = authorization[7:].strip(), "Invalid bearer token"
    else:
        raise ApiError(401, "authentication_error", "x-api-key header is required")
    if not (key.startswith("sk-ant-") if valid_keys is None else key in valid_keys):
        raise ApiError(401, "authentication_error", refusal)


def check_version(version: str | None) -> str:
    """400 without an `anthropic-version` that exists."""
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version not in (OLD_VERSION, NEW_VERSION):
        raise invalid(f"anthropic-version: {version!r} is not a valid version")
    return version


def check_messages_request(raw: bytes, version: str, *, counting: bool = False) -> Conversation:
    """A Conversation from a request body, or the ApiError that the real API would answer.

    `counting` is for count_tokens, where `max_tokens` is not needed."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise invalid("Input should be a valid dictionary")
    for name in body:
        if name not in _KNOWN_FIELDS:
            raise invalid(f"{name}: Extra inputs are not permitted")
    model = _required(body, "model", str, "string")
    max_tokens = 0 if counting else _max_tokens(body)
    messages = _required(body, "messages", list, "list")
    if not model:
        raise invalid("model: String should have at least 1 character")
    if not model.startswith("claude-"):
        raise ApiError(404, "not_found_error", f"model: {model}")
    stream = body.get("stream", False)
    if not isinstance(stream, bool):
        raise invalid("stream: Input should be a valid boolean")
    conversation = Conversation(model=model, max_tokens=max_tokens, stream=stream)
    _check_sampling(body, version)
    _read_stop_sequences(body, conversation)
    _read_tools(body, conversation)
    _read_thinking(body, conversation, counting=counting)
    _read_output_format(body, conversation)
    _check_metadata(body.get("metadata"))
    check_cache_marks(body)
    check_model_rules(body, model)
    walk = MessageWalk(conversation, version)
    walk.system(body.get("system"))
    walk.messages(messages)
    if conversation.thinking and body["thinking"]["type"] == "enabled":
        _check_thoughts_of_open_call(messages)
    characters = walk.characters + (len(orjson.dumps(body["tools"])) if conversation.tools else 0)
    conversation.input_tokens = (
        3 * len(messages)  # role markers
        + 1
        + characters // CHARACTERS_PER_TOKEN
        + TOKENS_PER_IMAGE * len(conversation.image_media_types)
    )
    return conversation


def _required(body: dict[str, Any], name: str, kind: type, kind_name: str) -> Any:
    if name not in body:
        raise invalid(f"{name}: Field required")
    if not isinstance(body[name], kind):
        raise invalid(f"{name}: Input should be a valid {kind_name}")
    return body[name]


def _max_tokens(body: dict[str, Any]) -> int:
    max_tokens = _required(body, "max_tokens", int, "integer")
    if isinstance(max_tokens, bool):
        raise invalid("max_tokens: Input should be a valid integer")
    if max_tokens < 0:
        raise invalid("max_tokens: Input should be greater than or equal to 0")
    return int(max_tokens)


def _check_sampling(body: dict[str, Any], version: str) -> None:
    given = [name for name in SAMPLING if body.get(name) is not None]
    if not given:
        return
    if version == NEW_VERSION:
        raise invalid(f"{given[0]}: not supported with anthropic-version {NEW_VERSION}")
    for name in given:
        value = body[name]
        if isinstance(value, bool) or not isinstance(value, int if name == "top_k" else (int, float)):
            raise invalid(f"{name}: Input should be a valid {'integer' if name == 'top_k' else 'number'}")
        if name != "top_k" and not 0 <= value <= 1:
            bound = "less than or equal to 1" if value > 1 else "greater than or equal to 0"
            raise invalid(f"{name}: Input should be {bound}")


def _read_stop_sequences(body: dict[str, Any], conversation: Conversation) -> None:
    given = body.get("stop_sequences")
    if given is None:
        return
    if not isinstance(given, list):
        raise invalid("stop_sequences: Input should be a valid list")
    for position, sequence in enumerate(given):
        if not isinstance(sequence, str):
            raise invalid(f"stop_sequences.{position}: Input should be a valid string")
        if not sequence.strip():
            raise invalid("stop_sequences: each stop sequence must contain non-whitespace")
    conversation.stop_sequences = given


def _read_tools(body: dict[str, Any], conversation: Conversation) -> None:
    tools = body.get("tools")
    choice = body.get("tool_choice")
    if tools is not None and not isinstance(tools, list):
        raise invalid("tools: Input should be a valid list")
    for position, tool in enumerate(tools or ()):
        if not isinstance(tool, dict):
            raise invalid(f"tools.{position}: Input should be a valid dictionary")
        is_custom = tool.get("type", "custom") in ("custom", None)
        place = f"tools.{position}.custom" if is_custom else f"tools.{position}"
        name = tool.get("name")
        if name is None:
            if is_custom:
                raise invalid(f"{place}.name: Field required")
            continue  # server tools and toolsets need no name of their own
        if not isinstance(name, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name):
            raise invalid(f"{place}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if name in conversation.tools:
            raise invalid("tools: Tool names must be unique.")
        if is_custom:
            schema = tool.get("input_schema")
            if not isinstance(schema, dict):
                wanted = "Field required" if "input_schema" not in tool else "Input should be a valid dictionary"
                raise invalid(f"{place}.input_schema: {wanted}")
            if schema.get("type") != "object":
                wanted = "Input should be 'object'" if "type" in schema else "Field required"
                raise invalid(f"{place}.input_schema.type: {wanted}")
            if {"anyOf", "allOf", "oneOf"} & set(schema):
                raise invalid(f"{place}.input_schema: does not support oneOf, allOf, or anyOf at the top level")
        conversation.tools[name] = tool
    if choice is None:
        return
    if not isinstance(choice, dict) or choice.get("type") not in ("auto", "any", "tool", "none"):
        raise invalid("tool_choice: Input tag should be one of 'auto', 'any', 'tool', 'none'")
    if not tools:
        raise invalid("tool_choice: may only be specified while providing tools")
    if choice["type"] == "tool":
        if not isinstance(choice.get("name"), str):
            raise invalid("tool_choice.tool.name: Field required")
        if choice["name"] not in conversation.tools:
            raise invalid(f"Tool '{choice['name']}' not found in provided tools")
    conversation.tool_choice = choice


def _read_thinking(body: dict[str, Any], conversation: Conversation, *, counting: bool) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kinds = ("enabled", "disabled", "between_tools", "adaptive")
    if not isinstance(thinking, dict) or thinking.get("type") not in kinds:
        raise invalid(f"thinking: Input tag should be one of {', '.join(repr(kind) for kind in kinds)}")
    if thinking["type"] == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or isinstance(budget, bool):
            wanted = "Field required" if "budget_tokens" not in thinking else "Input should be a valid integer"
            raise invalid(f"thinking.enabled.budget_tokens: {wanted}")
        if budget < 1024:
            raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if not counting and budget >= conversation.max_tokens:
            raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")
        if conversation.tool_choice and conversation.tool_choice["type"] in ("any", "tool"):
            raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    if thinking.get("display") not in (None, "summarized", "omitted"):
        raise invalid("thinking.display: Input should be 'summarized' or 'omitted'")
    if thinking["type"] in ("enabled", "adaptive"):
        conversation.thinking = True
        default = "omitted" if omits_thinking(conversation.model) else "summarized"
        conversation.thinking_omitted = (thinking.get("display") or default) == "omitted"


def check_cache_marks(body: dict[str, Any]) -> None:
    """At most four marks, each of a known kind, none inside a tool's result, none longer than one before it."""
    system = body.get("system")
    messages = [message.get("content") for message in body["messages"] if isinstance(message, dict)]
    blocks = [
        block for content in (body.get("tools"), system, *messages) if isinstance(content, list) for block in content
    ]
    marks = [block["cache_control"] for block in blocks if isinstance(block, dict) and block.get("cache_control")]
    if len(marks) > 4:
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}.")
    short = False
    for mark in marks:
        if not isinstance(mark, dict) or mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in ("5m", "1h"):
            raise invalid("cache_control: Input should be 'ephemeral', with a ttl of '5m' or '1h'")
        if short and mark.get("ttl") == "1h":
            raise invalid("cache_control.ttl: a ttl='1h' block must not come after a ttl='5m' block")
        short = short or mark.get("ttl") != "1h"
    for block in blocks:
        parts = block.get("content") if isinstance(block, dict) and block.get("type") == "tool_result" else None
        if isinstance(parts, list) and any(isinstance(part, dict) and "cache_control" in part for part in parts):
            raise invalid("tool_result.content: cache_control is not permitted here")


def _check_metadata(metadata: object) -> None:
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if isinstance(user, str) and re.search(r"\S@\S+\.\S|^\+?[\d\s().-]{7,}$", user):
        raise invalid("metadata.user_id: user_id appears to contain an email address or a phone number")
    if user is not None and (not isinstance(user, str) or len(user) > 256):
        raise invalid("metadata.user_id: String should have at most 256 characters")


def _check_thoughts_of_open_call(messages: list[Any]) -> None:
    """With a budget, the turn whose tool calls are being answered must come back with its thinking."""
    last = messages[-1]["content"]
    if isinstance(last, str) or not any(block["type"] == "tool_result" for block in last):
        return
    first = messages[-2]["content"][0]["type"]
    if first not in ("thinking", "redacted_thinking"):
        raise invalid(
            f"messages.{len(messages) - 2}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{first}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block."
        )


def _read_output_format(body: dict[str, Any], conversation: Conversation) -> None:
    config = body.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict):
        raise invalid("output_config: Input should be a valid dictionary")
    efforts = ("low", "medium", "high", "xhigh", "max")
    if config.get("effort") not in (None, *efforts):
        raise invalid("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    wanted = config.get("format")
    if wanted is None:
        return
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise invalid("output_config.format.type: Input should be 'json_schema'")
    if not isinstance(wanted.get("schema"), dict):
        raise invalid("output_config.format.schema: Field required")
    conversation.json_schema = wanted["schema"]
