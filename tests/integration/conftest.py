"""One stack without a key, and one with a key and the stand-in for Anthropic, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack


@pytest.fixture(scope="session")
def keyless() -> Iterator[Stack]:
    """No key at all: the local model answers."""
    with Stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def _anthropic() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="session")
def _keyed(_anthropic: FakeAnthropic) -> Iterator[Stack]:
    with Stack(
        ANTHROPIC_API_KEY=KEY,
        ANTHROPIC_BASE_URL=_anthropic.base_url,
        CLAUDE_FIRST_TOKEN_SECONDS="2",
        CLAUDE_PROBE_SECONDS="1",
    ) as stack:
        yield stack


@pytest.fixture
def anthropic(_anthropic: FakeAnthropic) -> FakeAnthropic:
    """The stand-in, behaving as Anthropic does on a good day."""
    _anthropic.reset()
    _anthropic.clear_requests()
    return _anthropic


@pytest.fixture
def keyed(anthropic: FakeAnthropic, _keyed: Stack) -> Stack:
    """A stack with a key, and Claude answering."""
    _keyed.wait_for_backend("claude", 70)
    return _keyed
