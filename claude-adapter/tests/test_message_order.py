"""Conversations that Messages would refuse, brought into the order it requires."""

from typing import Any

import pytest

from claude_adapter.translation.message_order import in_valid_order


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _call(call_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "look", "input": {}}


def _result(call_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, **more}


CASES = {
    "a text before its result: results must stand first": (
        [[_text("q")], [_call("a")], [_text("and"), _result("a")]],
        [[_text("q")], [_call("a")], [_result("a"), _text("and")]],
    ),
    "one of two calls unanswered: a harness was interrupted": (
        [[_text("q")], [_call("a"), _call("b")], [_result("b", content="2")]],
        [[_text("q")], [_call("a"), _call("b")], [_result("a"), _result("b", content="2")]],
    ),
    "a call at the very end: its result never came": (
        [[_text("q")], [_call("a")]],
        [[_text("q")], [_call("a")], [_result("a")]],
    ),
    "two calls of one turn with one id: each gets a result of its own, in their order": (
        [[_text("q")], [_call("a"), _call("a")], [_result("a", content="1"), _result("a", content="2")]],
        [[_text("q")], [_call("a"), _call("a_2")], [_result("a", content="1"), _result("a_2", content="2")]],
    ),
    "a brain that counts its calls anew in each turn": (
        [[_text("q")], [_call("a")], [_result("a")], [_call("a")], [_result("a", content="2")]],
        [[_text("q")], [_call("a")], [_result("a")], [_call("a_2")], [_result("a_2", content="2")]],
    ),
    "a result that came twice": (
        [[_text("q")], [_call("a")], [_result("a", content="1"), _result("a", content="2")]],
        [
            [_text("q")],
            [_call("a")],
            [_result("a", content="1"), _text("Result of an earlier tool call:"), _text("2")],
        ],
    ),
    "an assistant at the end: newer models refuse to continue it": (
        [[_text("q")], [_text("So")]],
        [[_text("q")], [_text("So")], [_text("Continue.")]],
    ),
    "a result whose call was cut from the history": (
        [[_result("gone", content="42")]],
        [[_text("Result of an earlier tool call:"), _text("42")]],
    ),
}


def _conversation(turns: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[index % 2], "content": blocks} for index, blocks in enumerate(turns)]


@pytest.mark.parametrize("case", CASES)
def test_a_refusable_conversation_becomes_valid(case: str) -> None:
    """Calls and results are paired as Messages demands, and nothing said is lost."""
    given, wanted = CASES[case]
    assert in_valid_order(_conversation(given)) == _conversation(wanted)


def test_a_user_comes_first() -> None:
    """A history that begins with the assistant gets a user message in front."""
    ordered = in_valid_order([{"role": "assistant", "content": [_text("Hello")]}])
    assert [message["role"] for message in ordered] == ["user", "assistant", "user"]
