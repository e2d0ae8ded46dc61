"""JSON Schemas of what the three dialects take and answer.

The requests are as they are declared for the check. What the fields beyond these mean is in OpenAI's and Anthropic's
own references; all of them are let through.
"""

from typing import Any

from gateway.dialects.chat_completions.declaration import CHAT_COMPLETION
from gateway.dialects.messages.declaration import COUNT_TOKENS, MESSAGES
from gateway.dialects.responses.declaration import RESPONSE

Json = dict[str, Any]

TEXT = {"type": "string"}
_OBJECT: Json = {"type": "object"}
_OBJECTS = {"type": "array", "items": _OBJECT}
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
    "ChatCompletionRequest": CHAT_COMPLETION.schema(),
    "ChatCompletion": _CHAT_COMPLETION,
    "ChatCompletionChunk": _CHUNK,
    "ResponsesRequest": RESPONSE.schema(),
    "Response": _RESPONSE,
    "MessagesRequest": MESSAGES.schema(),
    "Message": _MESSAGE,
    "CountTokensRequest": COUNT_TOKENS.schema(),
    "TokenCount": {
        "type": "object",
        "required": ["input_tokens"],
        "properties": {"input_tokens": {"type": "integer", "minimum": 0}},
    },
}
