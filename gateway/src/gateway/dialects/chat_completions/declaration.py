"""What a Chat Completions request must look like, for the check and for the published document.

What neither backend can do without is asked for; all else they translate, clamp, repair or say in words. Fields, parts
and tools that are not named pass unread.
"""

import re

from gateway.dialects.interface import MODEL_ABOUT, Json
from gateway.dialects.json_body import is_whole_number
from gateway.dialects.shapes import Chosen, Each, Either, Fields, Leaf, Shape, Tagged

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")

TEXT = Leaf("a string", str, {"type": "string"})
FLAG = Leaf("true or false", bool, {"type": "boolean"})
NUMBER = Leaf("a number", (int, float), {"type": "number"})
OBJECT = Leaf("an object", dict, {"type": "object"})
LENGTH = Leaf(
    "an integer above 0",
    (int, float),
    {"type": "integer", "minimum": 1},
    lambda value: is_whole_number(value, 1),
)
FUNCTION = (
    {
        "name": Leaf(
            "a string",
            str,
            {"type": "string", "pattern": f"^{_NAME.pattern}$"},
            _NAME.fullmatch,
            "1 to 128 letters, digits, hyphens and underscores",
        )
    },
    {"parameters": OBJECT, "description": TEXT},
)


# OpenAI's store cannot be read from here; a file of nothing is said in words.
_GIVEN: Json = {"not": {"type": "null"}}
FILE = Leaf(
    "an object",
    dict,
    {
        "type": "object",
        "anyOf": [
            {"properties": {"file_id": {"type": "null"}}},
            {"required": ["file_data"], "properties": {"file_data": _GIVEN}},
            {"required": ["file_url"], "properties": {"file_url": _GIVEN}},
        ],
    },
    lambda file: any(file.get(name) is not None for name in ("file_data", "file_url")) or file.get("file_id") is None,
    "OpenAI's store cannot be read from here: send the file as file_data",
)

_ONE_ANSWER = Leaf(
    "1, as there is one answer for each request",
    (int, float),
    {"type": "integer", "minimum": 1, "maximum": 1},
    lambda value: value == 1,
)
_PART = Tagged(
    "an object",
    "type",
    {
        **dict.fromkeys(("text", "input_text", "output_text"), Fields("an object", {"text": TEXT})),
        "refusal": Fields("an object", {"refusal": TEXT}),
        "image_url": Fields(
            "an object", optional={"image_url": Either("an object with a url", {str: TEXT, dict: OBJECT})}
        ),
        "file": Fields("an object", {"file": FILE}),
    },
    tag_words="a string",
    other=OBJECT,
)
_CONTENT = Either("a string or an array of content parts", {str: TEXT, list: Each("an array of content parts", _PART)})
_CALLED = Fields("an object with a name", {"name": TEXT})
_FUNCTION_CALL = Fields("an object", {"function": _CALLED})
_CALL = Tagged(
    "an object",
    "type",
    {"custom": Fields("an object", {"custom": _CALLED})},
    tag_words="a string",
    other=_FUNCTION_CALL,
    absent=_FUNCTION_CALL,
    any_tag=True,
)
_SAID = Fields("an object", {"content": _CONTENT})
_ANSWERED = Fields(
    "an object",
    optional={
        "content": _CONTENT,
        "tool_calls": Each("an array of objects", _CALL),
        "function_call": _CALLED,
    },
)
_RESULT = OBJECT  # what came of a call may be any JSON
_MESSAGE = Tagged(
    "an object",
    "role",
    {
        **dict.fromkeys(("system", "developer", "user"), _SAID),
        "assistant": _ANSWERED,
        **dict.fromkeys(("tool", "function"), _RESULT),
    },
    tag_words=f"use one of {', '.join(_ROLES)}",
)
# As Responses and Messages have it: brought into this API's form before the check.
_FLAT = Fields("an object", {"name": FUNCTION[0]["name"]}, {**FUNCTION[1], "input_schema": OBJECT})


def _described(kind: str) -> Shape:
    own = Fields("an object", {kind: Fields("an object", *FUNCTION)})
    return Chosen("an object", (own, _FLAT), lambda tool: own)


_TOOL_FUNCTION = _described("function")
_TOOL = Tagged(
    "an object",
    "type",
    {"function": _TOOL_FUNCTION, "custom": _described("custom")},
    tag_words="a string",
    other=OBJECT,
    absent=_TOOL_FUNCTION,
)
_SCHEMA = Fields("an object", {"json_schema": Fields("an object", {"schema": OBJECT})})
_RESPONSE_FORMAT = Tagged(
    "an object",
    "type",
    {"text": OBJECT, "json_object": OBJECT, "json_schema": _SCHEMA},
    tag_words="use text, json_object or json_schema",
    absent=OBJECT,
)

CHAT_COMPLETION = Fields(
    "an object",
    {"messages": Each("an array of objects", _MESSAGE, least=1)},
    {
        "model": TEXT,
        "stream": FLAG,
        "stream_options": OBJECT,
        "temperature": NUMBER,
        "top_p": NUMBER,
        "max_tokens": LENGTH,
        "max_completion_tokens": LENGTH,
        "n": _ONE_ANSWER,
        "stop": Either("a string or an array of strings", {str: TEXT, list: Each("an array of strings", TEXT)}),
        "tools": Each("an array of objects", _TOOL),
        "tool_choice": Either("a string or an object", {str: TEXT, dict: OBJECT}),
        "parallel_tool_calls": FLAG,
        "response_format": _RESPONSE_FORMAT,
    },
    about={"model": MODEL_ABOUT},
)
