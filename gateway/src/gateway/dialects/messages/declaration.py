"""What a Messages request must look like, for the check and for the published document.

Only the shape that every backend needs; what fields mean is the backends' business. Fields, roles, block types and
tools that are not named pass unread: a tool with a type of its own is Claude's to know.
"""

from gateway.dialects.interface import MODEL_ABOUT
from gateway.dialects.json_body import is_whole_number
from gateway.dialects.shapes import Each, Either, Fields, Leaf, Tagged

_TEXT = Leaf("a valid string", str, {"type": "string"})
_MODEL = Leaf("a valid string of at least 1 character", str, {"type": "string", "minLength": 1}, bool)
_FLAG = Leaf("a valid boolean", bool, {"type": "boolean"})
_OBJECT = Leaf("a valid dictionary", dict, {"type": "object"})
_LENGTH = Leaf(
    "a valid integer, 0 or greater",
    (int, float),
    {"type": "integer", "minimum": 0},
    lambda value: is_whole_number(value, 0),
)
_BLOCK = Tagged(
    "a valid dictionary",
    "type",
    {"text": Fields("a valid dictionary", {"text": _TEXT})},
    tag_words="a valid string",
    other=_OBJECT,
)
_CONTENT = Either("a valid string or list", {str: _TEXT, list: Each("a valid list", _BLOCK)})
_MESSAGE = Fields("a valid dictionary", {"role": _TEXT, "content": _CONTENT})
_TOOL = Fields("a valid dictionary", {"name": _TEXT, "input_schema": _OBJECT}, inside="custom")
_FORMAT = Tagged(
    "a valid dictionary",
    "type",
    {"json_schema": Fields("a valid dictionary", {"schema": _OBJECT})},
    tag_words="a valid string",
    other=_OBJECT,
    absent=_OBJECT,
    any_tag=True,
)
_FIELDS = {
    "stop_sequences": Each("a valid list of strings", _TEXT),
    "system": _CONTENT,
    "output_config": Fields("a valid dictionary", optional={"format": _FORMAT}),
    "output_format": _FORMAT,  # its name while it was in beta
    "stream": _FLAG,
    "tools": Each(
        "a valid list",
        Tagged(
            "a valid dictionary",
            "type",
            {"custom": _TOOL},
            tag_words="a valid string",
            other=_OBJECT,
            absent=_TOOL,
            any_tag=True,
        ),
    ),
    "tool_choice": Tagged(
        "a valid dictionary",
        "type",
        {
            **dict.fromkeys(("auto", "any", "none"), _OBJECT),
            "tool": Fields("a valid dictionary", {"name": _TEXT}, inside="tool"),
        },
        tag_words="one of auto, any, tool, none",
    ),
    "metadata": _OBJECT,
    "thinking": _OBJECT,
}
_MESSAGES = Each("a valid list", _MESSAGE, least=1)
_ABOUT = {"model": MODEL_ABOUT}

MESSAGES = Fields(
    "a valid dictionary", {"model": _MODEL, "max_tokens": _LENGTH, "messages": _MESSAGES}, _FIELDS, about=_ABOUT
)
COUNT_TOKENS = Fields(
    "a valid dictionary", {"model": _MODEL, "messages": _MESSAGES}, {**_FIELDS, "max_tokens": _LENGTH}, about=_ABOUT
)
