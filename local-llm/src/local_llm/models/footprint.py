"""How much memory a model takes when it is loaded. Pure; a little above what was measured with llama.cpp 0.3.36."""

from __future__ import annotations

from local_llm.models.gguf_header import Header

SMALLEST_CONTEXT_TOKENS = 2048
_BYTES_PER_CACHED_ELEMENT = 2  # keys and values are kept as f16
_BATCH_TOKENS = 512
_FIXED_BYTES = 64 << 20
_BYTES_PER_ELEMENT_OF_A_SECOND_EMBEDDING = 0.6  # a matrix that is also the output is kept twice, in 4 to 6 bits


def need_bytes(header: Header, file_bytes: int, context_tokens: int) -> int:
    """Weights, keys and values of a full context, and what is computed with."""
    cache = context_tokens * header.layers * header.kv_width * _BYTES_PER_CACHED_ELEMENT
    embedding = int(header.vocabulary * header.embedding * _BYTES_PER_ELEMENT_OF_A_SECOND_EMBEDDING)
    activations = _BATCH_TOKENS * (8 * header.embedding + 3 * header.feed_forward) * 4
    return file_bytes + cache + embedding + activations + _FIXED_BYTES


def context_that_fits(header: Header, file_bytes: int, wanted_tokens: int, room_bytes: int) -> int | None:
    """The wanted context, or half of it, or a quarter, down to the smallest that is of use; None when none fits."""
    context = wanted_tokens
    while need_bytes(header, file_bytes, context) > room_bytes:
        if context // 2 < SMALLEST_CONTEXT_TOKENS:
            return None
        context //= 2
    return context
