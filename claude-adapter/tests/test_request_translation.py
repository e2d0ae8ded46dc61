"""Chat Completions requests become Messages requests."""

from typing import Any

import orjson
import pytest

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.request import to_messages

USER = {"role": "user", "content": "Hi"}


def translate(**fields: Any) -> dict[str, Any]:
    return to_messages({"messages": [USER], **fields}, "claude-default", 8192)


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_smallest() -> None:
    """A bare question gets the default model and limit, and is always streamed."""
    assert translate() == {
        "model": "claude-default",
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [text("Hi")]}],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("pilot", "claude-default"),
        ("gpt-4o", "claude-default"),
        (None, "claude-default"),
        (7, "claude-default"),
    ],
)
def test_model(given: object, expected: str) -> None:
    """Claude's own names are kept, every other means the default."""
    assert translate(model=given)["model"] == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 6, "max_tokens": None}, {"max_tokens": 6}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", "", " \n", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop": []}, {}),
        ({"user": "u1"}, {"metadata": {"user_id": "u1"}}),
        ({"safety_identifier": "u2"}, {"metadata": {"user_id": "u2"}}),
        ({"user": 5, "temperature": "hot", "top_p": [1], "top_k": "many"}, {}),
        ({"n": 1, "seed": 4, "logprobs": True, "presence_penalty": 1, "store": True}, {}),
    ],
)
def test_fields(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every field has its counterpart, or none."""
    assert translate(**fields) == translate() | expected


def call(arguments: object = '{"a": 1}', call_id: str = "call_1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str | None]] = {
    "system and developer are lifted out and joined": (
        [{"role": "system", "content": "A"}, USER, {"role": "developer", "content": [text("B"), text("C")]}],
        [{"role": "user", "content": [text("Hi")]}],
        "A\nB\nC",
    ),
    "empty texts are dropped": (
        [
            {"role": "system", "content": ""},
            USER,
            {"role": "assistant", "content": ""},
            {"role": "user", "content": " "},
        ],
        [{"role": "user", "content": [text("Hi")]}],
        None,
    ),
    "a final assistant text is followed by a user, since Claude refuses to go on with its own": (
        [USER, {"role": "assistant", "content": "So \n"}],
        [
            {"role": "user", "content": [text("Hi")]},
            {"role": "assistant", "content": [text("So \n")]},
            {"role": "user", "content": [text("Continue.")]},
        ],
        None,
    ),
    "thoughts of an earlier turn are left out: their signature is not here": (
        [
            USER,
            {
                "role": "assistant",
                "reasoning_content": "Hm.",
                "content": [{"type": "thinking", "thinking": "Hm."}, text("So")],
            },
            USER,
        ],
        [
            {"role": "user", "content": [text("Hi")]},
            {"role": "assistant", "content": [text("So")]},
            {"role": "user", "content": [text("Hi")]},
        ],
        None,
    ),
    "a white space in an assistant text stays": (
        [USER, {"role": "assistant", "content": "So "}, USER],
        [
            {"role": "user", "content": [text("Hi")]},
            {"role": "assistant", "content": [text("So ")]},
            {"role": "user", "content": [text("Hi")]},
        ],
        None,
    ),
    "tool calls and results": (
        [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [call(), call("", "call.2")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "42"},
            {"role": "tool", "tool_call_id": "call.2", "content": [text("x")]},
            {"role": "user", "content": "And?"},
        ],
        [
            {"role": "user", "content": [text("Hi")]},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
                    {"type": "tool_use", "id": "call_2", "name": "f", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "42"},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": [text("x")]},
                    text("And?"),
                ],
            },
        ],
        None,
    ),
    "text before a tool call stays before it": (
        [USER, {"role": "assistant", "content": "Let me look.", "tool_calls": [call(None)]}],
        [
            {"role": "user", "content": [text("Hi")]},
            {
                "role": "assistant",
                "content": [text("Let me look."), {"type": "tool_use", "id": "call_1", "name": "f", "input": {}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1"}]},
        ],
        None,
    ),
    "images": (
        [
            {
                "role": "user",
                "content": [
                    text("Look:"),
                    {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                ],
            }
        ],
        [
            {
                "role": "user",
                "content": [
                    text("Look:"),
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
                    {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
                ],
            }
        ],
        None,
    ),
}


@pytest.mark.parametrize("case", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_conversation(case: tuple[list[dict[str, Any]], list[dict[str, Any]], str | None]) -> None:
    """Roles, parts and tools keep their meaning and order."""
    given, messages, system = case
    body = translate(messages=given)
    assert body["messages"] == messages
    assert body.get("system") == system


def user(*parts: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def assistant(*calls: object) -> dict[str, Any]:
    return {"messages": [USER, {"role": "assistant", "tool_calls": list(calls)}]}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"content": "A"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        (user("x"), "messages[0].content[0]"),
        (user({"type": "text"}), "messages[0].content[0].text"),
        (assistant({"id": "x"}), "messages[1].tool_calls[0].function.name"),
        ({"messages": [{"role": "assistant", "tool_calls": "x"}]}, "messages[0].tool_calls"),
        ({"n": 2}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": [5]}, "stop"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": orjson.loads('{"a":' * 300 + "1" + "}" * 300)},
                }
            },
            "response_format.json_schema.schema",
        ),
    ],
)
def test_bad_field_is_named(fields: dict[str, Any], param: str) -> None:
    """What cannot be translated is refused with the path of the field."""
    with pytest.raises(BadRequestError) as caught:
        translate(**fields)
    assert caught.value.param == param
    assert caught.value.status == 400


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def test_json_mode() -> None:
    """JSON mode without a schema is a wish in the system prompt; plain text is no wish at all."""
    assert "one JSON object" in translate(response_format={"type": "json_object"})["system"]
    assert "system" not in translate(response_format={"type": "text"})


def test_json_schema() -> None:
    """A schema goes to `output_config`, and to the system prompt for a model or a schema that cannot take it."""
    wish = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
    body = translate(response_format=wish)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert "system" not in body
    older = translate(response_format=wish, model="claude-sonnet-4-20250514")
    assert orjson.dumps(SCHEMA).decode() in older["system"]
    assert "output_config" not in older
    wish["json_schema"] = {"name": "x", "schema": {"type": "object"}}  # any object at all: no grammar can hold that
    loose = translate(response_format=wish)
    assert '{"type":"object"}' in loose["system"]
    assert "output_config" not in loose


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("claude-haiku-4-5", {"temperature": 1.7}, {"temperature": 1.0}),
        ("claude-haiku-4-5", {"temperature": -1}, {"temperature": 0.0}),
        ("claude-haiku-4-5", {"temperature": 0.3, "top_p": 1}, {"temperature": 0.3}),
        ("claude-haiku-4-5", {"top_p": 0.5}, {"top_p": 0.5}),
        ("claude-haiku-4-5", {"top_p": 7}, {}),
        ("claude-haiku-4-5", {"top_k": 40}, {"top_k": 40}),
        ("claude-haiku-4-5", {"top_k": -1}, {}),
        ("claude-haiku-4-5", {"top_k": 0.5}, {}),
        # one of the two since 4
        ("claude-sonnet-4-6", {"temperature": 0.3, "top_p": 0.5}, {"temperature": 0.3}),
        ("claude-3-5-haiku-20241022", {"temperature": 0.3, "top_p": 0.5}, {"temperature": 0.3, "top_p": 0.5}),
        # none at all since 4.7
        ("claude-opus-4-7", {"temperature": 0.3, "top_p": 0.5, "top_k": 4}, {}),
        ("claude-sonnet-5-5", {"temperature": 1}, {}),
        ("claude-mythos-preview", {"temperature": 1}, {}),
    ],
)
def test_sampling(model: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Sampling is honoured as far as the model takes it, and never refused for a value."""
    assert translate(model=model, **fields) == translate(model=model) | expected


def test_sampling_yields_to_thinking() -> None:
    """A thinking model is not sampled otherwise than it is used to."""
    body = translate(model="claude-sonnet-4-6", temperature=0.3, reasoning_effort="low")
    assert body["thinking"]["type"] == "adaptive"
    assert "temperature" not in body
