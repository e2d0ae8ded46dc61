"""JSON Schemas of everything that is asked and answered, by name."""

from typing import Any

from gateway.api_docs.dialect_schemas import DIALECT_SCHEMAS, TEXT, nullable
from gateway.metrics import BACKENDS
from gateway.reasons import REASONS

Json = dict[str, Any]

_ENTRY: Json = {
    "type": "object",
    "required": ["id", "max_input_tokens", "context_length", "max_model_len"],
    "properties": {
        "id": TEXT,
        **{name: {"type": "integer"} for name in ("max_input_tokens", "context_length", "max_model_len")},
    },
}
_MODEL: Json = {
    "anyOf": [
        {
            "required": ["object", "created", "owned_by"],
            "properties": {"object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": TEXT},
        },
        {
            "required": ["type", "display_name", "created_at"],
            "properties": {"type": {"const": "model"}, "display_name": TEXT, "created_at": TEXT},
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
_CHANGE = nullable(
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
        "detail": TEXT,
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
        "notice": TEXT,
        "last_failover": _CHANGE,
        "last_failback": _CHANGE,
        "words": {"type": "object", "required": ["headline", "what", "do"]},
        "day": {"type": "object", "required": ["slot_seconds", "slots", "ends_at", "kept"]},
        "traffic": {"type": "object", "required": ["claude", "local"]},
        **{name: {"type": "integer", "minimum": 0} for name in ("nobody_requests", "refused_side_tasks")},
    },
}

_OPENAI_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": TEXT, "type": TEXT, "param": {"type": ["string", "null"]}},
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
            "properties": {"type": TEXT, "message": TEXT},
        },
    },
}

SCHEMAS: Json = {
    **DIALECT_SCHEMAS,
    "Model": _MODEL,
    "ModelList": _MODEL_LIST,
    "Status": _STATUS,
    "OpenAIError": _OPENAI_ERROR,
    "AnthropicError": _ANTHROPIC_ERROR,
}
