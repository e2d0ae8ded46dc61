"""The published description of the operations that bypass FastAPI: what they take, and every answer they give.

The schemas say what the gateway itself checks. What the fields beyond these mean is in OpenAI's and Anthropic's own
references; all of them are let through.
"""

from typing import Any

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
                            "role": {"enum": ["assistant", "tool", "function"]},
                            "content": _nullable(_WORDS),
                        }
                    },
                ],
            },
        },
        "stream": _FLAG,
        "stream_options": _nullable(_OBJECT),
        **_SAMPLING,
        "max_tokens": _LENGTH,
        "max_completion_tokens": _LENGTH,
        "n": {"type": ["integer", "null"], "minimum": 1, "description": "More than 1 is refused."},
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
        "max_tokens": {"type": "integer", "minimum": 1},
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
    "OpenAIError": _OPENAI_ERROR,
    "AnthropicError": _ANTHROPIC_ERROR,
}

_ANSWER_HEADERS: Json = {
    "X-Served-By": {"description": "Which brain answered.", "schema": {"enum": ["claude", "local"]}},
    "X-Model": {"description": "The model that really answered.", "schema": _TEXT},
    "X-Fallback-Reason": {"description": "Why the local model answered in Claude's place.", "schema": _TEXT},
}
_NOTICE_SWITCH: Json = {
    "name": "X-Pilot-Notice",
    "in": "header",
    "required": False,
    "description": "`off` keeps the notice out of this answer.",
    "schema": {"type": "string", "enum": ["on", "off"]},
}


def _json(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _operation(summary: str, request: str, answer: str, error: str, *, streams: bool) -> Json:
    events: Json = {"text/event-stream": {"schema": _TEXT}} if streams else {}
    errors = {
        "400": "The request is wrong; the message names the field.",
        "413": "The body is over 32 MB.",
        "415": "The body is not application/json.",
        "4XX": "Claude refused the request; its own answer.",
        "500": "Pilot Light made a mistake.",
        "503": "Nobody can answer right now; Retry-After says when to ask again.",
    }
    return {
        "post": {
            "summary": summary,
            "parameters": [_NOTICE_SWITCH] if streams else [],
            "requestBody": {"required": True, "content": _json(request)},
            "responses": {
                "200": {
                    "description": "The answer, whole or as it is made.",
                    "headers": _ANSWER_HEADERS,
                    "content": _json(answer) | events,
                },
                **{status: {"description": words, "content": _json(error)} for status, words in errors.items()},
            },
        }
    }


PATHS: Json = {
    "/v1/chat/completions": _operation(
        "OpenAI Chat Completions", "ChatCompletionRequest", "ChatCompletion", "OpenAIError", streams=True
    ),
    "/v1/responses": _operation("OpenAI Responses", "ResponsesRequest", "Response", "OpenAIError", streams=True),
    "/v1/messages": _operation("Anthropic Messages", "MessagesRequest", "Message", "AnthropicError", streams=True),
    "/v1/messages/count_tokens": _operation(
        "Tokens of a Messages request", "CountTokensRequest", "TokenCount", "AnthropicError", streams=False
    ),
}


def with_operations(document: Json) -> Json:
    """FastAPI's own document with the operations that bypass it."""
    document["paths"] = PATHS | document["paths"]
    document.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
    return document
