"""Hermes in the middle of its work: a tool loop ends as without faults, and the local model is not asked."""

import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from clients.conftest import Rows
from clients.hermes import ADDRESS, MESSAGES, Hermes
from clients.test_clients import one_line
from fake_anthropic.process import FakeAnthropic
from stack import Stack, wait_for

pytestmark = pytest.mark.timeout(300)  # its environment may have to be built first

STEPS = 10
OUTAGE_SECONDS = 8.0


def asked_of_local(stack: Stack) -> list[str]:
    """How many requests the local model has had, by outcome."""
    return re.findall(r"^pilotlight_local_requests_total.*$", stack.metrics("local-llm"), re.MULTILINE)


def test_a_tool_loop_of_ten_steps(good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """One 529 at each step in turn, and an outage of 8 s in the middle."""
    for step in range(1, STEPS + 1):
        (tmp_path / f"note-{step}.txt").write_text(f"Word {step} is swordfish.")
    hermes = Hermes(tmp_path, MESSAGES.replace(ADDRESS, good.url))
    before = asked_of_local(good)

    def answered() -> list[int]:
        """How long the conversation was each time that Claude answered."""
        asked = [each for each in claude.requests() if each["path"].startswith("/v1/messages")]
        return [len(each["body"]["messages"]) for each in asked if each["status"] == 200]

    def steps(first: int, last: int) -> list[dict[str, Any]]:
        """Each once refused, then answered by a call."""
        return [
            script
            for step in range(first, last + 1)
            for script in (
                {"paths": "messages", "status": 529, "times": 1},
                {"paths": "messages", "tool_use": call(step), "times": 1},
            )
        ]

    def call(step: int) -> dict[str, Any]:
        return {"name": "read_file", "input": {"path": f"{tmp_path}/note-{step}.txt"}}

    half = STEPS // 2
    claude.scripts(*steps(1, half), {"status": 529})  # then an outage, until it is ended below
    printed: list[str] = []
    asking = threading.Thread(target=lambda: printed.append(hermes.ask("Read my notes.")))
    asking.start()
    try:
        wait_for("the outage has begun", lambda: len(answered()) == half, 60)
        begun = time.monotonic()
        wait_for("it has lasted", lambda: time.monotonic() > begun + OUTAGE_SECONDS, 30)
        claude.scripts(*steps(half + 1, STEPS), {})
    finally:
        asking.join()
    (said,) = printed
    rows.append(("Hermes", "tool loop", "529s, 8 s away", one_line(said)))
    assert "The tool said" in said
    assert f"Word {STEPS} is swordfish." in said
    each_once = list(range(1, 2 * STEPS + 2, 2))  # a call and its result more each time
    assert answered()[: STEPS + 1] == each_once, "and then Hermes may look back on what it has learned"
    assert asked_of_local(good) == before
