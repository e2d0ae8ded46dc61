"""Who listens to the status hears every change, once, and nobody can make the gateway wait."""

import asyncio
from typing import Any

import pytest

from gateway.status.document import View
from gateway.status.events import (
    MOST_PUBLIC_READERS,
    MOST_READERS,
    MOST_WAITING,
    StatusEvents,
    TooManyReadersError,
)


def document(number: int) -> dict[str, Any]:
    return {"version": 1, "active_backend": "claude", "since": 1.0, "ready": True, "number": number}


async def heard(stream: Any, count: int) -> list[str]:
    """The next `count` pieces."""
    return [(await asyncio.wait_for(anext(stream), 5)).decode() for _ in range(count)]


async def test_the_present_comes_first_and_then_each_change() -> None:
    """The retry time, the status of now, and one event for each change; what is the same is not said again."""
    events = StatusEvents()
    events.publish(document(1))
    stream = events.listen("full", None)
    retry, now = await heard(stream, 2)
    assert retry.startswith("retry: ")
    assert '"number":1' in now
    events.publish(document(1))
    events.publish(document(2))
    assert '"number":2' in (await heard(stream, 1))[0]


async def test_last_event_id_brings_what_was_missed() -> None:
    """All that is remembered after it; of an unknown id, the present."""
    events = StatusEvents()
    events.publish(document(1))
    _, first = await heard(events.listen("full", None), 2)
    identity = first.partition("\n")[0].removeprefix("id: ")
    events.publish(document(2))
    events.publish(document(3))
    _, *missed = await heard(events.listen("full", identity), 3)
    assert ['"number":2' in missed[0], '"number":3' in missed[1]] == [True, True]
    _, present = await heard(events.listen("full", "another-process-7"), 2)
    assert '"number":3' in present


async def test_the_public_hear_of_public_changes_only() -> None:
    """A change of what they may not see does not reach them, not even as an event."""
    events = StatusEvents()
    events.publish(document(1))
    stream = events.listen("public", None)
    _, now = await heard(stream, 2)
    assert "number" not in now
    events.publish(document(2))
    events.publish(document(3) | {"active_backend": "local"})
    (change,) = await heard(stream, 1)
    assert '"active_backend":"local"' in change
    assert "number" not in change


async def test_places_are_limited_and_given_back() -> None:
    """One more than the limit is refused; whoever leaves makes room."""
    events = StatusEvents()
    streams = [events.listen("full", None) for _ in range(MOST_READERS)]
    with pytest.raises(TooManyReadersError):
        events.listen("full", None)
    await heard(streams[0], 1)
    await streams[0].aclose()  # type: ignore[attr-defined]  # an async generator
    events.listen("full", None)


@pytest.mark.parametrize(
    ("view", "caller", "most"),
    [("public", "", MOST_PUBLIC_READERS), ("full", "phone", MOST_READERS), ("full", "", MOST_READERS)],
    ids=["without a key", "with a key", "where nobody needs one"],
)
async def test_nobody_takes_the_places_of_those_with_a_key(view: View, caller: str, most: int) -> None:
    """However many of one caller listen, each other key has a place; a key's second one only while there are any."""
    events = StatusEvents()
    for _ in range(most):
        events.listen(view, None, caller)
    with pytest.raises(TooManyReadersError):
        events.listen(view, None, caller)
    for name in ("laptop", "desk"):
        events.listen("full", None, name)
        if most == MOST_READERS:
            with pytest.raises(TooManyReadersError):
                events.listen("full", None, name)


async def test_a_reader_that_does_not_keep_up_is_let_go() -> None:
    """Its task is ended even in the middle of a write; the others hear everything."""
    events = StatusEvents()
    events.publish(document(0))
    stuck = asyncio.Event()

    async def read_slowly() -> None:
        async for _ in events.listen("full", None):
            stuck.set()
            await asyncio.Event().wait()  # a write that nobody takes

    slow = asyncio.create_task(read_slowly())
    await stuck.wait()
    for number in range(1, MOST_WAITING + 2):
        events.publish(document(number))
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(slow, 5)
    assert events.readers == 0


async def test_the_end_ends_every_stream_at_once() -> None:
    """Also one that has just come; nobody is let in afterwards."""
    events = StatusEvents()
    events.publish(document(1))
    stream = events.listen("full", None)
    await heard(stream, 2)
    events.end()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(stream), 5)
    with pytest.raises(TooManyReadersError):
        events.listen("full", None)
