"""Numbers as clients write them: brought within what a sampler takes, or none."""

from typing import Any

import orjson
import pytest

from local_llm.dialects.chat_request import parse
from local_llm.dialects.messages_request import parse_messages

ASK = {"model": "local", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}

NUMBERS: list[tuple[str, Any, Any]] = [
    ("temperature", 3, 2.0),
    ("temperature", -1, 0.0),
    ("temperature", 1e308, 2.0),
    ("temperature", "hot", None),
    ("temperature", True, None),
    ("top_p", 1.5, 1.0),
    ("top_p", -1, 0.0),
    ("top_k", -1, 0),
    ("top_k", 40.0, 40),
    ("top_k", 0.5, None),
    ("top_k", 10**12, 1_000_000),
    ("top_k", "40", None),
]
OF_CHAT = [
    ("min_p", 7, 1.0),
    ("presence_penalty", 9, 2.0),
    ("frequency_penalty", -9, -2.0),
    ("frequency_penalty", [1], None),
    ("repeat_penalty", 0, None),
    ("repeat_penalty", 99, 10.0),
    ("repeat_penalty", "a", None),
    ("seed", "a", None),
    ("seed", 1.5, None),
    ("seed", -1, -1),
]


@pytest.mark.parametrize(("name", "given", "taken"), NUMBERS + OF_CHAT)
def test_a_number_of_chat_completions(name: str, given: Any, taken: Any) -> None:
    """Clamped, or as if it had not been given; never refused."""
    assert getattr(parse(orjson.dumps({**ASK, name: given})), name) == taken


@pytest.mark.parametrize(("name", "given", "taken"), NUMBERS)
def test_a_number_of_messages(name: str, given: Any, taken: Any) -> None:
    """The same."""
    assert getattr(parse_messages(orjson.dumps({**ASK, name: given})), name) == taken


@pytest.mark.parametrize(
    ("given", "taken"), [(0, 1), (-5, 1), (24.0, 24), (10**12, 10**9), ("many", None), (1.5, None)]
)
def test_a_length(given: Any, taken: int | None) -> None:
    """At least one token; what is no length leaves it to the operator's."""
    assert parse(orjson.dumps({**ASK, "max_tokens": given})).wanted_tokens == taken
    assert parse_messages(orjson.dumps({**ASK, "max_tokens": given})).wanted_tokens == taken


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("END", ["END"]),
        (None, []),
        (5, []),
        ([1, "a", ""], ["a"]),
        (["x" * 300], ["x" * 256]),
        (["s"] * 40, ["s"] * 16),
    ],
)
def test_stops(given: Any, taken: list[str]) -> None:
    """As many and as long as can be looked for at every token."""
    assert parse(orjson.dumps({**ASK, "stop": given})).stops == taken
