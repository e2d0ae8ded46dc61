"""A request's body as JSON, the same for every dialect; what is wrong with it, each says in its own shape."""

import math
from typing import Any

import orjson

DEEPEST = 200  # far more can be read than can be written again, here and in the services behind
_WRITABLE = 254  # orjson's limit


class BodyError(Exception):
    """What is wrong, as a status, a sentence that quotes nothing of the body, and a code."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


def read_json(raw: bytes, content_type: str) -> Any:
    """Parse a body. Raises BodyError when it is no JSON or too deep."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise BodyError(
            415,
            f"The body must be JSON, but its Content-Type is '{content_type or 'missing'}'. "
            "Send the header Content-Type: application/json.",
            "unsupported_media_type",
        )
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # The parser's words give line and column.
        raise BodyError(400, f"The body is not valid JSON: {error}.", "invalid_json") from None
    if is_too_deep(raw, body):
        raise BodyError(400, f"The body is nested more than {DEEPEST} levels deep.", "invalid_json")
    return body


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
