"""The published description: every path, what it takes, and every answer it gives, those of nginx included.

Written by hand, because the hot path bypasses FastAPI, which knows nothing of nginx either. OpenAPI 3.2, the first
version that can say what comes in an event stream.
"""

from typing import Any

from gateway.api_docs.schemas import SCHEMAS
from gateway.reasons import REASONS

Json = dict[str, Any]

_TEXT = {"type": "string"}
_JSON, _EVENTS, _HTML = "application/json", "text/event-stream", "text/html"

_ANSWER_HEADERS: Json = {
    "X-Served-By": {
        "description": "Which backend answered.",
        "required": True,
        "schema": {"enum": ["claude", "local"]},
    },
    "X-Model": {"description": "The model that really answered.", "required": True, "schema": _TEXT},
    "X-Fallback-Reason": {
        "description": "Why Claude did not answer.",
        "schema": {"enum": list(REASONS)},
    },
}
_RETRY_AFTER: Json = {
    "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}
}

_NOTICE_SWITCH: Json = {
    "name": "X-Pilot-Notice",
    "in": "header",
    "description": "`off` keeps notice and mark out of this answer.",
    "schema": _TEXT,
}
_FALLBACK_SWITCH: Json = {
    "name": "X-Pilot-Fallback",
    "in": "header",
    "description": "`off`: Claude answers, or nobody. The same is so under `/claude`.",
    "schema": _TEXT,
}
_VERSION: Json = {
    "name": "anthropic-version",
    "in": "header",
    "description": "With this or an `x-api-key`, the answer is in Anthropic's dialect.",
    "schema": _TEXT,
}
_PAGE: list[Json] = [
    {
        "name": "limit",
        "in": "query",
        "description": "Of Anthropic's dialect, like the next two: how many, 20 by default.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000},
    },
    {"name": "after_id", "in": "query", "description": "What stands behind this model.", "schema": _TEXT},
    {"name": "before_id", "in": "query", "description": "What stands in front of it.", "schema": _TEXT},
]
_ALSO_UNDER_CLAUDE: Json = {"servers": [{"url": "/"}, {"url": "/claude"}]}
_ALSO_UNDER_ANTHROPIC: Json = {
    "servers": [*_ALSO_UNDER_CLAUDE["servers"], {"url": "/anthropic"}, {"url": "/claude/anthropic"}]
}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: Json, kind: str = _JSON) -> Json:
    return {kind: {"schema": schema}}


def _errors(words: dict[str, str], error: Json) -> Json:
    """Errors in one shape. A browser without a key gets a form for it, and a Retry-After says when to come again."""
    described = {}
    for status, description in words.items():
        form = _content(_TEXT, _HTML) if status == "401" else {}
        headers = {"headers": _RETRY_AFTER} if status in ("429", "503") else {}
        described[status] = {"description": description, "content": _content(error) | form, **headers}
    return described


_ANYWHERE = {
    "400": "The request is not well-formed.",
    "401": "PILOT_KEYS is set, and no valid key came.",
    "414": "The request line is too long.",
    "429": "Pilot Light answers as many requests as it can at once; or too many wrong keys came from this address.",
    "500": "Pilot Light made a mistake.",
    "503": "Pilot Light is starting, or its services are down.",
}


def _events(event: Json) -> Json:
    return {_EVENTS: {"itemSchema": {"type": "object", **event}}}


def _named(data: Json) -> Json:
    """Events that have a name, and JSON as their data."""
    payload = {"type": "string", "contentMediaType": _JSON, "contentSchema": data}
    return {"required": ["event", "data"], "properties": {"event": _TEXT, "data": payload}}


def _chunks() -> Json:
    """Events without a name; the last one's data is no JSON."""
    chunk = {"anyOf": [_ref("ChatCompletionChunk"), _ref("OpenAIError")]}
    payload = {"type": "string", "contentMediaType": _JSON, "contentSchema": chunk}
    return {
        "required": ["data"],
        "anyOf": [{"properties": {"data": {"const": "[DONE]"}}}, {"properties": {"data": payload}}],
    }


_TYPED: Json = {"type": "object", "required": ["type"], "properties": {"type": _TEXT}}


def _ask(
    summary: str, request: str, answer: str, error: str, example: Json, events: Json | None = None, **path: Any
) -> Json:
    """The operation of a path that a model answers; `events` when it can be streamed."""
    examples = {"whole": {"value": example}}
    if events:
        examples["streamed"] = {"value": {**example, "stream": True}}
    words = {
        **_ANYWHERE,
        "400": "The request is wrong; the message names the field.",
        "408": "The request took too long to arrive.",
        "413": "The body is over 32 MB.",
        "415": "The body is not application/json.",
        "4XX": "Claude refused the request in another way: its own answer. Or only Claude may answer and cannot: 403.",
        "503": "Nobody can answer right now, or not Claude, and only Claude may; the message says why.",
        "507": "The disk is full, and the body is over 1 MB.",
    }
    operation = {
        "summary": summary,
        "parameters": [_FALLBACK_SWITCH, *([_NOTICE_SWITCH] if events else [])],
        "requestBody": {"required": True, "content": {_JSON: {"schema": _ref(request), "examples": examples}}},
        "responses": {
            "200": {
                "description": "The answer, whole or as it is made." if events else "The answer.",
                "headers": _ANSWER_HEADERS,
                "content": _content(_ref(answer)) | (_events(events) if events else {}),
            },
            **_errors(words, _ref(error)),
        },
    }
    return {**path, "post": operation}


def _read(summary: str, content: Json, parameters: list[Json] | None = None, **errors: Json) -> Json:
    """The operation of a path that is read; `errors` beside those that are possible anywhere, named `_404`."""
    described = _errors(_ANYWHERE, _ref("OpenAIError"))
    described |= {status.removeprefix("_"): response for status, response in errors.items()}
    return {
        "get": {
            "summary": summary,
            "parameters": parameters or [],
            "responses": {"200": {"description": "What was asked for.", "content": content}, **described},
        }
    }


def _in_either_dialect(description: str) -> Json:
    error = {"anyOf": [_ref("OpenAIError"), _ref("AnthropicError")]}
    return {"description": description, "content": _content(error)}


_QUESTION = {"role": "user", "content": "What is the capital of France?"}
_READY: Json = {
    "type": "object",
    "required": ["ready", "active_backend"],
    "properties": {"ready": {"type": "boolean"}, "active_backend": {"enum": ["claude", "local", "none"]}},
}

PATHS: Json = {
    "/v1/chat/completions": _ask(
        "OpenAI Chat Completions",
        "ChatCompletionRequest",
        "ChatCompletion",
        "OpenAIError",
        {"model": "pilot", "messages": [_QUESTION], "max_tokens": 64},
        _chunks(),
        **_ALSO_UNDER_CLAUDE,
    ),
    "/v1/responses": _ask(
        "OpenAI Responses",
        "ResponsesRequest",
        "Response",
        "OpenAIError",
        {"model": "pilot", "input": _QUESTION["content"], "max_output_tokens": 64},
        _named(_TYPED),
        **_ALSO_UNDER_CLAUDE,
    ),
    "/v1/messages": _ask(
        "Anthropic Messages",
        "MessagesRequest",
        "Message",
        "AnthropicError",
        {"model": "pilot", "max_tokens": 64, "messages": [_QUESTION]},
        _named(_TYPED),
        **_ALSO_UNDER_ANTHROPIC,
    ),
    "/v1/messages/count_tokens": _ask(
        "Tokens of a Messages request",
        "CountTokensRequest",
        "TokenCount",
        "AnthropicError",
        {"model": "pilot", "messages": [_QUESTION]},
        **_ALSO_UNDER_ANTHROPIC,
    ),
    "/v1/models": {
        **_ALSO_UNDER_ANTHROPIC,
        **_read(
            "The names that can be asked for: Claude's, the local model's, and the one that takes what is best",
            _content(_ref("ModelList")),
            [_VERSION, *_PAGE],
            _400=_in_either_dialect("`limit`, `after_id` or `before_id` is wrong."),
        ),
    },
    "/v1/models/{name}": {
        **_ALSO_UNDER_ANTHROPIC,
        **_read(
            "One of these names",
            _content(_ref("Model")),
            [{"name": "name", "in": "path", "required": True, "schema": _TEXT}, _VERSION],
            _404=_in_either_dialect("There is no such model."),
        ),
    },
    "/": _read("The status page", _content(_TEXT, _HTML)),
    "/status": _read("Which backend is on, since when and why", _content(_ref("Status"))),
    "/status/events": _read(
        "Every change as it happens; `beat` every 5 seconds",
        _events(_named({"anyOf": [_ref("Status"), {"type": "object", "maxProperties": 0}]})),
        [{"name": "Last-Event-ID", "in": "header", "description": "Brings what was missed since.", "schema": _TEXT}],
        _503=_errors({"503": "Too many pages are watching, or its services are down."}, _ref("OpenAIError"))["503"],
    ),
    "/status/fragment": _read("The light as a piece of HTML", _content(_TEXT, _HTML)),
    "/status/badge.svg": _read("The light as a badge", _content(_TEXT, "image/svg+xml")),
    "/healthz": _read(
        "Whether the gateway runs",
        _content({"type": "object", "required": ["ok"], "properties": {"ok": {"const": True}}}),
    ),
    "/readyz": _read(
        "Whether at least one backend can answer",
        _content(_READY),
        _503={"description": "No backend can.", "content": _content({"anyOf": [_READY, _ref("OpenAIError")]})},
    ),
}


def describe(title: str, version: str) -> Json:
    """The whole document."""
    return {
        "openapi": "3.2.0",
        "info": {
            "title": title,
            "version": version,
            "description": "Claude when it can, a small local model when it cannot, and always word of which.",
        },
        "paths": PATHS,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "One of PILOT_KEYS."},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "One of PILOT_KEYS."},
            },
        },
        "security": [{}, {"bearer": []}, {"key": []}],  # the first: PILOT_KEYS is not set
    }
