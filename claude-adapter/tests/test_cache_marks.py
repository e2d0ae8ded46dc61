"""What is marked for Claude's prompt cache: what the client marks, else what we do."""

from typing import Any

import pytest

from claude_adapter.translation.cache_marks import add_marks
from claude_adapter.translation.request import to_messages
from fake_anthropic.validation import check_cache_marks

Json = dict[str, Any]

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def text(words: str, mark: Any = MARK) -> Json:
    return {"type": "text", "text": words, **({"cache_control": mark} if mark else {})}


def user(*parts: Json) -> Json:
    return {"role": "user", "content": list(parts)}


def translated(*messages: Json, **fields: Any) -> Json:
    body = to_messages({"messages": list(messages), **fields}, "claude-default", 8192)
    check_cache_marks(body)
    return body


def marks(body: Json) -> list[tuple[str, Any]]:
    """Where marks stand: tools, system, and each message's blocks by number."""
    places = [("tools", tool) for tool in body.get("tools", ())]
    places += (
        [("system", block) for block in body["system"] if isinstance(body["system"], list)] if "system" in body else []
    )
    places += [
        (f"{i}.{j}", block) for i, message in enumerate(body["messages"]) for j, block in enumerate(message["content"])
    ]
    return [(place, block["cache_control"]) for place, block in places if "cache_control" in block]


TOOL: Json = {"type": "function", "function": {"name": "f"}}
CALL: Json = {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]}


@pytest.mark.parametrize(
    ("messages", "fields", "expected"),
    [
        ([{"role": "system", "content": [text("A"), text("B", None)]}, user(text("Hi", None))], {}, [("system", MARK)]),
        ([user(text("A"), text("B", None))], {}, [("0.0", MARK)]),
        ([user(text("A", HOUR))], {}, [("0.0", HOUR)]),
        ([{"role": "user", "content": "Hi", "cache_control": MARK}], {}, [("0.0", MARK)]),
        (
            [user({"type": "image_url", "image_url": "https://x.example/a.png", "cache_control": MARK})],
            {},
            [("0.0", MARK)],
        ),
        (
            [user(text("Hi", None)), {"role": "assistant", "content": [text("A")]}, user(text("B", None))],
            {},
            [("1.0", MARK)],
        ),
        ([user(text("Hi", None))], {"tools": [{**TOOL, "cache_control": MARK}]}, [("tools", MARK)]),
        ([user(text("Hi", None))], {"tools": [{"function": {"name": "f", "cache_control": MARK}}]}, [("tools", MARK)]),
        # inside of a tool's result Claude refuses one
        (
            [user(text("Hi", None)), CALL, {"role": "tool", "tool_call_id": "c1", "content": [text("7")]}],
            {},
            [("2.0", MARK)],
        ),
        # what is no mark, and what has no place
        ([user(text("A", "yes"), text("B", {"type": "for ever"}))], {}, []),
        ([user(text("A", {"type": "ephemeral", "ttl": "1y"}))], {}, [("0.0", MARK)]),
        ([user(text("A", None), text(" "))], {}, []),
        # four at most: the first and the last ones; and none lasts longer than one before it
        ([user(*(text(str(i)) for i in range(6)))], {}, [(f"0.{i}", MARK) for i in (0, 3, 4, 5)]),
        ([user(text("A"), text("B", HOUR))], {}, [("0.0", MARK), ("0.1", MARK)]),
        ([user(text("A", HOUR), text("B"))], {}, [("0.0", HOUR), ("0.1", MARK)]),
    ],
)
def test_the_clients_marks_reach_claude(messages: list[Json], fields: Json, expected: list[tuple[str, Any]]) -> None:
    """On the blocks that its parts become, within Claude's limits; and no others then."""
    body = translated(*messages, **fields)
    assert marks(body) == expected
    if expected:
        add_marks(body)
        assert marks(body) == expected


def test_a_conversation_without_marks_gets_ours() -> None:
    """Tools, instructions and the last two things the person said: each step reads what the step before it stored."""
    said = [{"role": "user", "content": f"Question {i}"} for i in range(3)]
    answers = [{"role": "assistant", "content": f"Answer {i}"} for i in range(2)]
    history = [said[0], answers[0], said[1], answers[1], said[2]]
    body = translated({"role": "system", "content": "Be brief."}, *history, tools=[TOOL, {"function": {"name": "g"}}])
    add_marks(body)
    check_cache_marks(body)
    assert marks(body) == [("tools", MARK), ("system", MARK), ("2.0", MARK), ("4.0", MARK)]
    assert "cache_control" not in body["tools"][0]


def test_a_bare_question_is_marked_once() -> None:
    """There is nothing else to mark."""
    body = translated({"role": "user", "content": "Hi"})
    add_marks(body)
    assert marks(body) == [("0.0", MARK)]
