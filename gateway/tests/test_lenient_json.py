"""JSON that clients send and strict parsers refuse: read, and handed on as every service behind can read it."""

from typing import Any

import orjson
import pytest

from gateway.dialects.json_body import BodyError, read_json

READ: list[tuple[str, bytes, Any]] = [
    # why it exists, the body, what it says
    ("half a character at a cut", rb'{"a": "Hi \ud83d"}', {"a": "Hi ?"}),
    ("its other half", rb'{"a": "\ude00 there"}', {"a": "? there"}),
    ("a whole one stays", rb'{"a": "\ud83d\ude00\ud83d"}', {"a": "\N{GRINNING FACE}?"}),
    ("escaped, it is none", rb'{"a": "\\ud83d\ud83d"}', {"a": "\\ud83d?"}),
    ("in a name", rb'{"\ud83d": 1}', {"?": 1}),
    ("a byte order mark", b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ("beyond a double", b'{"a": 1e400, "b": -1E+999}', {"a": 1.7976931348623157e308, "b": -1.7976931348623157e308}),
    ("beyond a double, in digits", b'{"a": ' + b"9" * 400 + b"}", {"a": 1.7976931348623157e308}),
    (
        "beyond 64 bits beside half a character",
        rb'{"a": 123456789012345678901, "b": "\ud83d"}',
        {"a": 1.2345678901234568e20, "b": "?"},
    ),
    ("a NUL", rb'{"a": "\u0000"}', {"a": "\0"}),
]

REFUSED: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("cut", rb'{"a": "\ud83d"'),
    ("not a number", b'{"a": NaN}'),
    ("infinite in words", b'{"a": -Infinity}'),
    ("a raw control character", b'{"a": "\x01"}'),
    ("no UTF-8", b'{"a": "\xff"}'),
    ("UTF-16", '{"a": 1}'.encode("utf-16")),
    ("deep", b"[" * 100_000 + rb'"\ud83d"' + b"]" * 100_000),
    ("longer than is mended", b'{"a": "' + b"x" * 4_000_000 + rb'\ud83d"}'),
]


@pytest.mark.parametrize(("why", "raw", "wanted"), READ, ids=[case[0] for case in READ])
def test_what_was_meant_is_read(why: str, raw: bytes, wanted: Any) -> None:
    """The bytes that go on say the same, in JSON that is strict."""
    body, again = read_json(raw, "application/json")
    assert body == orjson.loads(again) == wanted


@pytest.mark.parametrize(("why", "raw"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_is_no_json_is_refused(why: str, raw: bytes) -> None:
    """With the place of the mistake."""
    with pytest.raises(BodyError) as caught:
        read_json(raw, "application/json")
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")
