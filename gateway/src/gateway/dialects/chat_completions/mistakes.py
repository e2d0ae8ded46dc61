"""What is wrong with a request in OpenAI's dialect: one sentence for each kind, with the field's path."""

from gateway.dialects.errors import OpenAIError
from gateway.dialects.shapes import MistakeError

_JSON_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def named(mistake: MistakeError) -> OpenAIError:
    """A mistake as this dialect says it."""
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in mistake.path).removeprefix(".")
    if mistake.kind == "missing":
        return OpenAIError(400, f"Missing required parameter: '{where}'.", "missing_required_parameter", where)
    if mistake.kind == "value":
        return wrong_value(where, mistake.wanted)
    if mistake.kind == "unsupported":
        return OpenAIError(400, f"'{where}' cannot be honoured. {mistake.wanted}", "unsupported_parameter", where)
    if mistake.kind == "empty":
        return OpenAIError(400, f"'{where}' is empty. Send at least one message.", "empty_array", where)
    found = "null" if mistake.got is None else _JSON_TYPE_NAMES[type(mistake.got)]
    if found in mistake.wanted:  # the right type, the wrong value: "an integer above 0"
        found = "something else"
    place = f"'{where}'" if where else "the body"
    message = f"Invalid type for {place}: expected {mistake.wanted}, but got {found} instead."
    return OpenAIError(400, message, "invalid_type", where or None)


def wrong_value(where: str, wanted: str) -> OpenAIError:
    """A value that is of the right type; `wanted` says which there are."""
    return OpenAIError(400, f"Invalid value for '{where}': {wanted}.", "invalid_value", where)
