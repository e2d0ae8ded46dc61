"""How an answer ended, whatever the dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; `cached` of the prompt's were not evaluated again."""

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True)
class Answer:
    """`stop` is the client's stop sequence that ended it, if one did."""

    reason: FinishReason
    stop: str | None
    usage: Usage
