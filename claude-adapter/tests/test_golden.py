"""Whole conversations as files, from OpenAI's request to its reply; `golden_cases.py` says how they are written."""

from pathlib import Path

import golden_cases
import orjson
import pytest

from fake_anthropic.validation import check_messages_request


@pytest.mark.parametrize("path", golden_cases.paths(), ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    """The request to Claude, each chunk and the whole reply are what the file says, and Claude takes the request."""
    case = golden_cases.read(path)
    made = golden_cases.made_of(case)
    assert made == {name: case[name] for name in made}
    check_messages_request(orjson.dumps(made["messages_request"]), "2023-06-01")


def test_there_are_cases() -> None:
    """A folder that is lost does not pass for a folder where all is well."""
    assert len(golden_cases.paths()) >= 10
