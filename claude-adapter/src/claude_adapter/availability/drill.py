"""`POST /drill {"seconds": N}`: an outage on demand, to see the stack fail over and come back."""

import orjson

from claude_adapter.errors import BadRequestError

_LONGEST_SECONDS = 3600


def drill_seconds(body: bytes) -> float:
    """How long the drill shall last, 0 to end one. Raises `BadRequestError`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"The body is not valid JSON: {error}.") from None
    seconds = document.get("seconds") if isinstance(document, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_SECONDS:
        raise BadRequestError(f"seconds must be a number from 0 (end the drill) to {_LONGEST_SECONDS}.", "seconds")
    return float(seconds)
