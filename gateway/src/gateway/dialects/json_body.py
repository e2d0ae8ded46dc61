"""A request's body as JSON, the same for every dialect; what is wrong with it, each says in its own shape."""

import codecs
import json
import math
import sys
from typing import Any

import orjson

DEEPEST = 200  # far more can be read than can be written again, here and in the services behind
_WRITABLE = 254  # orjson's limit
_MENDED_BYTES = 4_000_000  # the lenient parser takes up to a second for as many, and nobody else is served meanwhile


class BodyError(Exception):
    """What is wrong, as a status, a sentence that quotes nothing of the body, and a code."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


def read_json(raw: bytes, content_type: str) -> tuple[Any, bytes]:
    """Parse a body: its JSON, and the bytes that hold it. Raises BodyError when it is no JSON or too deep."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise BodyError(
            415,
            f"The body must be JSON, but its Content-Type is '{content_type or 'missing'}'. "
            "Send the header Content-Type: application/json.",
            "unsupported_media_type",
        )
    raw = raw.removeprefix(codecs.BOM_UTF8)  # which a parser may ignore (RFC 8259, section 8.1)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        body, raw = _mended(raw, error)
    if is_too_deep(raw, body):
        raise BodyError(400, f"The body is nested more than {DEEPEST} levels deep.", "invalid_json")
    return body, raw


def _mended(raw: bytes, error: orjson.JSONDecodeError) -> tuple[Any, bytes]:
    """JSON that our parser is too strict for, and Anthropic's, too: a text that was cut in the middle of a character,
    as it stands in many histories, and a number beyond all that a double holds. Raises BodyError for what is none.
    """
    try:
        if len(raw) > _MENDED_BYTES:
            raise ValueError("too much")  # the same answer as for what cannot be mended
        lenient = json.loads(raw.decode(), parse_float=_finite, parse_int=_whole, parse_constant=_no_number)
        raw = json.dumps(lenient, ensure_ascii=False).encode(errors="replace")
        return orjson.loads(raw), raw
    except (ValueError, RecursionError):
        # The parser's words give line and column.
        raise BodyError(400, f"The body is not valid JSON: {error}.", "invalid_json") from None


def _finite(digits: str) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, float(digits)))


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < 19 else _finite(digits)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def is_too_deep(raw: bytes, body: object) -> bool:
    """Whether `body`, read from `raw`, has more than `DEEPEST` levels. What has few brackets is not looked at again."""
    if raw.count(b"{") + raw.count(b"[") <= DEEPEST:
        return False
    for _ in range(_WRITABLE - DEEPEST):
        body = [body]
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError:
        return True
    return False


def is_whole_number(value: object, least: int) -> bool:
    """Whether it is a whole number of at least `least`; JSON's 24.0 is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        return False
    return value == int(value)
