"""Anthropic fails in every way there is: everybody is answered, told why, and Claude comes back by itself."""

from collections.abc import Iterator

import pytest

from chaos.exchange import DIALECTS, ask
from chaos.fault_table import FAILBACK_PATIENCE_SECONDS, SETTINGS, failback_seconds, fresh_stack, settle, unreachable
from chaos.faults import SCRIPTED, Fault
from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import Stack

WAYS = [(dialect, streamed) for dialect in DIALECTS for streamed in (False, True)]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(fake: FakeAnthropic) -> Iterator[Stack]:
    with Stack(ANTHROPIC_BASE_URL=fake.base_url, **SETTINGS) as stack:
        yield stack


def check_outage(stack: Stack, fault: Fault, first: int) -> None:
    """In every dialect and mode; which of them meets the outage first is another for each fault."""
    for i in range(len(WAYS)):
        dialect, streamed = WAYS[(first + i) % len(WAYS)]
        question = f"Say hello. ({fault.name}, {dialect}, {streamed})"
        exchange = ask(stack.client, dialect, question, streamed=streamed)
        assert exchange.verdict == "local", exchange
        assert exchange.reason in fault.reasons.split(), exchange
        assert exchange.text.startswith(NOTICE), exchange
        assert len(exchange.text) > len(NOTICE) + 2, exchange


@pytest.mark.parametrize("number", range(len(SCRIPTED)), ids=[fault.name for fault in SCRIPTED])
def test_a_fault_falls_back_and_claude_returns(stack: Stack, fake: FakeAnthropic, number: int) -> None:
    """Every request of the outage is answered by the local model, with the reason; then Claude answers again."""
    fake.reset()
    settle(stack)
    fake.script(**SCRIPTED[number].script)
    check_outage(stack, SCRIPTED[number], first=number)
    fake.reset()
    assert failback_seconds(stack.client) < FAILBACK_PATIENCE_SECONDS


@pytest.mark.parametrize("number", [0, 1], ids=["TLS", "DNS"])
def test_an_address_that_cannot_be_reached(fake: FakeAnthropic, number: int) -> None:
    """From the start on: TLS that fails, and a name that nobody knows."""
    fault = unreachable(fake)[number]
    with fresh_stack(fault) as stack:
        check_outage(stack, fault, first=number)
