"""Bodies as JSON objects, and back."""

from typing import Any

import orjson

from claude_adapter.errors import BadRequestError

Json = dict[str, Any]


def parse_object(body: bytes) -> Json:
    """The body as a JSON object. Raises `BadRequestError`."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"The body is not valid JSON: {error}.") from None
    if not isinstance(request, dict):
        raise BadRequestError("The body must be a JSON object.")
    return request


def json_bytes(request: Json) -> bytes:
    """The request for Claude. Raises `BadRequestError`."""
    try:
        return orjson.dumps(request)
    except orjson.JSONEncodeError:
        # More can be read than written, and arguments of a tool call are read from a text of their own.
        raise BadRequestError("The body is nested too deeply.") from None
