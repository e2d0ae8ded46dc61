"""Which of the present models is to answer. Pure: what is present, the room there is, and what trials have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from local_llm.models.footprint import SMALLEST_CONTEXT_TOKENS, context_that_fits, need_bytes
from local_llm.models.gguf_header import Header


class Key(NamedTuple):
    """One state of one file: a file that has changed is another candidate, and is tried anew."""

    path: Path
    size_bytes: int
    changed_at_ns: int


@dataclass(frozen=True)
class Candidate:
    """A present model. `asked_for` by name in LOCAL_MODEL: neither its size nor its speed speaks against it."""

    key: Key
    name: str
    header: Header | None
    wanted_context_tokens: int
    context_is_fixed: bool = False
    embedded: bool = False
    asked_for: bool = False
    damage: str | None = None  # why there is no header

    def need_bytes(self, context_tokens: int) -> int:
        """Memory it takes with this context."""
        if self.header is None:
            return self.key.size_bytes
        return need_bytes(self.header, self.key.size_bytes, context_tokens)


@dataclass(frozen=True)
class Verdict:
    """What a trial has shown: a rate, or a problem, which is a sentence that lacks only its subject, the model."""

    tokens_per_second: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Choice:
    """Who is to answer, with which context, and why not the larger ones: problems by name."""

    candidate: Candidate
    context_tokens: int
    passed_over: dict[str, str] = field(default_factory=dict)


def choose(
    candidates: Sequence[Candidate],
    room_bytes: int,
    verdicts: Mapping[Key, Verdict],
    min_tokens_per_second: float,
    on: Key | None = None,
) -> Choice:
    """The largest that fits and that no trial speaks against. The embedded one always remains; smaller ones never win.

    `room_bytes` is what a model may take while the embedded one is loaded beside it. It is a reckoning, so the model
    that is `on` is not judged by it: what is loaded fits, and two must not take turns for ever.
    """
    passed_over = {each.name: each.damage for each in candidates if each.damage}
    for candidate in sorted((each for each in candidates if not each.damage), key=_rank, reverse=True):
        context = candidate.wanted_context_tokens if candidate.key == on else _context(candidate, room_bytes)
        if candidate.embedded:
            # It is what is left: with a short context if need be, but never refused.
            shortest = min(SMALLEST_CONTEXT_TOKENS, candidate.wanted_context_tokens)
            return Choice(candidate, context or shortest, passed_over)
        if problem := _problem(candidate, context, room_bytes, verdicts.get(candidate.key), min_tokens_per_second):
            passed_over[candidate.name] = problem
            continue
        return Choice(candidate, context or candidate.wanted_context_tokens, passed_over)
    raise ValueError("the embedded model must be among the candidates")


def _rank(candidate: Candidate) -> tuple[bool, int, str]:
    return candidate.asked_for, candidate.key.size_bytes, candidate.name


def _context(candidate: Candidate, room_bytes: int) -> int | None:
    wanted = candidate.wanted_context_tokens
    if candidate.context_is_fixed or candidate.header is None:
        return wanted if candidate.need_bytes(wanted) <= room_bytes else None
    return context_that_fits(candidate.header, candidate.key.size_bytes, wanted, room_bytes)


def _problem(
    candidate: Candidate, context: int | None, room_bytes: int, verdict: Verdict | None, min_tokens_per_second: float
) -> str | None:
    if verdict and verdict.problem:
        return verdict.problem
    if candidate.asked_for:
        return None
    if context is None:
        smallest = min(candidate.wanted_context_tokens, SMALLEST_CONTEXT_TOKENS)
        need = candidate.need_bytes(candidate.wanted_context_tokens if candidate.context_is_fixed else smallest)
        return f"needs {need / 1e6:.0f} MB of memory, and there are {max(0, room_bytes) / 1e6:.0f} MB"
    rate = verdict.tokens_per_second if verdict else None
    if rate is not None and rate < min_tokens_per_second:
        return f"writes {rate:.1f} tokens per second, and LOCAL_MIN_TOKENS_PER_SECOND is {min_tokens_per_second:g}"
    return None
