"""How much to think, in the form that each model takes."""

from typing import Any

import pytest

from claude_adapter.translation.model_traits import traits_of
from claude_adapter.translation.thinking import thinking_fields

ADAPTIVE = {"type": "adaptive", "display": "summarized"}


def fields(
    model: str, *, max_tokens: int = 100_000, forced_tool: bool = False, after_tool: bool = False, **request: Any
) -> tuple[dict[str, Any] | None, str | None]:
    return thinking_fields(request, traits_of(model), max_tokens, forced_tool=forced_tool, after_tool=after_tool)


def budget(tokens: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("claude-sonnet-5-5", None, (None, None)),
        ("claude-sonnet-5-5", "minimal", (ADAPTIVE, "low")),
        ("claude-sonnet-5-5", "medium", (ADAPTIVE, "medium")),
        ("claude-opus-4-7", "xhigh", (ADAPTIVE, "xhigh")),
        ("claude-opus-4-6", "xhigh", (ADAPTIVE, "high")),
        ("claude-opus-4-6", "max", (ADAPTIVE, "max")),
        ("claude-next", "high", (ADAPTIVE, "high")),
        # on a budget, and only Opus with levels besides
        ("claude-opus-4-5", "max", (budget(32768), "high")),
        ("claude-haiku-4-5", "minimal", (budget(1024), None)),
        ("claude-haiku-4-5", "low", (budget(2048), None)),
        ("claude-3-7-sonnet-20250219", "high", (budget(16384), None)),
        ("claude-3-5-haiku-20241022", "high", (None, None)),
        # as little as the model knows
        ("claude-sonnet-5-5", "none", ({"type": "between_tools"}, None)),
        ("claude-sonnet-5", "none", ({"type": "disabled"}, None)),
        ("claude-haiku-5-5", "none", ({"type": "disabled"}, None)),
        ("claude-opus-5", "none", ({"type": "disabled"}, None)),
        ("claude-opus-5-5", "none", (None, "low")),
        ("claude-fable-5", "none", (None, "low")),
        ("claude-opus-4-7", "none", (None, None)),
        ("claude-haiku-4-5", "none", (None, None)),
    ],
)
def test_effort(model: str, effort: str | None, expected: object) -> None:
    """`reasoning_effort` is adaptive thinking with a level, or a budget, or silence."""
    assert fields(model, reasoning_effort=effort) == expected


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("claude-haiku-4-5", budget(3000), budget(3000)),
        ("claude-sonnet-5-5", budget(3000), ADAPTIVE),
        ("claude-sonnet-5-5", {"type": "adaptive", "display": "omitted"}, {"type": "adaptive", "display": "omitted"}),
        ("claude-haiku-4-5", {"type": "adaptive"}, budget(8192)),
        ("claude-haiku-4-5", {"type": "enabled", "budget_tokens": "many"}, budget(8192)),
        ("claude-haiku-4-5", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", {"type": "disabled"}, {"type": "between_tools"}),
    ],
)
def test_claudes_own_field(model: str, given: dict[str, Any], expected: object) -> None:
    """`thinking` is taken as the vendor's layer takes it, in whichever form the model knows."""
    assert fields(model, thinking=given)[0] == expected


def test_the_form_of_other_clients() -> None:
    """`reasoning` with an effort, or switched off, as OpenRouter's clients send it."""
    assert fields("claude-sonnet-5-5", reasoning={"enabled": True, "effort": "low"}) == (ADAPTIVE, "low")
    assert fields("claude-sonnet-5-5", reasoning={"enabled": False}) == ({"type": "between_tools"}, None)
    assert fields("claude-sonnet-5-5", reasoning={"max_tokens": 5}) == (None, None)


def test_what_thinking_yields_to() -> None:
    """A forced tool, a small `max_tokens` and an open tool call are things that Claude refuses beside a budget."""
    assert fields("claude-haiku-4-5", reasoning_effort="high", max_tokens=8192)[0] == budget(4096)
    assert fields("claude-haiku-4-5", reasoning_effort="high", max_tokens=2000)[0] is None
    assert fields("claude-haiku-4-5", thinking=budget(9000), max_tokens=8192)[0] == budget(4096)
    assert fields("claude-haiku-4-5", reasoning_effort="high", after_tool=True)[0] is None
    assert fields("claude-haiku-4-5", reasoning_effort="high", forced_tool=True)[0] is None
    assert fields("claude-sonnet-5", reasoning_effort="high", forced_tool=True) == (None, "high")
    assert fields("claude-sonnet-5", reasoning_effort="high", after_tool=True) == (ADAPTIVE, "high")


@pytest.mark.parametrize(
    "request_fields",
    [
        {"reasoning_effort": "huge"},
        {"reasoning_effort": ["low"]},
        {"reasoning": {"effort": 5}},
        {"reasoning": "low"},
        {"thinking": "on"},
        {"thinking": {"type": "deep"}},
        {"thinking": {"type": ["enabled"]}},
    ],
)
def test_a_word_that_nobody_knows_is_none(request_fields: dict[str, Any]) -> None:
    """The local model knows nothing of thinking at all, and what it answers Claude's way answers."""
    assert fields("claude-sonnet-5-5", **request_fields) == (None, None)
