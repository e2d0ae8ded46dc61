"""How much Claude shall think: `reasoning_effort`, or Claude's own `thinking`, in the form its model takes. Pure."""

from typing import Any

from claude_adapter.translation.fields import object_in, whole_number
from claude_adapter.translation.model_traits import ModelTraits

Json = dict[str, Any]

_BUDGET_TOKENS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
_LEAST_BUDGET_TOKENS = 1024  # Anthropic's own limit
_EFFORTS = ("none", *_BUDGET_TOKENS)
_KINDS = ("enabled", "adaptive", "disabled", "between_tools")


def thinking_fields(
    request: Json, traits: ModelTraits, max_tokens: int, *, forced_tool: bool, after_tool: bool
) -> tuple[Json | None, str | None]:
    """`thinking` and `output_config.effort`, each None to leave it out; a level or kind unknown here is not given.

    Thinking yields where Claude refuses it: beside a forced tool, with a budget above `max_tokens`, and with a budget
    in the middle of a tool call, whose thoughts this dialect does not carry back.
    """
    effort = _effort(request)
    given = object_in(request, "thinking")
    kind = given.get("type") if given.get("type") in _KINDS else None
    if effort is None and kind is None:
        return None, None
    if kind in ("disabled", "between_tools") or (kind is None and effort == "none"):
        return _without(traits)
    level = _level(effort, traits)
    if forced_tool:
        return None, level
    if traits.thinks_adaptively:
        display = given.get("display")
        return {"type": "adaptive", "display": display if display == "omitted" else "summarized"}, level
    if traits.thinks_on_a_budget and not after_tool:
        budget = _budget(given, effort, max_tokens)
        if budget >= _LEAST_BUDGET_TOKENS:
            return {"type": "enabled", "budget_tokens": budget}, level
    return None, level


def _effort(request: Json) -> str | None:
    """OpenAI's field, or the object that OpenRouter's clients send in its place."""
    effort = request.get("reasoning_effort")
    if effort is None:
        reasoning = object_in(request, "reasoning")
        effort = "none" if reasoning.get("enabled") is False else reasoning.get("effort")
    return effort if isinstance(effort, str) and effort in _EFFORTS else None


def _without(traits: ModelTraits) -> tuple[Json | None, str | None]:
    if not traits.thinks_unasked:
        return None, None
    quiet = traits.without_thinking
    return (quiet, None) if quiet is not None else (None, "low")


def _level(effort: str | None, traits: ModelTraits) -> str | None:
    """The model's own level that comes nearest."""
    if effort in (None, "none") or not traits.efforts:
        return None
    if effort == "minimal":
        return "low"
    return effort if effort in traits.efforts else "high"


def _budget(given: Json, effort: str | None, max_tokens: int) -> int:
    asked = whole_number(given.get("budget_tokens"))
    if asked is None:
        asked = _BUDGET_TOKENS.get(effort or "medium", _BUDGET_TOKENS["medium"])
    return asked if asked < max_tokens and given else min(asked, max_tokens // 2)  # half is left for the answer
