"""Keeps the best present model on: looks into the models directory, tries what is new, and changes over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from local_llm.machine import memory
from local_llm.models.choose import Candidate, Choice, Key, Verdict, choose
from local_llm.models.serving import LoadedModel, Serving
from local_llm.models.trial import try_model
from local_llm.models.weights import Weights, candidates
from local_llm.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
_SPARE_BYTES = 64 << 20  # for requests, which come in bodies of up to 32 MB


class Switcher:
    """Runs beside the requests, for as long as the service does."""

    def __init__(self, serving: Serving, settings: Settings) -> None:
        self._serving = serving
        self._settings = settings
        self._verdicts: dict[Key, Verdict] = {}
        self._on: tuple[Key, int] | None = None  # the model that is on, and what it needs
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled. What goes wrong with one look does not end the next."""
        seen: Sequence[Candidate] | None = None
        failing = False
        while True:
            try:
                present = await asyncio.to_thread(candidates, self._settings)
                if present != seen:
                    await self._settle(present)
                seen = present
                failing = False
            except Exception as error:  # the model that is on stays on
                if not failing:  # once, or it would fill the log
                    log.exception("looking for a better model failed with %s", type(error).__name__)
                failing = True
            await asyncio.sleep(LOOK_SECONDS)

    async def _settle(self, present: Sequence[Candidate]) -> None:
        """Try and change until the best of these is on."""
        if self._on is None:
            embedded = next(each for each in present if each.embedded)
            self._on = (embedded.key, embedded.need_bytes(self._serving.current.context_tokens))
        while True:
            minimum = self._settings.local_min_tokens_per_second
            choice = choose(present, self._room_bytes(present), self._verdicts, minimum, on=self._on[0])
            self._tell(choice)
            if choice.candidate.key == self._on[0]:
                return
            await self._try(choice, present)

    async def _try(self, choice: Choice, present: Sequence[Candidate]) -> None:
        candidate, context = choice.candidate, choice.context_tokens
        if not candidate.embedded:
            assert self._on is not None  # noqa: S101  # set by our only caller
            embedded = next(each for each in present if each.embedded)
            if self._on[0] != embedded.key and candidate.need_bytes(context) > self._free_bytes():
                log.info("%s and %s do not fit beside each other: %s answers meanwhile.",
                         self._serving.current.name, candidate.name, embedded.name)  # fmt: skip
                await self._put_on(embedded, self._embedded_context(embedded), wait=True)
            if candidate.key not in self._verdicts:
                log.info("Trying %s ...", candidate.name)
                verdict = await try_model(candidate.key.path, context, self._serving.current.engine.alone)
                self._verdicts[candidate.key] = verdict
                self._serving.metrics.trials.labels("failed" if verdict.problem else "ok").inc()
                if verdict.problem or choose([candidate, embedded], 1 << 62, self._verdicts,
                                             self._settings.local_min_tokens_per_second).passed_over:  # fmt: skip
                    return
        try:
            await self._put_on(candidate, context)
        except (ValueError, RuntimeError, MemoryError):
            self._verdicts[candidate.key] = Verdict(problem="could be loaded when it was tried, but not to answer")
            if candidate.embedded:
                raise

    async def _put_on(self, candidate: Candidate, context_tokens: int, *, wait: bool = False) -> None:
        weights = Weights(candidate.key.path, candidate.name)
        model: LoadedModel = await self._serving.load(weights, context_tokens)
        old = self._serving.current
        leaving = self._serving.switch(model)
        self._on = (candidate.key, candidate.need_bytes(model.context_tokens))
        verdict = self._verdicts.get(candidate.key)
        rate = f", {verdict.tokens_per_second:.1f} tokens per second" if verdict and verdict.tokens_per_second else ""
        log.info("%s is on instead of %s: a context of %d tokens%s.", model.name, old.name, model.context_tokens, rate)
        if leaving and wait:
            await leaving

    def _room_bytes(self, present: Sequence[Candidate]) -> int:
        """What a model may take while the embedded one, which covers for a change, is loaded beside it."""
        assert self._on is not None  # noqa: S101  # set by our only caller
        embedded = next(each for each in present if each.embedded)
        key, need = self._on
        if key == embedded.key:
            return self._free_bytes()
        return self._free_bytes() + need - embedded.need_bytes(self._embedded_context(embedded))

    def _free_bytes(self) -> int:
        return memory.available_bytes() - _SPARE_BYTES - self._settings.local_cache_mb * 2**20

    def _embedded_context(self, embedded: Candidate) -> int:
        return choose([embedded], self._free_bytes(), {}, 0).context_tokens

    def _tell(self, choice: Choice) -> None:
        """Why a larger model is not on: once each."""
        told = {name: why.partition(",")[0] for name, why in choice.passed_over.items()}  # how much is free varies
        for name, why in choice.passed_over.items():
            if self._said.get(name) != told[name]:
                log.warning("%s is not used: it %s.", name, why)
        self._said |= told
        self._serving.passed_over = dict(choice.passed_over)
