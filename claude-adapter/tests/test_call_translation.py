"""Tool calls of earlier answers, as models, other servers and cut answers leave them in a history."""

from typing import Any

import orjson
import pytest

from claude_adapter.translation.request import to_messages

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "Hi"}


def translated(*messages: Json) -> list[Json]:
    body = to_messages({"messages": [USER, *messages]}, "claude-default", 8192)
    given: list[Json] = body["messages"]
    return given[1:]


def called(arguments: Any) -> Json:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    [block] = translated({"role": "assistant", "tool_calls": [call]})[0]["content"]
    given: Json = block["input"]
    return given


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        (None, {}),
        ('{"q": "red pan', {"arguments": '{"q": "red pan'}),
        ("[1, 2]", {"arguments": "[1, 2]"}),
        ("paris", {"arguments": "paris"}),
        ("null", {"arguments": "null"}),
        (5, {"arguments": 5}),
        ("[" * 400 + "]" * 400, {"arguments": "[" * 400 + "]" * 400}),
        ('{"a":' * 240 + "1" + "}" * 240, {"arguments": '{"a":' * 240 + "1" + "}" * 240}),
    ],
)
def test_arguments_are_an_object(arguments: Any, given: Json) -> None:
    """OpenAI takes any string, Claude an object only: another text is held by one, and nothing of it is lost."""
    assert called(arguments) == given
    orjson.dumps(given)


def test_a_call_and_a_result_without_ids_belong_together() -> None:
    """In the order in which they stand."""
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    answer, results = translated(
        {"role": "assistant", "tool_calls": [call, call]},
        {"role": "tool", "content": "one"},
        {"role": "tool", "content": "two"},
    )
    ids = [block["id"] for block in answer["content"]]
    assert len(set(ids)) == 2
    assert results["content"] == [
        {"type": "tool_result", "tool_use_id": id_, "content": word}
        for id_, word in zip(ids, ("one", "two"), strict=True)
    ]


def test_function_calls_of_before_tools() -> None:
    """`function_call` is a call, and the role `function` its result, found by its name."""
    answer, result = translated(
        {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": '{"a": 1}'}},
        {"role": "function", "name": "look", "content": "7"},
    )
    [call] = answer["content"]
    assert (call["type"], call["name"], call["input"]) == ("tool_use", "look", {"a": 1})
    assert result["content"] == [{"type": "tool_result", "tool_use_id": call["id"], "content": "7"}]


def test_a_result_without_a_call_is_words() -> None:
    """It is not taken for that of a call which the person has passed over."""
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    *_, last = translated({"role": "assistant", "tool_calls": [call]}, USER, {"role": "tool", "content": "late"})
    assert [block["type"] for block in last["content"]] == ["tool_result", "text", "text", "text"]
    assert last["content"][-1]["text"] == "late"


@pytest.mark.parametrize(
    "messages", [[{"role": "system", "content": "Greet."}], [{"role": "developer", "content": "Greet."}]]
)
def test_instructions_alone_are_answered(messages: list[Json]) -> None:
    """They are what there is to be answered, as the local model takes them."""
    body = to_messages({"messages": messages}, "claude-default", 8192)
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Greet."}]}]
    assert "system" not in body
