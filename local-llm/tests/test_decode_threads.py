"""How many threads write, on machines quiet and busy."""

from collections.abc import Callable

import pytest

from local_llm.engine.decode_threads import DecodeThreads


def write(threads: DecodeThreads, tokens: int, seconds: Callable[[int], float]) -> list[int]:
    """Write tokens on a machine on which one takes so long with so many threads; how many were used for each."""
    used = []
    for _ in range(tokens):
        used.append(threads.count)
        threads.observe(seconds(threads.count))
    return used


def quiet(threads: int) -> float:
    return 0.02 / threads


def busy(threads: int) -> float:
    return 0.02 if threads == 1 else 0.05


@pytest.mark.parametrize(("machine", "best"), [(quiet, 2), (busy, 1)], ids=["quiet", "busy"])
def test_the_faster_number_is_used(machine: Callable[[int], float], best: int) -> None:
    """After a short trial, and for nearly all tokens."""
    used = write(DecodeThreads(1, 2), 1000, machine)
    assert used[20] == best
    assert used.count(best) > 940


def test_a_machine_that_becomes_busy_and_quiet_again() -> None:
    """It is noticed at the next trial."""
    threads = DecodeThreads(1, 2)
    write(threads, 300, quiet)
    assert write(threads, 300, busy)[-100:].count(1) > 90
    assert write(threads, 300, quiet)[-100:].count(2) > 90


def test_what_the_operator_set_is_used() -> None:
    """No trials when there is nothing to choose."""
    assert set(write(DecodeThreads(3, 3), 500, busy)) == {3}
