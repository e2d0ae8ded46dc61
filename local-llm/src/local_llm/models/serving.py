"""A model in memory with all that answers by it, and which one is on.

A request keeps the model it began with: after a change, answers that run or wait end on the old model, whose memory is
given back when the last of them has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_cpp.server.model import LlamaProxy

from local_llm.engine.engine import Engine
from local_llm.engine.progress import Progress
from local_llm.machine import memory
from local_llm.metrics import Metrics
from local_llm.models import catalogue
from local_llm.models.weights import Weights, server_settings_for
from local_llm.prompt.prefill_rate import PrefillRate, share_of
from local_llm.prompt.prefix_cache import PrefixCache
from local_llm.prompt.prompter import Limits, Prompter
from local_llm.prompt.template import Template
from local_llm.settings import Settings


class LoadedModel:
    """One model's engine and prompter."""

    def __init__(
        self, weights: Weights, proxy: LlamaProxy, settings: Settings, soul: str, metrics: Metrics, progress: Progress
    ) -> None:
        llama = proxy(weights.name)
        self.path: Path = weights.path
        self.name = weights.name
        self.context_tokens = llama.n_ctx()
        self.loaded_at_seconds = int(time.time())
        self._proxy = proxy
        prefixes = PrefixCache(llama, settings.local_cache_mb * 2**20)
        rate = PrefillRate(share_of(llama))
        entry = catalogue.of_file(weights.path.name)
        stops = entry.stops if entry else ()
        self.engine = Engine(
            llama,
            prefixes,
            rate,
            metrics,
            progress,
            queue_limit=settings.local_queue,
            queue_seconds=settings.local_queue_seconds,
            answer_seconds=settings.local_answer_seconds,
        )
        limits = Limits(soul, settings.local_max_tokens, settings.local_first_word_seconds, settings.local_tools, stops)
        self.prompter = Prompter(llama, Template(llama, stops), prefixes, rate, limits)
        self._requests = 0
        self._unused = asyncio.Event()
        self._unused.set()

    async def warm_up(self) -> None:
        """Read the persona and measure. Alone on the machine, or the measurement is worth nothing."""
        async with self.engine.alone():
            await self.engine.warm_up(self.prompter.soul_prefix())

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While a request may still use it."""
        self._requests += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._unused.set()

    async def close(self) -> None:
        """Wait for the requests that use it, then give its memory back."""
        await self._unused.wait()
        await asyncio.to_thread(self.engine.close)
        await asyncio.to_thread(self._proxy.free)
        await asyncio.to_thread(memory.give_back)


class Serving:
    """Which model is on. Belongs to the event loop."""

    def __init__(self, settings: Settings, soul: str) -> None:
        self.metrics = Metrics(lambda: self.depth)
        self.progress = Progress()  # of all models: they answer one at a time
        self.passed_over: dict[str, str] = {}
        self._settings = settings
        self._soul = soul
        self._current: LoadedModel | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._old: list[LoadedModel] = []

    @property
    def current(self) -> LoadedModel:
        """The model that answers a request which comes now."""
        if self._current is None:
            raise RuntimeError("no model has been loaded yet")
        return self._current

    @property
    def depth(self) -> int:
        """Requests waiting or running, on whichever model."""
        return sum(model.engine.depth for model in (self._current, *self._old) if model)

    @contextmanager
    def lease(self) -> Iterator[LoadedModel]:
        """The current model, for one request: it stays in memory until this ends."""
        model = self.current
        with model.in_use():
            yield model

    def adopt(self, weights: Weights, proxy: LlamaProxy) -> LoadedModel:
        """What another has loaded, with its engine; not on yet."""
        return LoadedModel(weights, proxy, self._settings, self._soul, self.metrics, self.progress)

    async def load(self, weights: Weights, context_tokens: int) -> LoadedModel:
        """Load and warm up; not on yet. Raises ValueError or RuntimeError when llama.cpp cannot."""
        server_settings = server_settings_for(weights, self._settings, context_tokens)
        proxy = await asyncio.to_thread(LlamaProxy, [server_settings])
        model = await asyncio.to_thread(self.adopt, weights, proxy)
        await model.warm_up()
        return model

    def switch(self, model: LoadedModel) -> asyncio.Task[None] | None:
        """From now on this one answers. Returns the task that ends when the old one's memory is free."""
        old, self._current = self._current, model
        self.metrics.model_on(model.name)
        if old is None:
            return None
        self._old.append(old)
        leaving = asyncio.create_task(old.close())
        self._leaving.add(leaving)

        def gone(task: asyncio.Task[None]) -> None:
            self._leaving.discard(task)
            self._old.remove(old)

        leaving.add_done_callback(gone)
        return leaving

    async def close(self) -> None:
        """Not ready any more; running answers end first."""
        current = self.current
        current.engine.ready = False
        await asyncio.gather(current.close(), *self._leaving)
