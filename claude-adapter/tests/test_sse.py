"""Events come out whole, however the bytes come in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_adapter.upstream.sse import SseSplitter, data_of, name_of

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


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_as_the_standard_has_it(end: bytes, mark: bytes, size: int) -> None:
    """Any line end, a byte order mark, comments, fields in any order, with a space behind the colon and without."""
    lines = [
        b": hello",
        b"data:1",
        b"",
        b"",
        b"event:a",
        b": still here",
        b"id: 4",
        b"data: 2",
        b"data:3",
        b"retry:5",
        b"",
        b"data",
        b"",
        b"",
    ]
    stream = mark + end.join(lines)
    splitter = SseSplitter()
    got = [event for at in range(0, len(stream), size) for event in splitter.feed(stream[at : at + size])]
    if end == b"\r" and len(got) < 3:  # whether a CR is a whole line end only the next byte can tell
        got += splitter.feed(b"\n")
    assert data(got) == [b"1", b"2\n3", b""]
    assert [name_of(event) for event in got] == ["", "a", ""]


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
