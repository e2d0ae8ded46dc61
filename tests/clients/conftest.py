"""One stack for all clients, and the table of what each printed."""

from collections.abc import Iterator

import pytest

from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack

Rows = list[tuple[str, str, str, str]]


@pytest.fixture(scope="session")
def claude() -> Iterator[FakeAnthropic]:
    """The stand-in for Anthropic."""
    with FakeAnthropic() as running:
        yield running


@pytest.fixture(scope="session")
def stack(claude: FakeAnthropic) -> Iterator[Stack]:
    """The stack in front of it."""
    with Stack(
        ANTHROPIC_BASE_URL=claude.base_url,
        ANTHROPIC_API_KEY=KEY,
        CLAUDE_PROBE_SECONDS="0.5",
        LOCAL_MAX_TOKENS="300",
    ) as running:
        yield running


@pytest.fixture
def good(stack: Stack, claude: FakeAnthropic) -> Stack:
    """Claude answers, and nothing is known of earlier tests."""
    claude.reset()
    stack.wait_for_backend("claude")
    claude.clear_requests()
    return stack


@pytest.fixture(scope="session")
def rows() -> Iterator[Rows]:
    """What each client printed: client, mode, state, text. Printed at the end."""
    table: Rows = []
    yield table
    print(f"\n\n{'client':32} {'state':16} printed")
    for client, mode, state, printed in table:
        print(f"{f'{client}, {mode}':32} {state:16} {printed}")
