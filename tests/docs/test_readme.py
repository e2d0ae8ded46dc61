"""The README stays short enough to be read, and each part has one of its own."""

import re

import pytest

from docs.pages import PARTS, read

MOST_WORDS = 1000
MOST_LINES = 20


def test_the_readme_is_short() -> None:
    """As `wc -w` counts, tables and commands included."""
    assert len(read("README.md").split()) <= MOST_WORDS


def test_an_answer_is_on_the_first_screen() -> None:
    """From nothing to the first question in 40 lines."""
    first_screen = "\n".join(read("README.md").splitlines()[:40])
    for step in ("apt-get install", "git clone", "make run", "curl http://127.0.0.1:8080/v1/chat/completions"):
        assert step in first_screen


@pytest.mark.parametrize("part", PARTS)
def test_each_part_has_a_short_readme(part: str) -> None:
    """What it is for, which file to open first, how to run its tests."""
    text = read(f"{part}/README.md")
    assert len(text.splitlines()) <= MOST_LINES
    assert re.search(r"make test|pytest", text)
    assert re.search(r"\]\(.*\.(py|conf)\)|`[\w/]+\.(py|conf)`", text), "no file to open first"
