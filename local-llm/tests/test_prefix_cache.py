"""Two conversations taking turns: neither wipes out what the model has read of the other. With the real model."""

from __future__ import annotations

from collections.abc import Iterator

import llama_cpp
import pytest

from local_llm.models.weights import locate
from local_llm.prompt.prefix_cache import PrefixCache
from local_llm.settings import Settings

PLENTY = 1 << 30
SOUL = list(range(1000, 1020))


@pytest.fixture(scope="module")
def loaded() -> Iterator[llama_cpp.Llama]:
    llama = llama_cpp.Llama(str(locate(Settings()).path), n_ctx=1024, flash_attn=True, verbose=False)
    yield llama
    llama.close()


@pytest.fixture
def llama(loaded: llama_cpp.Llama) -> llama_cpp.Llama:
    """As after its start: the persona has been read."""
    loaded.reset()  # type: ignore[no-untyped-call]  # as llama_cpp has it
    loaded.eval(SOUL)
    return loaded


def conversation(number: int, length: int = 120) -> list[int]:
    """Tokens that begin with the persona and share nothing more."""
    return SOUL + [2000 + number * 1000 + at for at in range(length)]


def next_token(llama: llama_cpp.Llama, prompt: list[int]) -> int:
    """What the model says next, greedily, going on from what it holds."""
    return next(llama.generate(prompt, temp=0.0))


def test_one_conversation_goes_on(llama: llama_cpp.Llama) -> None:
    """Its next turn begins with all that was read; nothing is put aside for it."""
    cache = PrefixCache(llama, PLENTY)
    first = conversation(1)
    assert cache.prepare(first) == len(SOUL)
    next_token(llama, first)
    assert cache.cached_tokens([*first, 7, 8]) == len(first)
    assert cache.prepare([*first, 7, 8]) == len(first)
    assert cache.saved_bytes == 0


def test_two_conversations_take_turns(llama: llama_cpp.Llama) -> None:
    """What was read of each comes back, and the model says what it would have said."""
    cache = PrefixCache(llama, PLENTY)
    one, two = conversation(1), conversation(2)
    fresh = {}
    for turn in (one, two):
        assert cache.prepare(turn) == len(SOUL)
        fresh[tuple(turn)] = next_token(llama, turn)
    for turn in (one, two, one):
        assert cache.cached_tokens(turn) == len(turn)
        assert cache.prepare(turn) == len(turn)
        assert next_token(llama, turn) == fresh[tuple(turn)]
    assert cache.saved_bytes > 0


def test_the_persona_stays(llama: llama_cpp.Llama) -> None:
    """However many conversations come and go."""
    cache = PrefixCache(llama, 0)
    cache.pin()
    for number in range(3):
        foreign = [3000 + number * 1000 + at for at in range(100)]
        assert cache.prepare(foreign) == 0
        next_token(llama, foreign)
    assert cache.prepare(conversation(9)) == len(SOUL)
    assert next_token(llama, conversation(9)) >= 0


def test_memory_is_bounded(llama: llama_cpp.Llama) -> None:
    """The conversation that was silent longest is forgotten first."""
    cache = PrefixCache(llama, PLENTY)
    turns = [conversation(number) for number in range(5)]
    next_token(llama, turns[0])
    cache.prepare(turns[1])
    one_state = cache.saved_bytes
    cache = PrefixCache(llama, int(one_state * 2.5))
    for turn in turns:
        cache.prepare(turn)
        next_token(llama, turn)
        assert cache.saved_bytes <= one_state * 2.5
    remembered = [cache.cached_tokens(turn) == len(turn) for turn in turns]
    assert remembered == [False, False, True, True, True]


def test_of_one_too_large_the_beginning_is_kept(llama: llama_cpp.Llama) -> None:
    """Better than nothing: most of a long conversation is its beginning."""
    cache = PrefixCache(llama, PLENTY)
    long = conversation(1, 400)
    next_token(llama, long)
    cache.prepare(conversation(2))
    whole_state = cache.saved_bytes
    cache = PrefixCache(llama, whole_state // 2)
    llama.reset()  # type: ignore[no-untyped-call]  # as llama_cpp has it
    next_token(llama, long)
    cache.prepare(conversation(2))
    assert 0 < cache.saved_bytes <= whole_state // 2
    assert len(long) * 0.4 < cache.cached_tokens(long) < len(long) * 0.5
    assert cache.prepare(long) == cache.cached_tokens(long)
    assert next_token(llama, long) >= 0
