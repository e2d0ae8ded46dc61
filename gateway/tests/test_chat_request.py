"""What is wrong with a request, and which field is named."""

from typing import Any

import orjson
import pytest

from gateway.dialects.chat_completions.request import read_chat_request
from gateway.dialects.errors import OpenAIError

HI = [{"role": "user", "content": "hi"}]
LOOK = {"type": "function", "function": {"name": "look"}}

WRONG: list[tuple[str, Any, int, str | None, str]] = [
    # why it exists, body, status, param, words in the message
    ("no body", b"", 400, None, "not valid JSON"),
    ("cut JSON", b'{"messages": [', 400, None, "not valid JSON"),
    ("not UTF-8", b'{"model": "\xff"}', 400, None, "not valid JSON"),
    ("an array", [], 400, None, "expected an object, but got an array"),
    ("no messages", {}, 400, "messages", "Missing required parameter: 'messages'"),
    ("null messages", {"messages": None}, 400, "messages", "Missing"),
    ("empty messages", {"messages": []}, 400, "messages", "empty"),
    ("messages a string", {"messages": "hi"}, 400, "messages", "expected an array of objects, but got a string"),
    ("a message a string", {"messages": ["hi"]}, 400, "messages[0]", "expected an object"),
    ("no role", {"messages": [{"content": "hi"}]}, 400, "messages[0].role", "Missing"),
    ("odd role", {"messages": [{"role": "robot", "content": "hi"}]}, 400, "messages[0].role", "system, developer"),
    ("role a list", {"messages": [{"role": ["user"], "content": "hi"}]}, 400, "messages[0].role", "Invalid value"),
    ("no content", {"messages": [{"role": "user"}]}, 400, "messages[0].content", "Missing"),
    ("content a number", {"messages": [{"role": "user", "content": 5}]}, 400, "messages[0].content", "got an integer"),
    ("part a string", {"messages": [{"role": "user", "content": ["x"]}]}, 400, "messages[0].content[0]", "an object"),
    ("part untyped", {"messages": [{"role": "user", "content": [{}]}]}, 400, "messages[0].content[0].type", "null"),
    (
        "text part without text",
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        400,
        "messages[0].content[0].text",
        "a string",
    ),
    ("stream a string", {"messages": HI, "stream": "yes"}, 400, "stream", "true or false, but got a string"),
    ("model a number", {"messages": HI, "model": 5}, 400, "model", "a string, but got an integer"),
    ("temperature a bool", {"messages": HI, "temperature": True}, 400, "temperature", "got a boolean"),
    ("max_tokens zero", {"messages": HI, "max_tokens": 0}, 400, "max_tokens", "above 0"),
    ("stop of numbers", {"messages": HI, "stop": [1]}, 400, "stop", "array of strings"),
    ("tools an object", {"messages": HI, "tools": {}}, 400, "tools", "array of objects"),
    ("response_format a string", {"messages": HI, "response_format": "json"}, 400, "response_format", "an object"),
]


@pytest.mark.parametrize(("why", "body", "status", "param", "words"), WRONG, ids=[case[0] for case in WRONG])
def test_a_mistake_is_named(why: str, body: Any, status: int, param: str | None, words: str) -> None:
    """A mistake gets a 4xx that names the field and says what was expected."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    with pytest.raises(OpenAIError) as caught:
        read_chat_request(raw, "application/json")
    assert (caught.value.status, caught.value.param) == (status, param)
    assert words in caught.value.message


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_content_type_is_refused(content_type: str) -> None:
    """Only JSON is read, and the error says which header to send."""
    with pytest.raises(OpenAIError) as caught:
        read_chat_request(orjson.dumps({"messages": HI}), content_type)
    assert caught.value.status == 415
    assert "Content-Type: application/json" in caught.value.message


RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("plain", {"messages": HI}),
    ("unknown fields pass", {"messages": HI, "future": {"x": 1}}),
    ("null means absent", {"messages": HI, "stream": None, "stop": None, "tools": None}),
    (
        "tool turn without content",
        {"messages": [*HI, {"role": "assistant", "tool_calls": []}, {"role": "tool", "content": ""}]},
    ),
    ("parts", {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]}]}),
    ("integer temperature", {"messages": HI, "temperature": 1}),
]


@pytest.mark.parametrize(("why", "body"), RIGHT, ids=[case[0] for case in RIGHT])
def test_a_right_request_passes(why: str, body: dict[str, Any]) -> None:
    """What the API allows is let through unchanged."""
    assert read_chat_request(orjson.dumps(body), "application/json; charset=utf-8").body == body


def test_what_the_gateway_needs_is_read() -> None:
    """Streaming, model, JSON mode and a forced tool decide how the answer is told."""
    request = read_chat_request(
        orjson.dumps(
            {
                "messages": HI,
                "model": "local",
                "stream": True,
                "response_format": {"type": "json_object"},
                "tools": [LOOK],
                "tool_choice": "required",
            }
        ),
        "application/json",
    )
    assert (request.stream, request.model, request.json_mode, request.additions_allowed) == (True, "local", True, False)


@pytest.mark.parametrize(
    ("choice", "allowed"),
    [
        (None, True),
        ("auto", True),
        ("required", False),
        (LOOK, False),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [LOOK]}}, True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [LOOK]}}, False),
        ({"type": "web_search", "name": "web_search"}, True),  # words, as nobody but Claude can call it
    ],
)
def test_a_notice_stands_where_there_are_words(choice: Any, allowed: bool) -> None:
    """Never in front of a call that is forced."""
    body = {"messages": HI, "tools": [LOOK, {"type": "web_search", "name": "web_search"}], "tool_choice": choice}
    assert read_chat_request(orjson.dumps(body), "application/json").additions_allowed is allowed
