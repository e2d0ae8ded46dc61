"""Reading a Chat Completions request: what the gateway needs of it, and what is wrong with it.

Only the shape is checked, so that a mistake is answered the same way whichever backend is on. What the fields mean
is the backends' business; fields not named here pass unread.
"""

from collections.abc import Callable

from gateway.dialects.errors import OpenAIError
from gateway.dialects.interface import Json, Request, is_begun
from gateway.dialects.json_body import BodyError, read_json

ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def read_chat_request(raw: bytes, content_type: str) -> Request:
    """Parse and check `raw`; raises OpenAIError with the status and the field that is wrong."""
    return read_chat_object(read_json_object(raw, content_type))


def read_chat_object(body: Json, original: Json | None = None) -> Request:
    """Check a parsed body; `original` is what it was translated from. Raises OpenAIError."""
    for name, (accepts, words) in _FIELDS.items():
        value = body.get(name)
        if value is not None and not accepts(value):
            raise _wrong_type(name, words, value)
    _check_messages(body)

    response_format = body.get("response_format") or {}
    tool_choice = body.get("tool_choice")
    json_mode = response_format.get("type") in ("json_object", "json_schema")
    tool_forced = tool_choice == "required" or isinstance(tool_choice, dict)
    return Request(
        body=body,
        stream=body.get("stream") is True,
        model=body.get("model") or "",
        json_mode=json_mode,
        additions_allowed=not (json_mode or tool_forced or is_begun(body)),
        original=original or {},
    )


def read_json_object(raw: bytes, content_type: str) -> Json:
    """The body of a request in OpenAI's dialect. Raises OpenAIError when it is no JSON object."""
    try:
        body = read_json(raw, content_type)
    except BodyError as error:
        raise OpenAIError(error.status, error.message, error.code) from None
    if not isinstance(body, dict):
        raise _wrong_type("the body", "an object", body, param=None)
    return body


def _check_messages(body: Json) -> None:
    messages = body.get("messages")
    if messages is None:
        raise OpenAIError(400, "Missing required parameter: 'messages'.", "missing_required_parameter", "messages")
    if not isinstance(messages, list):
        raise _wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise OpenAIError(400, "'messages' is empty. Send at least one message.", "empty_array", "messages")
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        if not isinstance(message, dict):
            raise _wrong_type(where, "an object", message)
        role = message.get("role")
        if role is None:
            raise OpenAIError(
                400, f"Missing required parameter: '{where}.role'.", "missing_required_parameter", f"{where}.role"
            )
        if role not in ROLES:
            raise OpenAIError(
                400,
                f"Invalid value for '{where}.role': use one of {', '.join(ROLES)}.",
                "invalid_value",
                f"{where}.role",
            )
        _check_content(message.get("content"), f"{where}.content", required=role in ("system", "developer", "user"))


def _check_content(content: object, where: str, *, required: bool) -> None:
    if content is None and required:
        raise OpenAIError(400, f"Missing required parameter: '{where}'.", "missing_required_parameter", where)
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise _wrong_type(where, "a string or an array of content parts", content)
    for j, part in enumerate(content):
        if not isinstance(part, dict):
            raise _wrong_type(f"{where}[{j}]", "an object", part)
        if not isinstance(part.get("type"), str):
            raise _wrong_type(f"{where}[{j}].type", "a string", part.get("type"))
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            raise _wrong_type(f"{where}[{j}].text", "a string", part.get("text"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_positive_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


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
    "max_tokens": (_is_positive_integer, "an integer above 0"),
    "max_completion_tokens": (_is_positive_integer, "an integer above 0"),
    "n": (_is_positive_integer, "an integer above 0"),
    "stop": (_is_stop, "a string or an array of strings"),
    "tools": (_is_list_of_objects, "an array of objects"),
    "tool_choice": (lambda value: isinstance(value, str | dict), "a string or an object"),
    "parallel_tool_calls": (lambda value: isinstance(value, bool), "true or false"),
    "response_format": (lambda value: isinstance(value, dict), "an object"),
}

_JSON_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def _wrong_type(where: str, wanted: str, got: object, param: str | None = "") -> OpenAIError:
    found = "null" if got is None else _JSON_TYPE_NAMES[type(got)]
    if found in wanted:  # the right type, the wrong value: "an integer above 0", or a list with a wrong item
        found = "something else"
    named = f"'{where}'" if param == "" else where
    return OpenAIError(
        400,
        f"Invalid type for {named}: expected {wanted}, but got {found} instead.",
        "invalid_type",
        where if param == "" else param,
    )
