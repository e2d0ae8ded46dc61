"""A body that could be read but not written again is refused, in both dialects and at one depth."""

from typing import Any

import orjson
import pytest

from gateway.dialects.errors import AnthropicError, OpenAIError
from gateway.dialects.json_body import DEEPEST
from gateway.dialects.messages.request import read_messages_request
from gateway.dialects.responses.request import read_responses_request, to_chat

MESSAGES = b'{"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}], "x": %s}'


def lists(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_what_is_deep_enough_passes() -> None:
    """Up to the limit, and however many brackets stand side by side."""
    read_messages_request(MESSAGES % lists(DEEPEST - 1), "application/json")
    read_messages_request(MESSAGES % (b"[" + b"[]," * 1000 + b"[]]"), "application/json")


@pytest.mark.parametrize("levels", [DEEPEST, 1000, 100_000])
def test_what_is_deeper_is_refused_in_anthropics_words(levels: int) -> None:
    """A 400, whether or not the parser itself could have read it."""
    with pytest.raises(AnthropicError) as caught:
        read_messages_request(MESSAGES % lists(levels), "application/json")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "where",
    [
        lambda deep: {"metadata": deep},
        lambda deep: {"text": {"format": {"type": "json_schema", "name": "x", "schema": deep}}},
        lambda deep: {"tools": [{"type": "function", "name": "f", "parameters": deep}]},
    ],
    ids=["metadata", "schema", "tool"],
)
def test_what_a_translation_adds_can_still_be_written(where: Any) -> None:
    """Responses put a request into others: at the limit there is room for that, beyond it the mistake is named."""
    fits: Any = {}
    for _ in range(DEEPEST - 10):
        fits = {"a": fits}
    raw = orjson.dumps({"input": "hi", **where(fits)})
    orjson.dumps(to_chat(read_responses_request(raw, "application/json")))
    deeper: Any = fits
    for _ in range(20):
        deeper = {"a": deeper}
    raw = orjson.dumps({"input": "hi", **where(deeper)})
    with pytest.raises(OpenAIError) as caught:
        read_responses_request(raw, "application/json")
    assert "nested more than" in caught.value.message
