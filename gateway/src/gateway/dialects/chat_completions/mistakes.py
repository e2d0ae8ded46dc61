"""What is wrong with a request in OpenAI's dialect: one sentence for each kind, with the field's path."""

from gateway.dialects.errors import OpenAIError

_JSON_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def missing(where: str) -> OpenAIError:
    """A field that must be there is not."""
    return OpenAIError(400, f"Missing required parameter: '{where}'.", "missing_required_parameter", where)


def wrong_value(where: str, wanted: str) -> OpenAIError:
    """A value that is of the right type; `wanted` says which there are."""
    return OpenAIError(400, f"Invalid value for '{where}': {wanted}.", "invalid_value", where)


def wrong_type(where: str, wanted: str, got: object, param: str | None = "") -> OpenAIError:
    """A value of another type than `wanted`; `param` is for what has no path."""
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
