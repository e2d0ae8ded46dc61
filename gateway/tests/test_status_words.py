"""What is said of each reason, and that it is said as text."""

import re
from pathlib import Path
from typing import Any

import pytest

from claude_adapter.availability.reasons import REASONS as ADAPTERS_REASONS
from gateway.metrics import BACKENDS, Metrics
from gateway.reasons import ADAPTER_DOWN, REASONS, Words, words_for
from gateway.status.badge import badge
from gateway.status.document import full_document, public_document
from gateway.status.fragment import fragment
from gateway.status.history import History
from gateway.status.poller import Status

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "status.md"


@pytest.fixture
async def document(tmp_path: Path) -> dict[str, Any]:
    """The status document of a gateway that has just started."""
    metrics = Metrics()
    status = Status(tmp_path, metrics, "notice")
    async with status.polling():
        return full_document(status, History(tmp_path / "history.sqlite3"))


def test_every_reason_has_words() -> None:
    """Whole sentences, both of them; the gateway's own, for an adapter that cannot be asked, are the adapter's."""
    for reason, row in ADAPTERS_REASONS.items():
        assert re.fullmatch(r"[A-Z].*\.", row.words.what), reason
        assert re.fullmatch(r"[A-Z].*\.", row.words.do), reason
    assert Words(*ADAPTERS_REASONS["adapter_down"].words) == ADAPTER_DOWN


def test_the_reasons_are_claude_adapters_own() -> None:
    """One list in each service, and the two are the same."""
    assert set(REASONS) == set(ADAPTERS_REASONS)


def test_claude_adapters_words_are_the_ones_that_are_shown() -> None:
    """It knows best; only that nobody can answer is the gateway's to say."""
    assert words_for("local", "auth", Words("A.", "B.")) == Words("A.", "B.")
    assert words_for("none", "auth", Words("A.", "B.")).what.startswith("A. The local model")
    assert words_for("claude", None, Words("Claude answers.", "Nothing to do.")).what == "Claude answers."


def test_an_unknown_reason_and_nobody_have_words_too() -> None:
    """A newer adapter may know more reasons."""
    assert words_for("local", "something new").what
    assert "local model is not ready" in words_for("none", "auth").what


async def test_the_document_is_what_its_page_says(document: dict[str, Any]) -> None:
    """docs/status.md names every key of version 1, and marks the public ones."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", DOCUMENTATION.read_text(), re.MULTILINE)
    assert {name for name, _ in rows} == set(document)
    assert {name for name, says in rows if "(*public*)" in says} == set(public_document(document))
    for name, says in rows:
        if isinstance(document[name], dict) and name != "traffic":
            assert set(document[name]) <= set(re.findall(r"`(\w+)`", says)), name


async def test_markup_from_outside_is_text_in_the_fragment(document: dict[str, Any]) -> None:
    """A model name and words with HTML in them are escaped."""
    evil = '<script>alert("x")</script>'
    html = fragment(document | {"model": evil, "words": {"headline": evil, "what": evil, "do": evil}})
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;") == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_badge_names_the_brain(backend: str) -> None:
    """In its title, for those who cannot see it."""
    word = {"claude": "claude", "local": "local model", "none": "nobody"}[backend]
    assert f"<title>pilot light: {word}</title>" in badge(backend)
