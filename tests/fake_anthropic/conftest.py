"""One stand-in process for the whole folder, put back to its default before each test."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from fake_anthropic.process import FakeAnthropic


@pytest.fixture(scope="session")
def _process() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as process:
        yield process


@pytest.fixture
def fake(_process: FakeAnthropic) -> FakeAnthropic:
    _process.reset()
    _process.clear_requests()
    return _process


@pytest.fixture
def claude(fake: FakeAnthropic) -> Iterator[anthropic.Anthropic]:
    """The vendor's own SDK, pointed at the stand-in."""
    with anthropic.Anthropic(api_key="sk-ant-test-9876", base_url=fake.base_url, max_retries=0, timeout=10) as client:
        yield client
