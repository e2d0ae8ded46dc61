"""A real Chromium in front of a real stack."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from fake_anthropic.process import FakeAnthropic
from gateway.status.history import History
from gateway.status.traffic import COLUMNS as TRAFFIC_COLUMNS
from stack import KEY, Stack, wait_for


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it these tests are skipped here and fail in CI."""
    path = shutil.which("chromium")
    if path is None:
        missing = "Chromium is not installed, so the page is not tested: apt-get install chromium."
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def _fake() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="session")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with a day in it: Claude, an hour and a half of the local model, a moment of nobody."""
    folder = tmp_path_factory.mktemp("state")
    history = History(folder / "history.sqlite3")
    now = time.time() // 60 * 60 - 600
    counts = dict.fromkeys(TRAFFIC_COLUMNS, 0.0)
    for minute in range(1400, -1, -1):
        brain = "none" if 504 < minute < 515 else "local" if 420 < minute < 510 else "claude"
        counts[f"{brain}_requests"] += minute % 3 == 0
        counts[f"{brain}_first_words"] += 1
        counts[f"{brain}_first_words_seconds"] += 0.8 if brain == "claude" else 1.6
        history.note(now - 60 * minute, 60.0, brain, counts)
    saving = threading.Thread(target=lambda: asyncio.run(history.save()))  # Playwright's loop runs in this one
    saving.start()
    saving.join()
    assert history.kept == "disk"
    return folder


@pytest.fixture(scope="session")
def _lit(_fake: FakeAnthropic, yesterday: Path) -> Iterator[Stack]:
    with Stack(
        ANTHROPIC_API_KEY=KEY,
        ANTHROPIC_BASE_URL=_fake.base_url,
        CLAUDE_PROBE_SECONDS="1",
        PILOT_STATE_DIR=str(yesterday),
    ) as stack:
        yield stack


@pytest.fixture
def claude(_fake: FakeAnthropic) -> FakeAnthropic:
    """The stand-in for Anthropic, on a good day."""
    _fake.reset()
    return _fake


@pytest.fixture
def lit(claude: FakeAnthropic, _lit: Stack) -> Stack:
    """A stack with a key, and Claude answering."""
    _lit.wait_for_backend("claude", 70)
    wait_for("the local model is ready", lambda: _lit.status()["local"]["ready"], 60)
    return _lit
