"""What is hung into llama.cpp while it reads and samples: a mask over its tokens, and a way to end its reading."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from local_llm.prompt.grammar import Constraint

_NO_CALLBACK = llama_cpp.ggml_abort_callback()


class Mask:
    """A constraint as llama_cpp's sampler takes it: made between tokens, for in there nothing may be raised."""

    def __init__(self, constraint: Constraint) -> None:
        self._constraint = constraint
        self._refused = ~constraint.allowed()

    def consume(self, token: int) -> None:
        """This token has come; ready for the next."""
        self._constraint.consume(token)
        if not self._constraint.complete:
            self._refused = ~self._constraint.allowed()

    def __call__(self, _: Any, logits: NDArray[np.single]) -> NDArray[np.single]:
        """Those of tokens that may not come are put out of reach, in place."""
        logits[self._refused] = -np.inf
        return logits


@contextmanager
def abortable(llama: llama_cpp.Llama, stop: threading.Event, sign: Callable[[], None]) -> Iterator[None]:
    """While reading a prompt, let `stop` end it in mid-batch, and tell by `sign` that it gets on.

    Not while writing: the callback runs once per graph node, a tenth of a small model's time per token.
    """

    def gets_on(_: object) -> bool:
        sign()
        return stop.is_set()

    callback = llama_cpp.ggml_abort_callback(gets_on)
    llama_cpp.llama_set_abort_callback(llama.ctx, callback, None)
    try:
        yield
    finally:
        llama_cpp.llama_set_abort_callback(llama.ctx, _NO_CALLBACK, None)
