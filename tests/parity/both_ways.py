"""What each backend would answer to a body, by its own reading of it: no service runs, and no model.

Claude's way ends at the stand-in's validation, which refuses what the real API refuses.
"""

from collections.abc import Callable
from typing import Any

import orjson

from claude_adapter.errors import BadRequestError as AdapterRefusal
from claude_adapter.translation.request import to_messages
from fake_anthropic.errors import ApiError as AnthropicRefusal
from fake_anthropic.validation import check_messages_request
from gateway.dialects.chat_completions.dialect import ChatCompletions
from gateway.dialects.errors import ApiError as GatewayRefusal
from gateway.dialects.interface import Dialect
from gateway.dialects.messages.dialect import CountTokens, Messages
from gateway.dialects.responses.dialect import Responses
from local_llm.dialects.chat_request import ChatRequest, parse
from local_llm.dialects.errors import ApiError as LocalRefusal
from local_llm.dialects.messages_request import parse_count, parse_messages
from local_llm.prompt.flatten import flatten
from local_llm.prompt.grammar import wanted_json

Json = dict[str, Any]

CHAT, MESSAGES, COUNT, RESPONSES = ChatCompletions(), Messages(), CountTokens(), Responses()
DEFAULT_MODEL = "claude-sonnet-5-5"
VERSION = "2023-06-01"


def statuses(dialect: Dialect, body: object) -> tuple[int, int]:
    """The statuses from Claude and from the local model; the gateway's, twice, when it refuses."""
    try:
        request = dialect.read(orjson.dumps(body), "application/json")
    except GatewayRefusal as error:
        return error.status, error.status
    return _status(_ask_claude, dialect, request.body), _status(_ask_local, dialect, request.body)


def _status(ask: Callable[[Dialect, Json], None], dialect: Dialect, body: Json) -> int:
    try:
        ask(dialect, body)
    except (AdapterRefusal, AnthropicRefusal, LocalRefusal) as error:
        return error.status
    return 200


def _ask_claude(dialect: Dialect, body: Json) -> None:
    if isinstance(dialect, Messages):
        named = body if str(body.get("model")).startswith("claude-") else {**body, "model": DEFAULT_MODEL}
        check_messages_request(orjson.dumps(named), VERSION, counting=isinstance(dialect, CountTokens))
    else:
        check_messages_request(orjson.dumps(to_messages(body, DEFAULT_MODEL, 8192)), VERSION)


def _ask_local(dialect: Dialect, body: Json) -> None:
    """As `prompt/prompter.py` reads a request, before any model is asked."""
    raw = orjson.dumps(body)
    request: ChatRequest
    if isinstance(dialect, CountTokens):
        request = parse_count(raw)
    else:
        request = parse_messages(raw) if isinstance(dialect, Messages) else parse(raw)
    wanted_json(request.response_format, request.forced_call)
    assert request.offered_tools is not None
    flatten(request.messages)
