"""Each reason is one row, and the state carries its words."""

from typing import get_args

import pytest
from claude_rig import Adapter, Upstream, failing

from claude_adapter.availability.reasons import REASONS, Fallback, Reason


def test_every_reason_has_its_row() -> None:
    """No reason without words, and no row that nobody can give as a reason."""
    assert set(REASONS) == set(get_args(Reason))


@pytest.mark.parametrize("reason", REASONS)
def test_the_words_are_whole_sentences(reason: Reason) -> None:
    """What happened and what to do."""
    for sentence in REASONS[reason].words:
        assert sentence[0].isupper()
        assert sentence.endswith(".")


async def test_the_state_carries_the_words(adapter: Adapter, upstream: Upstream) -> None:
    """Those of the reason, and good ones for a usable Claude."""
    assert (await adapter.state())["words"] == {"what": "Claude answers.", "do": "Nothing to do."}
    upstream.messages = failing(402, "billing_error")
    await adapter.ask()
    assert (await adapter.state())["words"] == REASONS["billing"].words._asdict()
    await adapter.client.post("/drill", json={"seconds": 60})
    assert (await adapter.state())["words"] == REASONS["drill"].words._asdict()


async def test_an_account_errors_words_are_its_own(adapter: Adapter, upstream: Upstream) -> None:
    """A disabled organization needs something else than a key's permissions."""
    upstream.messages = failing(400, "invalid_request_error", "This organization has been disabled.")
    await adapter.ask()
    words = (await adapter.state())["words"]
    assert words["what"] == "Anthropic has disabled this organization or account."
    assert "support" in words["do"]


async def test_one_requests_failure_is_said(adapter: Adapter, upstream: Upstream) -> None:
    """Claude is usable for others; what to do is the reason's."""
    upstream.messages = failing(403, "permission_error")
    await adapter.ask()
    words = (await adapter.state())["words"]
    assert words["what"] == "Claude is usable, but the last request has failed."
    assert words["do"] == REASONS["permission"].words.do


@pytest.mark.parametrize(
    ("reason", "is_tried", "is_probed"),
    [("connect", False, True), ("quota", True, False), ("stall", True, True), ("permission", False, True)],
)
def test_what_ends_it(reason: Reason, is_tried: bool, is_probed: bool) -> None:
    """A probe, a real request, or either; an account's error is tried whatever its reason."""
    cause = Fallback(reason, "x")
    assert (cause.is_tried, cause.is_probed) == (is_tried, is_probed)
    assert Fallback(reason, "x", needs_trial=True).is_tried
