"""`make faults`: every fault, in each dialect, whole and streamed; who answers, how soon, and how soon Claude is back.

A table for people. The same faults are tests in test_faults.py. Exit code 0 when everything was answered.
"""

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx  # after the path that the imports below need

from chaos.exchange import DIALECTS, Dialect, Exchange, ask
from chaos.faults import SCRIPTED, Fault
from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack

FAILBACK_PATIENCE_SECONDS = 30.0
SETTINGS = {"ANTHROPIC_API_KEY": KEY, "CLAUDE_FIRST_TOKEN_SECONDS": "2", "CLAUDE_PROBE_SECONDS": "1"}


def main() -> int:
    """Print the table; the exit code."""
    answered = total = 0
    print(f"{'fault':24} {'dialect':9} {'mode':7} {'first':22} {'second':22} reason        Claude back")
    with FakeAnthropic() as anthropic:
        with Stack(ANTHROPIC_BASE_URL=anthropic.base_url, **SETTINGS) as stack:
            for fault, dialect, streamed in itertools.product(SCRIPTED, DIALECTS, (False, True)):
                settle(stack)
                anthropic.script(**fault.script)
                exchanges = outage(stack.client, fault, dialect, streamed)
                anthropic.reset()
                answered += show(fault, dialect, streamed, exchanges, f"{failback_seconds(stack.client):.1f} s")
                total += len(exchanges)
        for fault in unreachable(anthropic):
            for dialect, streamed in itertools.product(DIALECTS, (False, True)):
                with fresh_stack(fault) as stack:
                    exchanges = outage(stack.client, fault, dialect, streamed)
                answered += show(fault, dialect, streamed, exchanges, "-")
                total += len(exchanges)
    print(f"answered: {answered} of {total}")
    return int(answered != total)


def unreachable(anthropic: FakeAnthropic) -> list[Fault]:
    """The faults that lie in the address. The stand-in speaks no TLS, so that a handshake with it fails."""
    return [
        Fault("TLS failure", "connect", base_url=f"https://127.0.0.1:{anthropic.port}"),
        Fault("DNS failure", "connect", base_url="https://anthropic.invalid"),
    ]


@contextmanager
def fresh_stack(fault: Fault) -> Iterator[Stack]:
    """One that has this fault from its start."""
    with Stack(ANTHROPIC_BASE_URL=fault.base_url, **SETTINGS) as stack:
        yield stack


def settle(stack: Stack) -> None:
    """Claude answers, often enough that the breaker has forgiven the outage before."""
    stack.wait_for_backend("claude", FAILBACK_PATIENCE_SECONDS)
    for _ in range(4):
        stack.ask("Good again?", max_tokens=1)


def outage(client: httpx.Client, fault: Fault, dialect: Dialect, streamed: bool) -> list[Exchange]:
    """The first and the second request of an outage."""
    question = f"Say hello. ({fault.name}, {dialect}, {streamed})"
    return [ask(client, dialect, f"{question} {which}", streamed=streamed) for which in ("first", "second")]


def failback_seconds(client: httpx.Client) -> float:
    """How long after its recovery Claude answers, asked four times a second."""
    began = time.monotonic()
    while ask(client, "openai", "Are you back?", streamed=False, max_tokens=1).verdict != "claude":
        if time.monotonic() - began > FAILBACK_PATIENCE_SECONDS:
            return float("inf")
        time.sleep(0.25)
    return time.monotonic() - began


def show(fault: Fault, dialect: Dialect, streamed: bool, exchanges: list[Exchange], failback: str) -> int:
    """Print a row; gives how many of the requests were answered."""
    cells = [f"{e.verdict} {(e.first_words_seconds or e.ended - e.began):.2f} s" for e in exchanges]
    reasons = "/".join(dict.fromkeys(e.reason for e in exchanges))
    mode = "stream" if streamed else "whole"
    print(f"{fault.name:24} {dialect:9} {mode:7} {cells[0]:22} {cells[1]:22} {reasons:13} {failback}", flush=True)
    return sum(e.verdict == "local" and e.reason in fault.reasons.split() for e in exchanges)


if __name__ == "__main__":
    sys.exit(main())
