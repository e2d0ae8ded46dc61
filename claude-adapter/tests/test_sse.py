"""Events come out whole, however the bytes come in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_adapter.upstream.sse import SseSplitter, data_of

STREAM = (
    'event: a\ndata: {"x":"né 🙂"}\n\n'
    ": comment\n\ndata:two\r\n\r\nevent: ping\n\n"
    "data: l1\ndata: l2\n\nid: 7\ndata:\n\n"
).encode()
EVENTS = ['{"x":"né 🙂"}'.encode(), b"two", b"l1\nl2", b""]


def data(events: list[bytes]) -> list[bytes]:
    """The data of those events that have any."""
    return [found for event in events if (found := data_of(event)) is not None]


def test_whole() -> None:
    """Comments, names and ids are dropped, CRLF and several data lines are understood."""
    assert data(SseSplitter().feed(STREAM)) == EVENTS


@given(st.lists(st.integers(0, len(STREAM))))
def test_split_anywhere(cuts: list[int]) -> None:
    """Reads may end anywhere: within a character, a line end, a field name."""
    splitter = SseSplitter()
    edges = [0, *sorted(cuts), len(STREAM)]
    got = [event for a, b in pairwise(edges) for event in data(splitter.feed(STREAM[a:b]))]
    assert got == EVENTS


def test_event_without_its_blank_line_is_not_given() -> None:
    """A stream cut within an event does not yield half of it."""
    assert SseSplitter().feed(b'data: {"type":"message_stop"}\n') == []


def test_endless_line() -> None:
    """A line without an end is refused before it fills the memory."""
    splitter = SseSplitter()
    for _ in range(4):
        splitter.feed(b"x" * 1024 * 1024)
    with pytest.raises(ValueError, match="4 MiB"):
        splitter.feed(b"x")
