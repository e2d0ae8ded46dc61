"""Looking for a better model goes on, whatever one look meets."""

import asyncio
import time
from typing import Any

import pytest

from local_llm.models import switcher
from local_llm.models.switcher import Switcher
from local_llm.settings import Settings


async def test_a_look_that_fails_is_followed_by_the_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once for as long as it lasts, and again when it comes back."""
    looks = 0

    def candidates(settings: Settings) -> Any:
        nonlocal looks
        looks += 1
        if looks != 4:
            raise OSError("the disk is away")
        return None  # as at the look before: nothing new

    monkeypatch.setattr(switcher, "candidates", candidates)
    monkeypatch.setattr(switcher, "LOOK_SECONDS", 0.01)
    serving: Any = None  # which nobody gets to
    running = asyncio.create_task(Switcher(serving, Settings()).run())
    deadline = time.monotonic() + 10
    while looks < 7:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [message for message in caplog.messages if "failed with OSError" in message] == [
        "looking for a better model failed with OSError"
    ] * 2
