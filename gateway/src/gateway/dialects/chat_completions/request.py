"""Reading a Chat Completions request: what the gateway needs of it, and what is wrong with it.

The gateway alone refuses a shape, so that a mistake is answered the same way whichever backend is on: what passes here,
each backend translates, clamps, repairs or says in words. Fields not named here pass unread, and nobody refuses them.
"""

from collections.abc import Callable

from gateway.dialects.chat_completions.messages import check_messages
from gateway.dialects.chat_completions.mistakes import wrong_type
from gateway.dialects.chat_completions.tools import check_response_format, check_tools, forces_a_call
from gateway.dialects.errors import OpenAIError
from gateway.dialects.interface import Json, Request, is_begun
from gateway.dialects.json_body import BodyError, is_whole_number, read_json


def read_chat_request(raw: bytes, content_type: str) -> Request:
    """Parse and check `raw`; raises OpenAIError with the status and the field that is wrong."""
    return read_chat_object(read_json_object(raw, content_type))


def read_chat_object(body: Json, original: Json | None = None) -> Request:
    """Check a parsed body; `original` is what it was translated from. Raises OpenAIError."""
    for name, (accepts, words) in _FIELDS.items():
        value = body.get(name)
        if value is not None and not accepts(value):
            raise wrong_type(name, words, value)
    check_messages(body)
    check_tools(body)
    check_response_format(body)

    response_format = body.get("response_format") or {}
    json_mode = response_format.get("type") in ("json_object", "json_schema")
    return Request(
        body=body,
        stream=body.get("stream") is True,
        model=body.get("model") or "",
        json_mode=json_mode,
        additions_allowed=not (json_mode or forces_a_call(body) or is_begun(body)),
        original=original or {},
    )


def read_json_object(raw: bytes, content_type: str) -> Json:
    """The body of a request in OpenAI's dialect. Raises OpenAIError when it is no JSON object."""
    try:
        body = read_json(raw, content_type)
    except BodyError as error:
        raise OpenAIError(error.status, error.message, error.code) from None
    if not isinstance(body, dict):
        raise wrong_type("the body", "an object", body, param=None)
    return body


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_stop(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "model": (lambda value: isinstance(value, str), "a string"),
    "stream": (lambda value: isinstance(value, bool), "true or false"),
    "stream_options": (lambda value: isinstance(value, dict), "an object"),
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "max_tokens": (lambda value: is_whole_number(value, 1), "an integer above 0"),
    "max_completion_tokens": (lambda value: is_whole_number(value, 1), "an integer above 0"),
    "n": (lambda value: value == 1 and not isinstance(value, bool), "1, as there is one answer for each request"),
    "stop": (_is_stop, "a string or an array of strings"),
    "tools": (_is_list_of_objects, "an array of objects"),
    "tool_choice": (lambda value: isinstance(value, str | dict), "a string or an object"),
    "parallel_tool_calls": (lambda value: isinstance(value, bool), "true or false"),
    "response_format": (lambda value: isinstance(value, dict), "an object"),
}
