"""How many tokens can be read in time, from what was measured."""

import pytest

from local_llm.prompt.prefill_rate import PrefillRate, attention_share

SMOLLM2 = attention_share(layers=30, dimensions=576, parameters=134_515_008)


def measured(fresh: int = 1000, seconds: float = 5.0, share: float = 0.0) -> PrefillRate:
    rate = PrefillRate(share)
    rate.observe(fresh, 0, seconds)
    return rate


def test_before_the_first_measurement_nothing_is_known() -> None:
    """And nothing is cut for it."""
    rate = PrefillRate(SMOLLM2)
    assert rate.tokens_within(8) is None
    assert rate.seconds(1000, 0) == 0
    assert rate.tokens_per_second == 0


def test_a_rate_becomes_a_budget() -> None:
    """200 tokens per second make 1,600 in 8 s, and a little less to be sure."""
    assert measured().tokens_within(8) == 1520
    assert measured().seconds(190, 0) == pytest.approx(1)


def test_depth_costs() -> None:
    """As on a real machine: 206 tokens per second at the beginning, 136 behind 2,300, 87 behind 5,400."""
    rate = measured(512, 512 / 206, SMOLLM2)
    assert 512 / rate.seconds(512, 2048) == pytest.approx(136 * 0.95, rel=0.1)
    assert 512 / rate.seconds(512, 5120) == pytest.approx(87 * 0.95, rel=0.1)
    budget = rate.tokens_within(8)
    assert budget is not None
    assert rate.seconds(budget, 0) == pytest.approx(8, rel=0.01)
    assert budget < 8 * 206 * 0.9


@pytest.mark.parametrize(
    ("seconds", "changes"),
    [(5.0, False), (4.6, False), (5.4, False), (10.0, True), (2.0, True)],
    ids=["the same", "a little faster", "a little slower", "half as fast", "faster by far"],
)
def test_budgets_follow_in_steps(seconds: float, changes: bool) -> None:
    """Every change makes cached conversations useless, so small ones are let pass."""
    rate = measured()
    before = rate.tokens_within(8)
    for _ in range(5):
        rate.observe(1000, 0, seconds)
    assert (rate.tokens_within(8) != before) is changes


def test_a_busy_machine_is_noticed_at_once() -> None:
    """One long reading at half the rate is enough to promise less."""
    rate = measured()
    rate.observe(1000, 0, 10.0)
    budget = rate.tokens_within(8)
    assert budget is not None
    assert budget < 1520 * 0.8


def test_short_readings_say_nothing() -> None:
    """A question of ten tokens is read at another rate."""
    rate = measured()
    rate.observe(10, 0, 10.0)
    assert rate.tokens_per_second == 200


def test_however_slow_there_is_room_for_a_question() -> None:
    """A persona and a question are always read."""
    assert measured(seconds=1000).tokens_within(8) == 128
