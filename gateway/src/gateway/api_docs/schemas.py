"""The shapes in the published description: what each operation takes, and what it answers.

The requests say what the gateway itself checks. What the fields beyond these mean is in OpenAI's and Anthropic's own
references; all of them are let through.
"""

from typing import Any

from gateway.metrics import BACKENDS
from gateway.status.reasons import REASONS

Json = dict[str, Any]

_TEXT = {"type": "string"}
_OBJECT: Json = {"type": "object"}
_OBJECTS = {"type": "array", "items": _OBJECT}
_FLAG = {"type": ["boolean", "null"]}
_LENGTH = {"type": ["integer", "null"], "minimum": 1}
_SAMPLING = {name: {"type": ["number", "null"]} for name in ("temperature", "top_p")}


def _nullable(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


_TOOLS = {
    "tools": _nullable(_OBJECTS),
    "tool_choice": _nullable({"anyOf": [_TEXT, _OBJECT]}),
    "parallel_tool_calls": _FLAG,
}


def _parts() -> Json:
    """Content parts: each has a type, and a text part has text."""
    text = {"properties": {"type": {"const": "text"}, "text": _TEXT}, "required": ["type", "text"]}
    other = {"properties": {"type": {"type": "string", "not": {"const": "text"}}}, "required": ["type"]}
    return {"type": "array", "items": {"type": "object", "anyOf": [text, other]}}


_WORDS = {"anyOf": [_TEXT, _parts()]}

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
                            "role": {"enum": ["assistant", "function"]},
                            "content": _nullable(_WORDS),
                        }
                    },
                    {
                        "properties": {
                            "role": {"const": "tool"},
                            "tool_call_id": _TEXT,
                            "content": _nullable(_WORDS),
                        },
                        "required": ["tool_call_id"],
                    },
                ],
            },
        },
        "stream": _FLAG,
        "stream_options": _nullable(_OBJECT),
        **_SAMPLING,
        "max_tokens": _LENGTH,
        "max_completion_tokens": _LENGTH,
        "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 1},
        "stop": _nullable({"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}),
        **_TOOLS,
        "response_format": _nullable(_OBJECT),
    },
}

_CHAT_COMPLETION: Json = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
        "id": _TEXT,
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
        "id": _TEXT,
        "object": {"const": "chat.completion.chunk"},
        "created": {"type": "integer"},
        "model": {"type": "string", "description": "The model that really answered."},
        "choices": _OBJECTS,
    },
}

_ITEM: Json = {
    "type": "object",
    "anyOf": [
        {
            "required": ["role", "content"],
            "properties": {
                "type": {"const": "message"},
                "role": {"enum": ["user", "assistant", "system", "developer"]},
                "content": {"anyOf": [_TEXT, {"type": "array", "items": {"$ref": "#/components/schemas/InputText"}}]},
            },
        },
        {
            "required": ["type", "call_id", "name", "arguments"],
            "properties": {
                "type": {"const": "function_call"},
                **dict.fromkeys(("call_id", "name", "arguments"), _TEXT),
            },
        },
        {
            "required": ["type", "call_id", "output"],
            "properties": {"type": {"const": "function_call_output"}, "call_id": _TEXT, "output": _TEXT},
        },
        {"required": ["type"], "properties": {"type": {"const": "reasoning"}}},
    ],
}

_RESPONSES_REQUEST: Json = {
    "type": "object",
    "required": ["input"],
    "properties": {
        "model": _CHAT_REQUEST["properties"]["model"],
        "input": {"anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _ITEM}]},
        "instructions": {"type": ["string", "null"]},
        "stream": _FLAG,
        **_SAMPLING,
        "max_output_tokens": _LENGTH,
        **_TOOLS,
        "text": _nullable(_OBJECT),
        "reasoning": _nullable(_OBJECT),
        "metadata": _nullable(_OBJECT),
        "previous_response_id": {"type": "null", "description": "Nothing is kept between requests: not supported."},
    },
}

_RESPONSE: Json = {
    "type": "object",
    "required": ["id", "object", "created_at", "status", "model", "output", "usage"],
    "properties": {
        "id": _TEXT,
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
        "system": _nullable(_WORDS),
        "tools": _nullable(_OBJECTS),
        "tool_choice": _nullable(_OBJECT),
        "thinking": _nullable(_OBJECT),
    },
}

_MESSAGES_REQUEST: Json = {
    "type": "object",
    "required": [*_COUNT_REQUEST["required"], "max_tokens"],
    "properties": {
        **_COUNT_REQUEST["properties"],
        "max_tokens": {"type": "integer", "minimum": 0},
        "stream": _FLAG,
        "metadata": _nullable(_OBJECT),
    },
}

_MESSAGE: Json = {
    "type": "object",
    "required": ["id", "type", "role", "model", "content", "stop_reason", "usage"],
    "properties": {
        "id": _TEXT,
        "type": {"const": "message"},
        "role": {"const": "assistant"},
        "model": {"type": "string", "description": "The model that really answered."},
        "content": _OBJECTS,
        "stop_reason": {"type": ["string", "null"]},
        "usage": _OBJECT,
    },
}

_ENTRY: Json = {
    "type": "object",
    "required": ["id", "max_input_tokens", "context_length", "max_model_len"],
    "properties": {
        "id": _TEXT,
        **{name: {"type": "integer"} for name in ("max_input_tokens", "context_length", "max_model_len")},
    },
}
_MODEL: Json = {
    "anyOf": [
        {
            "required": ["object", "created", "owned_by"],
            "properties": {"object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": _TEXT},
        },
        {
            "required": ["type", "display_name", "created_at"],
            "properties": {"type": {"const": "model"}, "display_name": _TEXT, "created_at": _TEXT},
        },
    ],
    **_ENTRY,
}
_MODELS = {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}
_MODEL_LIST: Json = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": _MODELS},
    "anyOf": [
        {"required": ["object"], "properties": {"object": {"const": "list"}}},
        {
            "required": ["has_more", "first_id", "last_id"],
            "properties": {
                "has_more": {"type": "boolean"},
                **{name: {"type": ["string", "null"]} for name in ("first_id", "last_id")},
            },
        },
    ],
}

_REASON = {"enum": [*REASONS, None]}
_MAYBE_TEXT = {"type": ["string", "null"]}
_CHANGE = _nullable(
    {
        "type": "object",
        "required": ["at", "reason"],
        "properties": {"at": {"type": "number"}, "reason": _REASON},
    }
)
_STATUS: Json = {
    "type": "object",
    "description": "Without a key, with PILOT_STATUS_PUBLIC=1: the required keys and no others.",
    "required": ["version", "active_backend", "since", "ready"],
    "properties": {
        "version": {"const": 1},
        "active_backend": {"enum": list(BACKENDS)},
        "since": {"type": "number", "description": "Unix seconds."},
        "ready": {"type": "boolean"},
        "reason": _REASON,
        "detail": _TEXT,
        "model": _MAYBE_TEXT,
        "claude": {
            "type": "object",
            "required": ["state", "reason", "detail", "model", "probed"],
            "properties": {"state": {"enum": ["closed", "open", "half_open", "down"]}, "reason": _REASON},
        },
        "local": {
            "type": "object",
            "required": ["ready", "model", "context_tokens", "queue_depth"],
            "properties": {"ready": {"type": "boolean"}, "model": _MAYBE_TEXT},
        },
        "notice": _TEXT,
        "last_failover": _CHANGE,
        "last_failback": _CHANGE,
        "words": {"type": "object", "required": ["headline", "what", "do"]},
        "day": {"type": "object", "required": ["slot_seconds", "slots", "ends_at", "kept"]},
        "traffic": {"type": "object", "required": ["claude", "local"]},
        "nobody_requests": {"type": "integer", "minimum": 0},
    },
}

_OPENAI_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": _TEXT, "type": _TEXT, "param": {"type": ["string", "null"]}},
        }
    },
}
_ANTHROPIC_ERROR: Json = {
    "type": "object",
    "required": ["type", "error"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": _TEXT, "message": _TEXT},
        },
    },
}

SCHEMAS: Json = {
    "ChatCompletionRequest": _CHAT_REQUEST,
    "ChatCompletion": _CHAT_COMPLETION,
    "ChatCompletionChunk": _CHUNK,
    "InputText": {
        "type": "object",
        "required": ["type", "text"],
        "properties": {"type": {"enum": ["input_text", "output_text"]}, "text": _TEXT},
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
    "Model": _MODEL,
    "ModelList": _MODEL_LIST,
    "Status": _STATUS,
    "OpenAIError": _OPENAI_ERROR,
    "AnthropicError": _ANTHROPIC_ERROR,
}
