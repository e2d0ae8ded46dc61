"""Who is next, who waits how long, and who hears that it would be too long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from prometheus_client import generate_latest

from local_llm.dialects.answer import Answer, Usage
from local_llm.dialects.errors import BusyError
from local_llm.engine.answer_time import AnswerTime
from local_llm.engine.engine import Engine, QueueLimits
from local_llm.engine.generator import GivesWayError
from local_llm.engine.queue import Place, Queue
from local_llm.engine.turn import Reading, Turn
from local_llm.metrics import Metrics
from local_llm.prompt.prompter import Prompt

ORDERS = [
    ("who came first", ["a1", "a2", "a3"], ["a1", "a2", "a3"]),
    ("callers in turns", ["a1", "a2", "a3", "b1", "b2", "c1"], ["a1", "b1", "c1", "a2", "b2", "a3"]),
    (
        "one who has not been served yet comes before the others' second",
        ["a1", "b1", "a2", "c1"],
        ["a1", "b1", "c1", "a2"],
    ),
]


@pytest.mark.parametrize(("came", "called"), [case[1:] for case in ORDERS], ids=[case[0] for case in ORDERS])
async def test_order(came: list[str], called: list[str]) -> None:
    """By the caller's letter and the number of his request; the first one finds nobody there."""
    queue, order = Queue(), []
    all_wait = asyncio.Event()

    async def take(name: str) -> None:
        async with queue.turn(Place(caller=name[0])):
            order.append(name)
            await all_wait.wait()

    tasks = []
    for name in came:
        tasks.append(asyncio.create_task(take(name)))
        await asyncio.sleep(0)
    all_wait.set()
    await asyncio.gather(*tasks)
    assert order == called
    assert queue.idle


@pytest.mark.parametrize(
    ("time_left_seconds", "called"),
    [(60, ["short", "short too", "resumed", "longer"]), (-1, ["resumed", "longer", "short", "short too"])],
    ids=["for a while", "but not for ever"],
)
async def test_who_gives_way_lets_shorter_ones_go_first(time_left_seconds: float, called: list[str]) -> None:
    """As long as there is time, and nobody who takes longer."""
    queue, order = Queue(), []

    async def take(name: str, place: Place) -> None:
        async with queue.turn(place):
            order.append(name)

    async with queue.turn(Place(seconds=8)):
        others = {"longer": Place("b", 9), "short": Place(seconds=1), "short too": Place(seconds=1)}
        tasks = [asyncio.create_task(take(name, place)) for name, place in others.items()]
        resumes_at = time.monotonic() + time_left_seconds
        tasks.append(asyncio.create_task(take("resumed", Place(seconds=4, resumes_at=resumes_at))))
        await asyncio.sleep(0)
        assert queue.shorter_waits(4)
        assert not queue.shorter_waits(1)
    await asyncio.gather(*tasks)
    assert order == called


async def test_who_leaves_holds_up_nobody() -> None:
    """Neither in the queue, nor at the very moment that he is called."""
    queue = Queue()
    async with queue.turn(Place()):
        leaves, stays = (asyncio.create_task(_once(queue)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await queue.turn(Place(), within_seconds=0.001).__aenter__()
    leaves.cancel()  # it has been called, and does not know it yet
    await asyncio.wait_for(stays, 5)
    assert leaves.cancelled()
    assert queue.idle


async def _once(queue: Queue) -> None:
    async with queue.turn(Place()):
        pass


async def test_expected_wait() -> None:
    """The rest of the one that runs, one's own that wait, and of each other's as many as come before."""
    queue = Queue()
    assert queue.seconds_before("a") == 0
    async with queue.turn(Place("a", 10)):
        tasks = [asyncio.create_task(_wait(queue, Place("b", 1))) for _ in range(5)]
        await asyncio.sleep(0)
        assert 15 - 1 < queue.seconds_before("b") <= 15
        assert 11 - 1 < queue.seconds_before("c") <= 11
    await asyncio.gather(*tasks)


async def _wait(queue: Queue, place: Place) -> None:
    async with queue.turn(place):
        pass


class Model:
    """Each answer takes as long as it is expected to, by the number of its tokens; nobody waits for a clock."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.gave_way = 0
        self._loop = asyncio.get_running_loop()

    def warm_up(self, soul_prefix: list[int]) -> None:
        pass

    def expected_seconds(self, prompt: Prompt) -> float:
        return float(prompt.max_tokens)

    def answer(self, reading: Reading, emit: Callable[[str], None], shorter_waits: Callable[[float], bool]) -> Answer:
        asyncio.run_coroutine_threadsafe(self.goes_on.wait(), self._loop).result(10)
        if shorter_waits(reading.prompt.max_tokens / 2) and not self.gave_way:
            self.gave_way += 1
            raise GivesWayError
        emit(f"{reading.prompt.max_tokens}")
        return Answer("stop", None, Usage(1, 0, 1))


def prompt(seconds: int, size_bytes: int = 0) -> Prompt:
    return Prompt([1], seconds, {}, None, [], None, continues=False, dropped_turns=0, size_bytes=size_bytes)


def engine(requests: int = 100, seconds: float = 60) -> Engine:
    return Engine(Model(), Queue(), Metrics(lambda: 0), QueueLimits(requests, seconds))


def let_go(engine: Engine) -> None:
    engine._generator.goes_on.set()  # type: ignore[attr-defined]  # a Model


async def submitted(engine: Engine, *prompts: Prompt, caller: str = "") -> list[Turn]:
    turns = []
    for each in prompts:
        turns.append(engine.submit(each, caller))
        await asyncio.sleep(0)
    return turns


async def test_as_many_as_can_be_answered_in_time_are_let_in() -> None:
    """Fifty short answers, where eight were let in; after a long one nobody but another caller."""
    busy = engine(seconds=60)
    turns = await submitted(busy, *[prompt(1)] * 50)
    turns += await submitted(busy, prompt(30))
    with pytest.raises(BusyError) as refused:
        busy.submit(prompt(1))
    assert "LOCAL_QUEUE_SECONDS" in refused.value.message
    assert "yours would wait for about " in refused.value.message
    assert refused.value.headers == {"Retry-After": "60"}
    assert b'shed_total{cause="queue_seconds"} 1.0' in generate_latest(busy.metrics.registry)
    turns += await submitted(busy, prompt(1), caller="somebody else")  # whose turn comes after the first one's
    let_go(busy)
    await asyncio.wait([turn.task for turn in turns])
    assert {turn.answer().reason for turn in turns} == {"stop"}
    busy.close()


@pytest.mark.parametrize(
    ("requests", "size_bytes", "why"), [(3, 0, "3 requests are before yours"), (100, 30 << 20, "too large to wait")]
)
async def test_what_waits_is_bounded(requests: int, size_bytes: int, why: str) -> None:
    """In number, and in memory."""
    busy = engine(requests)
    turns = await submitted(busy, *[prompt(1, size_bytes)] * 3)
    with pytest.raises(BusyError) as refused:
        busy.submit(prompt(1, size_bytes))
    assert why in refused.value.message
    assert refused.value.cause == "queue_full"
    let_go(busy)
    await asyncio.wait([turn.task for turn in turns])
    busy.close()


async def test_a_long_reading_gives_way() -> None:
    """To a short question that comes meanwhile, and is answered afterwards."""
    busy = engine()
    long, short = await submitted(busy, prompt(8), prompt(1))
    ended: list[str] = []
    for name, turn in (("long", long), ("short", short)):
        turn.task.add_done_callback(lambda _, name=name: ended.append(name))
    let_go(busy)
    await asyncio.wait([long.task, short.task])
    assert ended == ["short", "long"]
    assert [await long.texts.get(), await long.texts.get()] == ["8", None]
    busy.close()


async def test_who_waits_too_long_hears_so() -> None:
    """When the others take longer than was expected."""
    busy = engine(seconds=0.05)
    first, second = await submitted(busy, prompt(0), prompt(0))
    await asyncio.wait([second.task], timeout=10)
    with pytest.raises(BusyError) as refused:
        second.answer()
    assert "has waited 0.05 s, which LOCAL_QUEUE_SECONDS allows" in refused.value.message
    let_go(busy)
    await asyncio.wait([first.task])
    busy.close()


def test_answer_time_is_learnt() -> None:
    """What usual answers become counts, and what the client allows at most."""
    learnt = AnswerTime()
    for _ in range(30):
        learnt.observe(200, 10)
    assert learnt.expected_seconds(1, 1000) == pytest.approx(11, rel=0.05)
    assert learnt.expected_seconds(1, 10) == pytest.approx(1.5, rel=0.05)
    learnt.observe(0, 1)
    assert learnt.expected_seconds(1, 1000) == pytest.approx(11, rel=0.05)
