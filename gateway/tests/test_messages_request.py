"""What is wrong with a Messages request, in Anthropic's words."""

from typing import Any

import orjson
import pytest

from gateway.dialects.errors import AnthropicError
from gateway.dialects.messages.request import read_messages_request

HI = [{"role": "user", "content": "hi"}]
GOOD: dict[str, Any] = {"model": "claude-x", "max_tokens": 5, "messages": HI}

WRONG: list[tuple[str, Any, str]] = [
    # why it exists, body (a dict: fields over a good request), words in the message
    ("no body", b"", "not valid JSON"),
    ("an array", [], "valid dictionary"),
    ("no model", {"model": None}, "model: Field required"),
    ("an empty model", {"model": ""}, "model: Input should be a valid string"),
    ("no max_tokens", {"max_tokens": None}, "max_tokens: Field required"),
    ("max_tokens a float", {"max_tokens": 1.5}, "max_tokens: Input should be a valid integer"),
    ("max_tokens true", {"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    ("no messages", {"messages": None}, "messages: Field required"),
    ("empty messages", {"messages": []}, "at least one message"),
    ("messages a string", {"messages": "hi"}, "messages: Input should be a valid list"),
    ("a message a string", {"messages": ["hi"]}, "messages.0: Input should be a valid dictionary"),
    ("no role", {"messages": [{"content": "hi"}]}, "messages.0.role: Field required"),
    ("role a number", {"messages": [{"role": 1, "content": "hi"}]}, "messages.0.role"),
    ("no content", {"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ("content a number", {"messages": [{"role": "user", "content": 5}]}, "messages.0.content: Input"),
    ("block a string", {"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content.0: Input"),
    ("block untyped", {"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type: Field required"),
    ("text a number", {"system": [{"type": "text", "text": 1}]}, "system.0.text: Input should be a valid string"),
    ("stream a string", {"stream": "yes"}, "stream: Input should be a valid boolean"),
]


@pytest.mark.parametrize(("why", "body", "words"), WRONG, ids=[case[0] for case in WRONG])
def test_a_mistake_in_messages_is_named(why: str, body: Any, words: str) -> None:
    """A mistake gets a 400 that names the field."""
    raw = body if isinstance(body, bytes) else orjson.dumps({**GOOD, **body} if isinstance(body, dict) else body)
    with pytest.raises(AnthropicError) as caught:
        read_messages_request(raw, "application/json")
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert words in caught.value.message


def test_what_this_version_does_not_know_passes() -> None:
    """Fields, roles and block types of a later API are Anthropic's to judge."""
    messages = [{"role": "system", "content": [{"type": "future", "x": 1}]}]
    assert read_messages_request(orjson.dumps({**GOOD, "messages": messages, "future": 1}), "application/json").body[
        "future"
    ]


TOOL = {"name": "f", "input_schema": {"type": "object"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
SPOKEN: list[tuple[str, dict[str, Any], bool, bool]] = [
    # why it exists, fields, json_mode, spoken
    ("plain", {}, False, True),
    ("a schema", {"output_config": {"format": {"type": "json_schema", "schema": {}}}}, True, False),
    ("effort only", {"output_config": {"effort": "low"}}, False, True),
    ("the older field", {"output_format": {"type": "json_schema", "schema": {}}}, True, False),
    ("a forced tool", {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}}, False, False),
    ("any tool", {"tools": [TOOL], "tool_choice": {"type": "any"}}, False, False),
    ("a free choice", {"tools": [TOOL], "tool_choice": {"type": "auto"}}, False, True),
    # nobody but Claude's servers can call these: words in an outage
    ("a forced search", {"tools": [SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}}, False, True),
    ("any search", {"tools": [SEARCH], "tool_choice": {"type": "any"}}, False, True),
]


@pytest.mark.parametrize(("why", "fields", "json_mode", "spoken"), SPOKEN, ids=[case[0] for case in SPOKEN])
def test_where_a_notice_fits_is_read(why: str, fields: dict[str, Any], json_mode: bool, spoken: bool) -> None:
    """Not before JSON, and not before a tool call that was forced."""
    request = read_messages_request(orjson.dumps({**GOOD, **fields}), "application/json")
    assert (request.json_mode, request.additions_allowed) == (json_mode, spoken)


def test_counting_needs_no_length() -> None:
    """count_tokens has no max_tokens, never streams and never speaks."""
    body = {"model": "claude-x", "messages": HI, "stream": True}
    request = read_messages_request(orjson.dumps(body), "application/json", counting=True)
    assert (request.stream, request.additions_allowed) == (False, False)
