"""When an answer counts as repeating itself. Tokens are made of words here, one each."""

from __future__ import annotations

import itertools
import re

import pytest

from local_llm.engine.repetition import LEAST_TOKENS, LONGEST_ROUND_TOKENS, Repetition


def tokens_of(text: str) -> list[int]:
    """Words, line ends and marks, much as a vocabulary splits them; whatever is the same is the same token."""
    known: dict[str, int] = {}
    return [known.setdefault(part, len(known)) for part in re.findall(r"\n| ?\w+| ?[^\w\s]", text)]


def seen_after(tokens: list[int]) -> int | None:
    """After how many tokens the answer is said to repeat itself, None when it is not."""
    repetition = Repetition()
    return next((count for count, token in enumerate(tokens, 1) if repetition.observe(token)), None)


PROSE = "The lamp keeper walked along the shore, counted the boats, and said: the sea is as old as the night. "
PARAGRAPH = " ".join(f"word{n}" for n in range(100)) + "\n\n"
HEADED = "Here is what I know about it, in a few words. "


@pytest.mark.parametrize(
    "text",
    [
        "-" * 80 + "\n" + "=" * 80,
        "| " + " | ".join(["---"] * 20) + " |\n" + "| a | b |\n" * 10,
        "\n".join(f"| {n} | yes | no | yes | no |" for n in range(300)),
        "\n".join(f"- item {n}: to be done" for n in range(300)),
        "[" + ", ".join(["0"] * 100) + "]",
        ("[" + ", ".join(["0"] * 10) + "],\n") * 10,
        "[" + ", ".join(str(n % 7 * n) for n in range(400)) + "]",
        ", ".join(f'{{"x": {n}, "y": "a"}}' for n in range(100)),
        "ha " * 100,
        "\n".join(f"    values[{n}] = values[{n}] + 1;" for n in range(200)),
        "if x {\n" * 12 + "}\n" * 100,
        ("+" + "-" * 20 + "+\n|" + " ." * 20 + "|\n") * 3,
        "".join(PROSE * 3 + f"But on day {n} it rained. " for n in range(8)),
        PARAGRAPH * 3,
    ],
    ids=[
        *("rulers", "table head", "table", "list", "zeros", "ten lines of ten zeros", "numbers", "objects", "laughter"),
        *("code", "closing braces", "ASCII art", "refrain", "three times the same paragraph"),
    ],
)
def test_what_is_written_on_purpose_goes_on(text: str) -> None:
    """Much of the same is not the same over and over."""
    assert seen_after(tokens_of(HEADED + text)) is None


@pytest.mark.parametrize(
    ("rounds", "least_rounds"),
    [("the ", 240), ("I am sorry. ", 60), (PROSE, 10), (PARAGRAPH, 4), ("0, ", 120)],
    ids=["word", "sentence", "long sentence", "paragraph", "number"],
)
def test_the_same_over_and_over_ends(rounds: str, least_rounds: int) -> None:
    """After 240 tokens of it, whatever went before; a long round must come four times."""
    head, one = len(tokens_of(HEADED)), len(tokens_of(rounds))
    ends = seen_after(tokens_of(HEADED + rounds * 1000))
    assert ends is not None
    assert ends - head <= max(LEAST_TOKENS, 4 * one) + one
    assert seen_after(tokens_of(HEADED + rounds * (least_rounds - 3))) is None


def test_longer_rounds_are_no_loop() -> None:
    """What is not noticed ends by LOCAL_MAX_TOKENS."""
    rounds = list(range(LONGEST_ROUND_TOKENS + 1))
    assert seen_after(list(itertools.chain.from_iterable([rounds] * 12))) is None


def test_an_answer_can_begin_with_its_loop() -> None:
    """The first token is compared with nothing."""
    assert seen_after([0] * 1000) == LEAST_TOKENS
    assert seen_after([0, 1] * 500) == LEAST_TOKENS
