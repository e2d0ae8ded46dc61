"""What of a prompt the model has read already: the live context, and saved ones of other conversations.

One conversation's next turn begins with its last one, so only what is new is read. Two taking turns would each wipe out
what the other left; a copy of the context's state is put aside instead and taken back when its conversation goes on.
Measured on SmolLM2: 168 MB, 7,680 tokens, put aside in 50 ms and taken back in 25 ms; reading them takes over a minute.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import llama_cpp
import numpy as np
from numpy.typing import NDArray

_WORTH_TOKENS = 64  # fewer are read again in less time than copying and keeping them is worth
_SEQUENCE = 0  # llama_cpp.Llama knows only this one

Tokens = NDArray[np.intc]


@dataclass(frozen=True, eq=False)
class _Saved:
    tokens: Tokens
    state: NDArray[np.uint8]
    pinned: bool


class PrefixCache:
    """All methods but `cached_tokens` belong to the thread that generates."""

    def __init__(self, llama: llama_cpp.Llama, limit_bytes: int) -> None:
        self._llama = llama
        self._limit_bytes = limit_bytes
        self._saved: tuple[_Saved, ...] = ()  # replaced, never changed; the one used last is the last

    @property
    def saved_bytes(self) -> int:
        """Memory the saved states take."""
        return sum(saved.state.nbytes for saved in self._saved)

    def cached_tokens(self, prompt: Sequence[int]) -> int:
        """How much of a prompt would not be read again, were it answered now. From any thread; an estimate there."""
        tokens = _array(prompt)
        return max(_shared(each, tokens) for each in (self._live(), *(saved.tokens for saved in self._saved)))

    def pin(self) -> None:
        """Keep what the context holds now for good, whatever the limit: the persona that conversations begin with."""
        if self._llama.n_tokens:
            self._saved = (*self._saved, _Saved(self._live(), self._state(), pinned=True))

    def prepare(self, prompt: Sequence[int]) -> int:
        """Bring the best beginning of this prompt into the context. Returns how many of its tokens are there now."""
        tokens, live = _array(prompt), self._live()
        kept = _shared(live, tokens)
        if len(live) - kept >= _WORTH_TOKENS:
            self._put_aside(live)
        best = max(self._saved, key=lambda saved: _shared(saved.tokens, tokens), default=None)
        if best is not None and _shared(best.tokens, tokens) > kept:
            kept = self._take_back(best, tokens)
        return kept

    def _live(self) -> Tokens:
        return self._llama.input_ids[: self._llama.n_tokens].copy()

    def _put_aside(self, live: Tokens) -> None:
        if any(_shared(saved.tokens, live) > len(live) - _WORTH_TOKENS for saved in self._saved):
            return
        size = llama_cpp.llama_state_seq_get_size(self._llama.ctx, _SEQUENCE)
        if size > self._limit_bytes:  # its beginning is better than nothing
            keep = int(len(live) * self._limit_bytes / size * 0.95)
            if keep < _WORTH_TOKENS or not self._llama._ctx.kv_cache_seq_rm(_SEQUENCE, keep, -1):
                return
            self._llama.n_tokens = keep
            live = live[:keep]
            size = llama_cpp.llama_state_seq_get_size(self._llama.ctx, _SEQUENCE)
        kept = [saved for saved in self._saved if saved.pinned or _shared(saved.tokens, live) < len(saved.tokens)]
        left_bytes = self._limit_bytes - size
        while sum(saved.state.nbytes for saved in kept if not saved.pinned) > left_bytes:
            kept.remove(next(saved for saved in kept if not saved.pinned))
        self._saved = tuple(kept)  # let go before new memory is taken
        self._saved = (*kept, _Saved(live, self._state(), pinned=False))

    def _take_back(self, best: _Saved, tokens: Tokens) -> int:
        llama = self._llama
        llama._ctx.kv_cache_seq_rm(_SEQUENCE, 0, -1)
        read = llama_cpp.llama_state_seq_set_data(llama.ctx, _pointer(best.state), best.state.nbytes, _SEQUENCE)
        others = tuple(saved for saved in self._saved if saved is not best)
        if not read:
            llama.reset()  # type: ignore[no-untyped-call]  # as llama_cpp has it
            self._saved = others
            return 0
        llama.n_tokens = len(best.tokens)
        llama.input_ids[: len(best.tokens)] = best.tokens
        llama._requires_eval = True
        shared = _shared(best.tokens, tokens)
        # A conversation that goes on lives in the context now; its copy would only take memory.
        goes_on = shared == len(best.tokens) and not best.pinned
        self._saved = others if goes_on else (*others, best)
        return shared

    def _state(self) -> NDArray[np.uint8]:
        size = llama_cpp.llama_state_seq_get_size(self._llama.ctx, _SEQUENCE)
        state = np.empty(size, dtype=np.uint8)
        written = llama_cpp.llama_state_seq_get_data(self._llama.ctx, _pointer(state), size, _SEQUENCE)
        if written != size:
            raise RuntimeError("llama.cpp saved only a part of its state")
        return state


def _pointer(state: NDArray[np.uint8]) -> ctypes._Pointer[ctypes.c_uint8]:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def _array(tokens: Sequence[int]) -> Tokens:
    return np.asarray(tokens, dtype=np.intc)


def _shared(one: Tokens, other: Tokens) -> int:
    """Length of the common beginning."""
    length = min(len(one), len(other))
    different = one[:length] != other[:length]
    return int(different.argmax()) if different.any() else length
