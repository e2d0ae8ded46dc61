"""What a small model gets to see of a conversation."""

from typing import Any

import pytest

from local_llm.dialects.errors import BadRequestError
from local_llm.prompt.flatten import CUT_MARK, Conversation, Message, flatten

U, A = "user", "assistant"


def said(role: Any, text: str) -> Message:
    return Message(role, text)


CALL = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}

CASES: list[tuple[str, list[dict[str, Any]], Conversation]] = [
    (
        "a plain question has no system text",
        [{"role": U, "content": "Hi"}],
        Conversation("", ((said(U, "Hi"),),)),
    ),
    (
        "developer means system, several are joined wherever they stand",
        [
            {"role": "system", "content": "One."},
            {"role": U, "content": "Hi"},
            {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
        ],
        Conversation("One.\n\nTwo.", ((said(U, "Hi"),),)),
    ),
    (
        "images, documents, sounds and thoughts become markers",
        [
            {
                "role": U,
                "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "file", "file": {"file_id": "f"}},
                    {"type": "input_audio", "input_audio": {}},
                    {"type": "thinking", "thinking": "hm"},
                ],
            }
        ],
        Conversation("", ((said(U, "Look\n[image]\n[document]\n[audio]\n[thinking]"),),)),
    ),
    (
        "a tool exchange becomes text, and stays in the turn of the one who asked",
        [
            {"role": U, "content": "Weather?"},
            {"role": A, "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"role": A, "content": "It is sunny."},
            {"role": U, "content": "Thanks"},
        ],
        Conversation(
            "",
            (
                (
                    said(U, "Weather?"),
                    said(A, '[called get_weather({"city":"Paris"})]'),
                    said(U, "[get_weather returned: sunny]"),
                    said(A, "It is sunny."),
                ),
                (said(U, "Thanks"),),
            ),
        ),
    ),
    (
        "neighbours of one role are merged",
        [{"role": U, "content": "Hi"}, {"role": U, "content": ""}, {"role": U, "content": "there"}],
        Conversation("", ((said(U, "Hi\n\nthere"),),)),
    ),
    (
        "a user who speaks before the tool's result was answered does not tear the exchange apart",
        [
            {"role": U, "content": "Weather?"},
            {"role": A, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"role": U, "content": "Well?"},
        ],
        Conversation(
            "",
            (
                (
                    said(U, "Weather?"),
                    said(A, '[called get_weather({"city":"Paris"})]'),
                    said(U, "[get_weather returned: sunny]\n\nWell?"),
                ),
            ),
        ),
    ),
    (
        "an answer at the end is one to be gone on with",
        [{"role": U, "content": "Count"}, {"role": A, "content": "One, two,"}],
        Conversation("", ((said(U, "Count"),),), partial="One, two,"),
    ),
    (
        "an answer to be gone on with has no marks in it",
        [
            {"role": U, "content": "Count"},
            {"role": A, "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "One,"}]},
        ],
        Conversation("", ((said(U, "Count"),),), partial="One,"),
    ),
    (
        "Claude Code's attribution changes with every request, and goes",
        [
            {
                "role": "system",
                "content": [
                    {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.37.0d9; cch=fa690;"},
                    {"type": "text", "text": "You are Claude Code."},
                ],
            },
            {"role": U, "content": "Hi"},
        ],
        Conversation("You are Claude Code.", ((said(U, "Hi"),),)),
    ),
    (
        "nothing but instructions is a question",
        [{"role": "system", "content": "Say hello."}],
        Conversation("", ((said(U, "Say hello."),),)),
    ),
    (
        "an empty question is still one",
        [{"role": U, "content": ""}],
        Conversation("", ((said(U, ""),),)),
    ),
    (
        "a result nobody called for still has a name",
        [{"role": U, "content": "x"}, {"role": "tool", "content": "42"}],
        Conversation("", ((said(U, "x\n\n[tool returned: 42]"),),)),
    ),
]


@pytest.mark.parametrize(("messages", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_flattened(messages: list[dict[str, Any]], expected: Conversation) -> None:
    """Each shape a client sends becomes plain turns."""
    assert flatten(messages) == expected


def test_long_calls_and_results_are_short() -> None:
    """Their ends stay; what was in a file of 100,000 characters is not read by a small model."""
    call = {"id": "c1", "function": {"name": "write", "arguments": "{" + "x" * 9_000 + "}"}}
    messages = [
        {"role": U, "content": "Go"},
        {"role": A, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "begin" + "y" * 100_000 + "end"},
    ]
    _, called, returned = flatten(messages).turns[0]
    assert called.text.startswith("[called write({x")
    assert called.text.endswith("x})]")
    assert returned.text.startswith("[write returned: beginy")
    assert returned.text.endswith("yend]")
    assert len(called.text) < 400
    assert len(returned.text) < 2200
    assert CUT_MARK in called.text
    assert CUT_MARK in returned.text


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        (["hi"], "messages[0]"),
        ([{"content": "hi"}], "messages[0].role"),
        ([{"role": "robot", "content": "hi"}], "messages[0].role"),
        ([{"role": ["user"], "content": "hi"}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": ["hi"]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "assistant", "tool_calls": 3}], "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": [3]}], "messages[0].tool_calls[0]"),
        ([{"role": "assistant", "tool_calls": [{"id": "1"}]}], "messages[0].tool_calls[0].function"),
    ],
)
def test_unknown_shapes_name_the_field(messages: list[Any], param: str) -> None:
    """A shape we do not know is the client's mistake, and the error says where it is."""
    with pytest.raises(BadRequestError) as caught:
        flatten(messages)
    assert caught.value.param == param
