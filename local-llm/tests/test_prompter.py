"""What is read of a conversation, with the real vocabulary, and a cache and a rate by rule."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llama_cpp import Llama

from local_llm.dialects.chat_request import ChatRequest
from local_llm.models.weights import embedded
from local_llm.prompt.prefill_rate import PrefillRate
from local_llm.prompt.prefix_cache import PrefixCache
from local_llm.prompt.prompter import Limits, Prompter
from local_llm.prompt.template import Template


class Cache(PrefixCache):
    """Holds so many tokens of any prompt."""

    def __init__(self) -> None:
        self.tokens = 0

    def cached_tokens(self, prompt: object) -> int:
        return self.tokens


@pytest.fixture(scope="module")
def llama() -> Iterator[Llama]:
    llama = Llama(str(embedded().path), vocab_only=True, verbose=False, n_ctx=4096)
    yield llama
    llama.close()


@pytest.mark.parametrize(("cached_at_its_turn", "same"), [(10_000, True), (0, False)], ids=["still there", "lost"])
def test_what_the_cache_lost_meanwhile_is_not_read(llama: Llama, cached_at_its_turn: int, same: bool) -> None:
    """A long conversation is read on from the cache; when another has taken its place by then, it is fitted again."""
    cache, rate = Cache(), PrefillRate(0.001)
    rate.observe(1000, 0, 10)
    limits = Limits("Be brief.", 100, first_word_seconds=2)
    prompter = Prompter(llama, Template(llama), cache, rate, limits)
    turns = [{"role": role, "content": "The sea was grey. " * 20} for _ in range(12) for role in ("user", "assistant")]
    request = ChatRequest(messages=[*turns, {"role": "user", "content": "And then?"}])
    cache.tokens = 10_000
    prompt = prompter.prepare(request)
    assert len(prompt.tokens) > 1000
    cache.tokens = cached_at_its_turn
    later = prompt.in_time()
    assert (later is prompt) == same
    assert same or rate.seconds(len(later.tokens), 0) <= 2
    assert same or later.dropped_turns > prompt.dropped_turns
    assert (later.max_tokens, later.sampling) == (prompt.max_tokens, prompt.sampling)
