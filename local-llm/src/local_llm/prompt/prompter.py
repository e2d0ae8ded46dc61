"""A checked request to a prompt that is sure to fit: flatten, fit, render, count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import llama_cpp

from local_llm.dialects.chat_request import ChatRequest
from local_llm.dialects.tools import CallFinder, ForcedCall, ForcedCallReader, PlainReader, Reader, Tool, offer
from local_llm.prompt.fit import Count, Fitted, fit
from local_llm.prompt.flatten import Conversation, Message, flatten
from local_llm.prompt.grammar import Constraint, Grammars, wanted_json
from local_llm.prompt.prefill_rate import PrefillRate
from local_llm.prompt.prefix_cache import PrefixCache
from local_llm.prompt.template import Template

# Tried on SmolLM2-135M with ten plain questions: greedy it answers 10 of 10, at 0.2 it answers 32 of 40 and slips into
# invented French. Greedy alone it loops; a penalty of 1.1 ends the loops and spares the facts.
DEFAULT_SAMPLING: Mapping[str, float] = {
    "temperature": 0.0,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.05,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repeat_penalty": 1.1,
}
_ANSWER_SHARE = 0.25  # of the window, at most, is kept free for the answer; a longer one takes what the prompt leaves
_ATTEMPTS = 4


@dataclass(frozen=True)
class Prompt:
    """All that llama.cpp needs for one answer, and how its text is to be read."""

    tokens: list[int]
    max_tokens: int
    sampling: Mapping[str, float]
    seed: int | None
    stops: list[str]
    constraint: Constraint | None
    continues: bool  # the answer goes on in mid-sentence
    dropped_turns: int
    forced_call: ForcedCall | None = None
    offered_tools: tuple[Tool, ...] = ()
    made_again: Callable[[Prompt], Prompt] = lambda prompt: prompt

    def in_time(self) -> Prompt:
        """The same, at the time of its turn: fitted again when the cache has lost what it counted on meanwhile."""
        return self.made_again(self)

    def reader(self) -> Reader:
        """What makes parts of an answer out of the model's text."""
        if self.forced_call:
            return ForcedCallReader(self.forced_call)
        return CallFinder(self.offered_tools) if self.offered_tools else PlainReader()


@dataclass(frozen=True)
class Limits:
    """What the operator set for prompts and answers."""

    soul: str
    answer_tokens: int  # when the client names none, and at most
    first_word_seconds: float
    tools: Literal["drop", "pass"] = "drop"
    stops: tuple[str, ...] = ()  # of the model, beside the client's


class Prompter:
    """Makes prompts for one loaded model. Never touches its context, so it need not wait for the lock."""

    def __init__(
        self, llama: llama_cpp.Llama, template: Template, prefixes: PrefixCache, rate: PrefillRate, limits: Limits
    ) -> None:
        self._llama = llama
        self._template = template
        self._prefixes = prefixes
        self._rate = rate
        self._limits = limits
        self._grammars = Grammars(llama)
        self._context_tokens = llama.n_ctx()
        self._soul_tokens = len(self.soul_prefix())

    def prepare(self, request: ChatRequest) -> Prompt:
        """Blocking, some milliseconds, a few hundred for the longest; a second for JSON. Raises `BadRequestError`."""
        forced = request.forced_call
        wanted = wanted_json(request.response_format, forced)
        constraint = None if wanted is None else self._grammars.constraint(wanted)
        tools = self._offered(request) if wanted is None else ()
        conversation = self._instructed(request, forced, tools)
        if wanted and constraint and not forced and not constraint.whole:
            conversation = _asked(conversation, wanted.instruction)
        max_tokens = min(request.wanted_tokens or self._limits.answer_tokens, self._limits.answer_tokens)
        window = self._context_tokens - min(max_tokens, int(self._context_tokens * _ANSWER_SHARE))
        fitted, tokens = self._fitted_in_time(conversation, window)

        def made_again(prompt: Prompt) -> Prompt:
            if self._is_read_in_time(prompt.tokens):
                return prompt
            fitted, tokens = self._fitted_in_time(conversation, window)
            return replace(prompt, tokens=tokens, dropped_turns=fitted.dropped_turns)

        return Prompt(
            tokens=tokens,
            max_tokens=min(max_tokens, self._context_tokens - len(tokens)),
            sampling=_sampling(request, is_json=constraint is not None),
            seed=request.seed,
            stops=[] if forced else [*request.stops, *self._limits.stops],
            constraint=constraint,
            continues=bool(fitted.partial),
            dropped_turns=fitted.dropped_turns,
            forced_call=forced,
            offered_tools=tools,
            made_again=made_again,
        )

    def count(self, request: ChatRequest) -> int:
        """Tokens of the whole conversation, were nothing of it left out. Raises `BadRequestError`."""
        forced = request.forced_call
        conversation = self._instructed(request, forced, () if forced else self._offered(request))
        system = Message("system", conversation.system or self._limits.soul)
        messages = [system, *(message for turn in conversation.turns for message in turn)]
        return len(self._template.tokens(messages, conversation.partial))

    def soul_prefix(self) -> list[int]:
        """The tokens that every conversation without a system text of its own begins with."""
        one, other = (self._template.tokens([Message("system", self._limits.soul), Message("user", x)]) for x in "ab")
        same = 0
        while same < len(one) and one[same] == other[same]:
            same += 1
        return one[: min(same, self._context_tokens // 2)]

    def _offered(self, request: ChatRequest) -> tuple[Tool, ...]:
        return request.offered_tools if self._limits.tools == "pass" else ()

    def _instructed(self, request: ChatRequest, forced: ForcedCall | None, tools: tuple[Tool, ...]) -> Conversation:
        """The conversation with what the model must know of tools: what it may call first, what it must call last."""
        conversation = flatten(request.messages)
        if tools:
            system = f"{conversation.system or self._limits.soul}\n\n{offer(tools)}"
            return replace(conversation, system=system)
        if forced:
            return replace(_asked(conversation, forced.instruction), partial="")
        return conversation

    def _fitted_in_time(self, conversation: Conversation, window: int) -> tuple[Fitted, list[int]]:
        """As much as the window holds when most of it was read before; else what can be read in time."""
        counted = cache(self._template.count)
        fitted, tokens = self._fitted(conversation, window, counted)
        within = self._rate.tokens_within(self._limits.first_word_seconds)
        if within is None or self._is_read_in_time(tokens):
            return fitted, tokens
        # The soul was read at start, but where it is used is not known before: it is small beside the rest.
        free = 0 if conversation.system else self._soul_tokens
        return self._fitted(conversation, min(window, within + free), counted)

    def _is_read_in_time(self, tokens: list[int]) -> bool:
        cached = self._prefixes.cached_tokens(tokens)
        return self._rate.seconds(len(tokens) - cached, cached) <= self._limits.first_word_seconds

    def _fitted(self, conversation: Conversation, limit: int, count: Count) -> tuple[Fitted, list[int]]:
        budget = limit
        for _ in range(_ATTEMPTS):
            fitted = fit(conversation, self._limits.soul, budget, self._template.message_overhead_tokens, count)
            tokens = self._template.tokens(fitted.messages, fitted.partial)
            if len(tokens) <= limit:
                return fitted, tokens
            # Texts counted alone and joined differ by a few tokens, and a template may add words of its own.
            budget -= len(tokens) - limit + 8
        raise RuntimeError("the prompt does not converge on its budget")


def _asked(conversation: Conversation, instruction: str) -> Conversation:
    """With an instruction behind the last message."""
    *turns, (*said, last) = conversation.turns
    return replace(conversation, turns=(*turns, (*said, replace(last, text=f"{last.text}\n\n{instruction}"))))


def _sampling(request: ChatRequest, *, is_json: bool) -> Mapping[str, float]:
    named = {name: value for name in DEFAULT_SAMPLING if (value := getattr(request, name)) is not None}
    # JSON repeats its quotes and braces by nature: a penalty would make it run out of them.
    forced = {"repeat_penalty": 1.0} if is_json else {}
    return {**DEFAULT_SAMPLING, **forced, **named}
