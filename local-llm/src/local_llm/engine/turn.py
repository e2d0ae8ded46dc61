"""One request on its way through queue and model, as its endpoint and the engine see it."""

from __future__ import annotations

import asyncio
import threading
from typing import Literal

from local_llm.dialects.answer import Answer
from local_llm.prompt.prompter import Prompt


class Turn:
    """A request's place in the queue and then on the model.

    `texts` gets the answer's text as it is made, and None when nothing more comes; then `answer()` tells how it ended.
    """

    def __init__(self) -> None:
        self.state: Literal["waiting", "reading"] = "waiting"
        self.texts: asyncio.Queue[str | None] = asyncio.Queue()
        self.task: asyncio.Task[Answer]

    def cancel(self) -> None:
        """Leave the queue at once, or stop within a token."""
        self.task.cancel()

    def answer(self) -> Answer:
        """How it ended. Raises `asyncio.CancelledError` after `cancel`, `BusyError`, and whatever went wrong."""
        return self.task.result()


class Reading:
    """How far one prompt has been read; it may be put aside for shorter ones, and read on later."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.stop = threading.Event()
        self.cached: int | None = None  # tokens of it that were there before anything was read
        self.evaluated = 0
        self.began = 0.0  # by the monotonic clock
