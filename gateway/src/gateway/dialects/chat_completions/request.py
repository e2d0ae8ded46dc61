"""Reading a Chat Completions request: what the gateway needs of it, and what is wrong with it.

The gateway alone refuses a shape, so that a mistake is answered the same way whichever backend is on: what passes here,
each backend translates, clamps, repairs or says in words.
"""

from collections.abc import Callable
from typing import Any

from gateway.dialects.chat_completions.declaration import CHAT_COMPLETION
from gateway.dialects.chat_completions.mistakes import named
from gateway.dialects.chat_completions.other_forms import in_own_form
from gateway.dialects.chat_completions.tools import check_choice, forces_a_call
from gateway.dialects.errors import OpenAIError
from gateway.dialects.interface import Json, Request, is_begun
from gateway.dialects.json_body import BodyError, read_json
from gateway.dialects.shapes import MistakeError, Shape


def read_chat_request(raw: bytes, content_type: str) -> Request:
    """Parse and check `raw`; raises OpenAIError with the status and the field that is wrong."""
    body, raw = read_as(CHAT_COMPLETION, raw, content_type, in_own_form)
    return read_chat_object(body, raw)


def read_chat_object(body: Json, raw: bytes = b"", original: Json | None = None) -> Request:
    """What there is in a body of the right shape; `original` is what it was translated from. Raises OpenAIError."""
    check_choice(body)
    response_format = body.get("response_format") or {}
    json_mode = response_format.get("type") in ("json_object", "json_schema")
    return Request(
        body=body,
        raw=raw,
        stream=body.get("stream") is True,
        model=body.get("model") or "",
        json_mode=json_mode,
        additions_allowed=not (json_mode or forces_a_call(body) or is_begun(body)),
        original=original or {},
    )


def read_as(
    shape: Shape, raw: bytes, content_type: str, in_own_form: Callable[[Json], bool] = lambda body: False
) -> tuple[Any, bytes]:
    """A body in OpenAI's dialect that has this shape, and the bytes that hold it, if they do. Raises OpenAIError.

    `in_own_form` may change it before, and says whether it has.
    """
    try:
        body, raw = read_json(raw, content_type)
        if isinstance(body, dict) and in_own_form(body):
            raw = b""
        shape.check(body)
    except BodyError as error:
        raise OpenAIError(error.status, error.message, error.code) from None
    except MistakeError as mistake:
        raise named(mistake) from None
    return body, raw
