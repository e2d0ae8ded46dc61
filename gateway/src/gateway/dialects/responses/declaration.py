"""What a Responses request must look like, for the check and for the published document.

Items of types that are not named are understood or left out, so that no client's history ends a conversation.
"""

from gateway.dialects.chat_completions.declaration import (
    FILE,
    FLAG,
    FUNCTION,
    LENGTH,
    NUMBER,
    OBJECT,
    TEXT,
)
from gateway.dialects.interface import MODEL_ABOUT
from gateway.dialects.shapes import Chosen, Each, Either, Fields, Leaf, Tagged, Unsupported

KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
_NOT_KEPT = Unsupported("Nothing is kept between requests here: send the whole conversation in 'input'.", unless="")
_NOT_LATER = Unsupported("Ask and wait.", unless=False)
_ROLES = ("user", "assistant", "system", "developer")

_WORDS = Fields("an object", {"text": TEXT})
_PART = Tagged(
    "an object",
    "type",
    {
        **dict.fromkeys(("input_text", "output_text", "text"), _WORDS),
        "refusal": Fields("an object", {"refusal": TEXT}),
        "input_image": Fields("an object", {"image_url": Either("a string", {str: TEXT, dict: OBJECT})}),
        "input_file": FILE,
    },
    tag_words="a string",
    other=OBJECT,
)
_CONTENT = Either("a string or an array of content parts", {str: TEXT, list: Each("an array", _PART)})
_SAID = Fields("an object", {"content": _CONTENT})
_MESSAGE = Tagged(
    "an object",
    "role",
    {**dict.fromkeys(_ROLES, _SAID), "assistant": Fields("an object", optional={"content": _CONTENT})},
    tag_words=f"use one of {', '.join(_ROLES)}",
)
_REFERENCE = Fields("an object", {"id": TEXT})
_NAMED = Fields("an object", {"name": TEXT})
_ITEM = Tagged(
    "an object",
    "type",
    {"message": _MESSAGE, "function_call": _NAMED, "custom_tool_call": _NAMED},
    tag_words="a string",
    other=OBJECT,
    absent=Chosen(
        "an object",
        (_MESSAGE, _REFERENCE),
        lambda item: _REFERENCE if "role" not in item and isinstance(item.get("id"), str) else _MESSAGE,
    ),
)
_TOOL = Fields("an object", *FUNCTION)
_ALLOWED = Fields("an object", optional={"tools": Leaf("an array of objects", list, {"type": "array"})})
_CHOICE = Tagged(
    "an object",
    "type",
    {"allowed_tools": _ALLOWED},
    tag_words="a string",
    other=OBJECT,
    absent=OBJECT,
    any_tag=True,
)
_FORMAT = Tagged(
    "an object",
    "type",
    {"text": OBJECT, "json_object": OBJECT, "json_schema": Fields("an object", {"schema": OBJECT})},
    tag_words="use text, json_object or json_schema",
    absent=OBJECT,
)

RESPONSE = Fields(
    "an object",
    {},
    {
        "model": TEXT,
        "input": Either("a string or an array of items", {str: TEXT, list: Each("an array of items", _ITEM)}),
        "instructions": TEXT,
        "stream": FLAG,
        "temperature": NUMBER,
        "top_p": NUMBER,
        "max_output_tokens": LENGTH,
        "parallel_tool_calls": FLAG,
        "tools": Each(
            "an array of objects",
            Tagged(
                "an object",
                "type",
                dict.fromkeys(("function", "custom"), _TOOL),
                tag_words="a string",
                other=OBJECT,
                absent=OBJECT,
                any_tag=True,
            ),
        ),
        "tool_choice": Either("a string or an object", {str: TEXT, dict: _CHOICE}),
        "text": Fields("an object", optional={"format": Either("an object", {dict: _FORMAT, str: TEXT})}),
        "reasoning": OBJECT,
        "metadata": OBJECT,
        **dict.fromkeys(KEPT_ELSEWHERE, _NOT_KEPT),
        "background": _NOT_LATER,
    },
    about={"model": MODEL_ABOUT, "input": "May be left out when there are `instructions`."},
)
