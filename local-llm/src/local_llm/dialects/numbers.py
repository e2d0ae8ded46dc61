"""Numbers of a request, within what a sampler can be set to. What means nothing counts as not given. Pure."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def whole_number(value: Any) -> int | None:
    """A whole number, as JSON's 24.0 is one."""
    number = _number(value)
    return int(number) if number is not None and math.isfinite(number) and number == int(number) else None


def _between(low: float, high: float) -> BeforeValidator:
    """A number, brought to the nearer end when it is beyond."""

    def read(value: Any) -> float | None:
        number = _number(value)
        return None if number is None else float(min(high, max(low, number)))

    return BeforeValidator(read)


def _count(low: int, high: int) -> BeforeValidator:
    def read(value: Any) -> int | None:
        number = whole_number(value)
        return None if number is None else min(high, max(low, number))

    return BeforeValidator(read)


def _factor(value: Any) -> float | None:
    """Above nought: nought itself would make every repetition impossible, and is nobody's wish."""
    number = _number(value)
    return min(10.0, float(number)) if number is not None and number > 0 else None


Temperature = Annotated[float | None, _between(0, 2)]
Probability = Annotated[float | None, _between(0, 1)]
Penalty = Annotated[float | None, _between(-2, 2)]
RepeatPenalty = Annotated[float | None, BeforeValidator(_factor)]
TopK = Annotated[int | None, _count(0, 1_000_000)]  # 0 is "off", as is -1 with other servers
Seed = Annotated[int | None, BeforeValidator(whole_number)]
Length = Annotated[
    int | None, _count(1, 1_000_000_000)
]  # Claude's 0 asks to read and say nothing: one token is near it
