"""Server-sent events by the standard, wherever reads split them."""

import pytest

from gateway.dialects import sse
from gateway.dialects.chat_completions.dialect import ChatCompletions
from gateway.dialects.interface import Dialect
from gateway.dialects.messages.dialect import Messages
from gateway.dialects.sse import EventReader

STREAMS: list[tuple[str, bytes, list[tuple[bytes, bytes]]]] = [
    # why it exists, the stream, name and data of its events
    ("with a space", b"event: a\ndata: 1\n\n", [(b"a", b"1")]),
    ("without a space", b"event:a\ndata:1\n\n", [(b"a", b"1")]),
    ("two spaces: one is data", b"data:  1\n\n", [(b"", b" 1")]),
    ("CR LF", b"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", [(b"a", b"1"), (b"", b"2")]),
    ("CR alone", b"data: 1\r\rdata: 2\r\r", [(b"", b"1"), (b"", b"2")]),
    ("mixed ends of lines", b"event: a\r\ndata: 1\n\r\ndata: 2\r\n\n", [(b"a", b"1"), (b"", b"2")]),
    ("a byte order mark", b"\xef\xbb\xbfdata: 1\n\n", [(b"", b"1")]),
    ("a mark within is data", b"data: \xef\xbb\xbf1\n\n", [(b"", b"\xef\xbb\xbf1")]),
    ("a comment", b": still here\n\ndata: 1\n\n", [(b"", b""), (b"", b"1")]),
    ("several lines of data", b"data: 1\ndata: 2\n\n", [(b"", b"1\n2")]),
    ("an id and a retry", b"id: 7\nretry: 1000\ndata: 1\n\n", [(b"", b"1")]),
    ("more blank lines than needed", b"\n\ndata: 1\n\n\n\ndata: 2\n\n", [(b"", b"1"), (b"", b"2")]),
    ("beyond ASCII", "data: Zürich 🚆\n\n".encode(), [(b"", "Zürich 🚆".encode())]),
    ("cut off", b"data: 1\n\ndata: 2\n", [(b"", b"1")]),
    ("nothing", b"", []),
    ("half a byte order mark", b"\xef\xbb", []),
]


@pytest.mark.parametrize("step_bytes", [1, 2, 3, 100_000])
@pytest.mark.parametrize(("why", "stream", "events"), STREAMS, ids=[case[0] for case in STREAMS])
def test_events(why: str, stream: bytes, events: list[tuple[bytes, bytes]], step_bytes: int) -> None:
    """The same events however the stream is split."""
    reader = EventReader()
    whole = b"".join(reader.feed(stream[at : at + step_bytes]) for at in range(0, len(stream), step_bytes))
    assert [(sse.name(event), sse.data(event)) for event in sse.split(whole)] == events
    assert b"\r" not in whole
    assert not whole or whole.endswith(b"\n\n")


@pytest.mark.parametrize(
    ("event", "document"),
    [
        (b'data: {"a":1}', {"a": 1}),
        (b'data:{"a":\ndata:1}', {"a": 1}),
        (b"data: [1]", {}),
        (b"data: x", {}),
        (b":", {}),
    ],
)
def test_documents(event: bytes, document: object) -> None:
    """A JSON object, or nothing."""
    assert sse.document(event) == document


@pytest.mark.parametrize(
    ("dialect", "good", "error"),
    [
        (ChatCompletions(), b'data: {"choices":[]}\n\n', b'data: {"error":{"code":"stall"}}\n\n'),
        (
            ChatCompletions(),
            b'data: {"choices":[{"delta":{"content":"an \\"error\\""}}]}\n\n',
            b'data:{ "error" : {}}\n\n',
        ),
        (ChatCompletions(), b"", b'data: {"error":"odd"}\n\n'),
        (ChatCompletions(), b'data: {"error":null,"choices":[]}\n\n', b""),
        (Messages(), b"event: ping\ndata: {}\n\n", b'event: error\ndata: {"type":"error"}\n\n'),
        (Messages(), b'event: x\ndata: {"text":"event: error"}\n\n', b'event:error\ndata:{"type":"error"}\n\n'),
        (Messages(), b"", b'data: {"type":"error","error":{}}\n\n'),
        (Messages(), b'event: content_block_delta\ndata: {"type":"error"}\n\n', b""),
    ],
)
def test_an_error_ends_what_may_be_passed_on(dialect: Dialect, good: bytes, error: bytes) -> None:
    """What stands before it is the client's, what comes behind it is nobody's; words about errors are words."""
    assert dialect.split_at_error(good + error + (b"data: more\n\n" if error else b"")) == (good, error)
