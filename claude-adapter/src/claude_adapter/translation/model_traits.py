"""What a Claude model takes, read from its name, as Anthropic's migration guides tell it for each generation.

A name that says no version counts as the newest: what the newest models take, nearly all others take too.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

Json = dict[str, Any]

_NAME = re.compile(r"claude-(?:(?P<family>[a-z]+)-)?(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?![\d.])")
_NEWEST = (99, 0)


class ModelTraits(NamedTuple):
    """A model's family (`sonnet`, `opus`, …; empty when unknown) and version (`(4, 6)`)."""

    family: str
    version: tuple[int, int]

    @property
    def takes_sampling(self) -> bool:
        """Whether `temperature`, `top_p` and `top_k` are allowed: 4.7 and newer refuse them."""
        return self.version < (4, 7)

    @property
    def takes_temperature_beside_top_p(self) -> bool:
        """Since 4 only one of the two is allowed."""
        return self.version < (4, 0)

    @property
    def thinks_adaptively(self) -> bool:
        """Whether thinking is asked for as `adaptive`; 4.5 and older know only a budget in tokens."""
        return self.version >= (4, 6)

    @property
    def thinks_on_a_budget(self) -> bool:
        """Whether thinking is asked for as `enabled` with a budget."""
        return (3, 7) <= self.version < (4, 6)

    @property
    def thinks_unasked(self) -> bool:
        """Whether a request without `thinking` thinks all the same."""
        return self.version >= (5, 0)

    @property
    def without_thinking(self) -> Json | None:
        """What turns thinking off in a model that thinks unasked; None where nothing does."""
        if self.family == "sonnet" and self.version >= (5, 5):
            return {"type": "between_tools"}
        if self.family in ("sonnet", "haiku") or (self.family == "opus" and self.version < (5, 5)):
            return {"type": "disabled"}
        return None

    @property
    def efforts(self) -> tuple[str, ...]:
        """The levels of `output_config.effort`, from the least to the most; none where it is refused."""
        if self.version >= (4, 7):
            return ("low", "medium", "high", "xhigh", "max")
        if self.version >= (4, 6):
            return ("low", "medium", "high", "max")
        return ("low", "medium", "high") if self == ("opus", (4, 5)) else ()

    @property
    def takes_forced_tool(self) -> bool:
        """Whether `tool_choice` may be `any` or `tool`: 5.5 refuses them, Haiku apart, Fable and Mythos since 5.1."""
        if self.family == "haiku":
            return True
        return self.version < ((5, 1) if self.family in ("fable", "mythos") else (5, 5))

    @property
    def takes_output_schema(self) -> bool:
        """Whether `output_config.format` holds the answer to a JSON schema."""
        return self.version >= (4, 5) or self == ("opus", (4, 1))


@lru_cache(maxsize=64)
def traits_of(model: str) -> ModelTraits:
    """The traits of the model with this name, in the newer (`claude-opus-5-5`) or older (`claude-3-7-sonnet`) form."""
    match = _NAME.match(model)
    if match is None:
        return ModelTraits("", _NEWEST)
    family = match["family"] or model[match.end() :].lstrip("-").partition("-")[0]
    return ModelTraits(family, (int(match["major"]), int(match["minor"] or 0)))
