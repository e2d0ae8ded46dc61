"""A Messages request as the Chat Completions request it means."""

import json
from typing import Any

import pytest

from local_llm.dialects.chat_request import ChatRequest
from local_llm.dialects.errors import BadRequestError
from local_llm.dialects.messages_request import parse_count, parse_messages

HI: dict[str, Any] = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"name": "get_weather", "description": "The weather.", "input_schema": SCHEMA}
FUNCTION = {"name": "get_weather", "description": "The weather.", "parameters": SCHEMA}


def parsed(**body: Any) -> ChatRequest:
    return parse_messages(json.dumps({"max_tokens": 100, "messages": [HI], **body}).encode())


def text(said: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": said}]


CASES: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("a string", {"messages": [HI]}, [{"role": "user", "content": text("Hi")}]),
    (
        "a system string",
        {"system": "Be kind.", "messages": [HI]},
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text("Hi")}],
    ),
    (
        "system blocks, some to be cached by Claude",
        {"system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}], "messages": [HI]},
        [{"role": "system", "content": text("Be kind.")}, {"role": "user", "content": text("Hi")}],
    ),
    (
        "a tool exchange: results before what the person said",
        {
            "messages": [
                HI,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "s"},
                        {"type": "text", "text": "Let me see."},
                        {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Paris"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": text("closed")},
                        {"type": "text", "text": "Well?"},
                    ],
                },
            ]
        },
        [
            {"role": "user", "content": text("Hi")},
            {
                "role": "assistant",
                "content": [{"type": "thinking"}, *text("Let me see.")],
                "tool_calls": [
                    {
                        "id": "t1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "t1", "content": [*text("error:"), *text("closed")]},
            {"role": "user", "content": text("Well?")},
        ],
    ),
    (
        "a result without content, alone",
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]}]},
        [{"role": "tool", "tool_call_id": "t1", "content": []}],
    ),
    (
        "what cannot be seen keeps its kind",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
                        {"type": "document", "source": {}},
                        {"type": "web_search_tool_result", "content": []},
                        {"type": "something_new"},
                    ],
                }
            ]
        },
        [
            {
                "role": "user",
                "content": [
                    {"type": "image"},
                    {"type": "document"},
                    *text("[web search tool result]"),
                    *text("[something new]"),
                ],
            }
        ],
    ),
    (
        "an answer to be gone on with",
        {"messages": [HI, {"role": "assistant", "content": "Hello,"}]},
        [{"role": "user", "content": text("Hi")}, {"role": "assistant", "content": text("Hello,")}],
    ),
]


@pytest.mark.parametrize(("body", "messages"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_conversations(body: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    """Each shape a client of Messages sends."""
    assert parsed(**body).messages == messages


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"max_tokens": 7}, "max_tokens", 7),
        ({"stream": True}, "stream", True),
        ({"temperature": 0.5}, "temperature", 0.5),
        ({"top_k": 5}, "top_k", 5),
        ({"stop_sequences": ["END", "  "]}, "stop", ["END"]),
        ({"stop_sequences": []}, "stop", None),
        ({"tools": [TOOL]}, "tools", [{"type": "function", "function": FUNCTION}]),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools", []),
        ({"tool_choice": {"type": "auto"}}, "tool_choice", "auto"),
        ({"tool_choice": {"type": "none"}}, "tool_choice", "none"),
        ({"tool_choice": {"type": "any", "disable_parallel_tool_use": True}}, "tool_choice", "required"),
        (
            {"tool_choice": {"type": "tool", "name": "x"}},
            "tool_choice",
            {"type": "function", "function": {"name": "x"}},
        ),
        ({"thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"}, "betas": 3}, "messages", None),
    ],
)
def test_fields(body: dict[str, Any], field: str, value: Any) -> None:
    """Each field that means something here; others are let pass."""
    assert value is None or getattr(parsed(**body), field) == value


@pytest.mark.parametrize("body", [{"output_config": {"format": {}}}, {"output_format": {}}])
def test_structured_output(body: dict[str, Any]) -> None:
    """Under its name of today and its name in beta."""
    wanted = {"type": "json_schema", "schema": SCHEMA}
    given = (
        {"output_config": {"format": wanted, "effort": "low"}} if "output_config" in body else {"output_format": wanted}
    )
    response_format = parsed(**given).response_format
    assert response_format is not None
    assert response_format.json_schema == {"schema": SCHEMA}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": ["hi"]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content"),
        ({"system": 5}, "system.str"),
        ({"tools": ["look"]}, "tools.0"),
        ({"tool_choice": {"type": "perhaps"}}, "tool_choice.type"),
    ],
)
def test_mistakes_name_the_field(body: dict[str, Any], param: str) -> None:
    """As Anthropic names it."""
    with pytest.raises(BadRequestError) as caught:
        parsed(**body)
    assert caught.value.param == param


def test_what_the_gateway_lets_in_is_read() -> None:
    """A role that is not known counts as the person's, and a call without a name is a tool's."""
    call = {"role": "assistant", "content": [{"type": "tool_use"}]}
    read = parsed(messages=[{"role": "robot", "content": "hi"}, call]).messages
    assert [message["role"] for message in read] == ["user", "assistant"]
    assert read[1]["tool_calls"][0]["function"] == {"name": "tool", "arguments": "{}"}


def test_counting_needs_no_length() -> None:
    """Only what makes the prompt."""
    request = parse_count(json.dumps({"messages": [HI], "system": "Be kind.", "tools": [TOOL]}).encode())
    assert [message["role"] for message in request.messages] == ["system", "user"]
    assert request.tools is not None
