"""JSON Schemas of what the three dialects take and answer.

The requests say what the gateway itself checks. What the fields beyond these mean is in OpenAI's and Anthropic's own
references; all of them are let through.
"""

from typing import Any

Json = dict[str, Any]

TEXT = {"type": "string"}
_OBJECT: Json = {"type": "object"}
_OBJECTS = {"type": "array", "items": _OBJECT}
_FLAG = {"type": ["boolean", "null"]}
_LENGTH = {"type": ["integer", "null"], "minimum": 1}
_SAMPLING = {name: {"type": ["number", "null"]} for name in ("temperature", "top_p")}


def nullable(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


_TOOLS = {
    "tools": nullable(_OBJECTS),
    "tool_choice": nullable({"anyOf": [TEXT, _OBJECT]}),
    "parallel_tool_calls": _FLAG,
}


def _parts() -> Json:
    """Content parts: each has a type, and a text part has text."""
    text = {"properties": {"type": {"const": "text"}, "text": TEXT}, "required": ["type", "text"]}
    other = {"properties": {"type": {"type": "string", "not": {"const": "text"}}}, "required": ["type"]}
    return {"type": "array", "items": {"type": "object", "anyOf": [text, other]}}


_WORDS = {"anyOf": [TEXT, _parts()]}

_CHAT_REQUEST: Json = {
    "type": "object",
    "required": ["messages"],
    "properties": {
        "model": {
            "type": ["string", "null"],
            "description": "A claude-… name, an alias, `local`, or anything else for the best there is.",
        },
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["role"],
                "anyOf": [
                    {
                        "properties": {"role": {"enum": ["system", "developer", "user"]}, "content": _WORDS},
                        "required": ["content"],
                    },
                    {
                        "properties": {
                            "role": {"enum": ["assistant", "tool", "function"]},
                            "content": nullable(_WORDS),
                        }
                    },
                ],
            },
        },
        "stream": _FLAG,
        "stream_options": nullable(_OBJECT),
        **_SAMPLING,
        "max_tokens": _LENGTH,
        "max_completion_tokens": _LENGTH,
        "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 1},
        "stop": nullable({"anyOf": [TEXT, {"type": "array", "items": TEXT}]}),
        **_TOOLS,
        "response_format": nullable(_OBJECT),
    },
}

_CHAT_COMPLETION: Json = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
        "id": TEXT,
        "object": {"const": "chat.completion"},
        "created": {"type": "integer"},
        "model": {"type": "string", "description": "The model that really answered."},
        "choices": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["index", "message", "finish_reason"]},
        },
        "usage": _OBJECT,
    },
}

_CHUNK: Json = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices"],
    "properties": {
        "id": TEXT,
        "object": {"const": "chat.completion.chunk"},
        "created": {"type": "integer"},
        "model": {"type": "string", "description": "The model that really answered."},
        "choices": _OBJECTS,
    },
}

_TEXT_PARTS = ["text", "input_text", "output_text"]
_CALLS = ["function_call", "custom_tool_call"]
# Items of other types are understood or left out, so that no client's history ends a conversation.
_ITEM: Json = {
    "type": "object",
    "anyOf": [
        {
            "required": ["role"],
            "properties": {
                "type": {"enum": ["message", None]},
                "role": {"enum": ["user", "assistant", "system", "developer"]},
                "content": nullable(
                    {"anyOf": [TEXT, {"type": "array", "items": {"$ref": "#/components/schemas/InputPart"}}]}
                ),
            },
        },
        {"required": ["type", "name"], "properties": {"type": {"enum": _CALLS}, "name": TEXT}},
        {"required": ["type"], "properties": {"type": {"type": "string", "not": {"enum": ["message", *_CALLS]}}}},
        {"required": ["id"], "properties": {"type": {"type": "null"}, "id": TEXT}},
    ],
}

_RESPONSES_REQUEST: Json = {
    "type": "object",
    "required": ["input"],
    "properties": {
        "model": _CHAT_REQUEST["properties"]["model"],
        "input": {"anyOf": [TEXT, {"type": "array", "minItems": 1, "items": _ITEM}]},
        "instructions": {"type": ["string", "null"]},
        "stream": _FLAG,
        **_SAMPLING,
        "max_output_tokens": _LENGTH,
        **_TOOLS,
        "text": nullable(_OBJECT),
        "reasoning": nullable(_OBJECT),
        "metadata": nullable(_OBJECT),
        "previous_response_id": {"type": "null", "description": "Nothing is kept between requests: not supported."},
    },
}

_RESPONSE: Json = {
    "type": "object",
    "required": ["id", "object", "created_at", "status", "model", "output", "usage"],
    "properties": {
        "id": TEXT,
        "object": {"const": "response"},
        "created_at": {"type": "integer"},
        "status": {"enum": ["completed", "incomplete"]},
        "model": {"type": "string", "description": "The model that really answered."},
        "output": _OBJECTS,
    },
}

_COUNT_REQUEST: Json = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {
            "type": "string",
            "minLength": 1,
            "description": "A claude-… name, an alias, `local`, or anything else for the best there is.",
        },
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["role", "content"],
                "properties": {"role": {"enum": ["user", "assistant"]}, "content": _WORDS},
            },
        },
        "system": nullable(_WORDS),
        "tools": nullable(_OBJECTS),
        "tool_choice": nullable(_OBJECT),
        "thinking": nullable(_OBJECT),
    },
}

_MESSAGES_REQUEST: Json = {
    "type": "object",
    "required": [*_COUNT_REQUEST["required"], "max_tokens"],
    "properties": {
        **_COUNT_REQUEST["properties"],
        "max_tokens": {"type": "integer", "minimum": 0},
        "stream": _FLAG,
        "metadata": nullable(_OBJECT),
    },
}

_MESSAGE: Json = {
    "type": "object",
    "required": ["id", "type", "role", "model", "content", "stop_reason", "usage"],
    "properties": {
        "id": TEXT,
        "type": {"const": "message"},
        "role": {"const": "assistant"},
        "model": {"type": "string", "description": "The model that really answered."},
        "content": _OBJECTS,
        "stop_reason": {"type": ["string", "null"]},
        "usage": _OBJECT,
    },
}

DIALECT_SCHEMAS: Json = {
    "ChatCompletionRequest": _CHAT_REQUEST,
    "ChatCompletion": _CHAT_COMPLETION,
    "ChatCompletionChunk": _CHUNK,
    "InputPart": {
        "type": "object",
        "anyOf": [
            {"required": ["type", "text"], "properties": {"type": {"enum": _TEXT_PARTS}, "text": TEXT}},
            {"required": ["type"], "properties": {"type": {"type": "string", "not": {"enum": _TEXT_PARTS}}}},
        ],
    },
    "ResponsesRequest": _RESPONSES_REQUEST,
    "Response": _RESPONSE,
    "MessagesRequest": _MESSAGES_REQUEST,
    "Message": _MESSAGE,
    "CountTokensRequest": _COUNT_REQUEST,
    "TokenCount": {
        "type": "object",
        "required": ["input_tokens"],
        "properties": {"input_tokens": {"type": "integer", "minimum": 0}},
    },
}
