"""What the real API refuses, the stand-in refuses, in the same words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from fake_anthropic.model_rules import refuses_prefill
from fake_anthropic.process import FakeAnthropic

HEADERS = {"x-api-key": "sk-ant-test", "anthropic-version": "2023-06-01"}
NEW = {"anthropic-version": "2026-10-21"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]}
HI = {"role": "user", "content": "hi"}
TOOL = {"name": "t", "input_schema": {"type": "object"}}
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}


def called(*results: dict[str, Any]) -> list[dict[str, Any]]:
    return [HI, CALL, {"role": "user", "content": list(results)}]


def result(**more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", **more}


def form(**schema: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


NO_PDF = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
REFUSED_BY_GENERATION: list[tuple[dict[str, Any], str]] = [
    ({"temperature": 0.5, "top_p": 0.5}, "`temperature` and `top_p` cannot both be specified"),
    ({"model": "claude-sonnet-5-5", "temperature": 0.5}, "`temperature` is deprecated for this model."),
    ({"model": "claude-opus-4-7", "top_k": 5}, "`top_k` is deprecated for this model."),
    ({**BUDGET, "temperature": 0.5}, "`temperature` may only be set to 1 when thinking is enabled."),
    ({**BUDGET, "messages": [HI, CALL, RESULT]}, "messages.1.content.0.type: Expected `thinking`"),
    ({**BUDGET, "model": "claude-sonnet-5-5"}, '"thinking.type.enabled" is not supported for this model.'),
    ({"thinking": {"type": "adaptive"}}, '"thinking.type.adaptive" is not supported for this model.'),
    (
        {"model": "claude-sonnet-5-5", "thinking": {"type": "disabled"}},
        '"thinking.type.disabled" is not supported for this model.',
    ),
    (
        {"model": "claude-sonnet-5-5", "tools": [TOOL], "tool_choice": {"type": "any"}},
        'tool_choice: type "tool" and "any" are not supported for this model.',
    ),
    ({"output_config": {"effort": "low"}}, "This model does not support the effort parameter."),
    ({"model": "claude-opus-4-6", "output_config": {"effort": "xhigh"}}, "This model does not support effort level"),
    (form(type="object"), "output_config.format.schema: For 'object' type, 'additionalProperties' must be"),
    (
        form(type="object", additionalProperties=False, properties={"a": {"type": "integer", "minimum": 1}}),
        "output_config.format.schema.properties.a: For 'integer' type, properties minimum are not supported",
    ),
    ({"model": "claude-sonnet-4", **form(type="object", additionalProperties=False)}, "output_config.format: "),
    ({"messages": called({"type": "text", "text": "x"}, result())}, "messages.1: `tool_use` ids were found without"),
    ({"messages": called(result(), result())}, "messages.2.content.1: each tool_use must have a single result."),
    ({"messages": called(result(is_error=True))}, "messages.2.content.0.tool_result: content cannot be empty"),
    ({"messages": [HI, CALL, RESULT, CALL, RESULT]}, "messages: `tool_use` ids must be unique"),
    (
        {"tools": [{"name": "t", "input_schema": {"type": "object", "anyOf": []}}]},
        "tools.0.custom.input_schema: does not support oneOf, allOf, or anyOf",
    ),
    ({"metadata": {"user_id": "u" * 257}}, "metadata.user_id: String should have at most 256 characters"),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                        }
                    ],
                }
            ]
        },
        "messages.0.content.0.document.source.base64.data: The PDF specified was not valid.",
    ),
]


def request(**changes: Any) -> dict[str, Any]:
    body = {"model": "claude-haiku-4-5", "max_tokens": 20, "messages": [HI], **changes}
    return {name: value for name, value in body.items() if value is not ...}


def post(fake: FakeAnthropic, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    sent = {**HEADERS, **(headers or {})}
    given = {name: value for name, value in sent.items() if value}
    kind = {"content": body} if isinstance(body, bytes) else {"json": body}
    given.setdefault("content-type", "application/json")
    with httpx.Client(trust_env=False) as client:
        return client.post(
            f"{fake.base_url}/v1/messages", headers={"content-type": "application/json", **given}, **kind
        )


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"{", {}, 400, "The request body is not valid JSON"),
        (b"[]", {}, 400, "Input should be a valid dictionary"),
        (request(model=...), {}, 400, "model: Field required"),
        (request(max_tokens=...), {}, 400, "max_tokens: Field required"),
        (request(messages=...), {}, 400, "messages: Field required"),
        (request(max_tokens="5"), {}, 400, "max_tokens: Input should be a valid integer"),
        (request(messages=[]), {}, 400, "messages: at least one message is required"),
        (request(n=1), {}, 400, "n: Extra inputs are not permitted"),  # a field of the other dialect
        (request(model="gpt-7"), {}, 404, "model: gpt-7"),
        (request(messages=[{"role": "user", "content": ""}]), {}, 400, "messages.0: all messages must have non-empty"),
        (
            request(messages=[{"role": "user", "content": [{"type": "text", "text": ""}]}]),
            {},
            400,
            "messages: text content blocks must be non-empty",
        ),
        (request(messages=[{"role": "system", "content": "x"}]), {}, 400, 'messages: Unexpected role "system"'),
        (
            request(model="claude-sonnet-4-6", messages=[HI, {"role": "system", "content": "x"}]),
            {},
            400,
            'messages: Unexpected role "system"',
        ),
        (request(messages=[{"role": "tool", "content": "x"}]), {}, 400, 'messages: Unexpected role "tool"'),
        (request(messages=[RESULT]), {}, 400, "messages.0.content.0: unexpected `tool_use_id` found in `tool_result`"),
        (request(messages=[HI, CALL, HI]), {}, 400, "messages.1: `tool_use` ids were found without `tool_result`"),
        (request(temperature=2), {}, 400, "temperature: Input should be less than or equal to 1"),
        (request(temperature=1), NEW, 400, "temperature: "),
        (request(top_p=0.9), NEW, 400, "top_p: "),
        (request(top_k=5), NEW, 400, "top_k: "),
        (request(stop_sequences=[" "]), {}, 400, "stop_sequences: each stop sequence must contain non-whitespace"),
        (request(tool_choice={"type": "any"}), {}, 400, "tool_choice: may only be specified while providing tools"),
        (request(tools=[{"name": "x"}]), {}, 400, "tools.0.custom.input_schema: Field required"),
        (
            request(model="claude-sonnet-4-6", messages=[HI, {"role": "assistant", "content": "So"}]),
            {},
            400,
            "This model does not support assistant message prefill",
        ),
        (
            request(messages=[HI, {"role": "assistant", "content": "So "}]),
            {},
            400,
            "messages: final assistant content cannot end with trailing whitespace",
        ),
        *[(request(**changes), {}, 400, message) for changes, message in REFUSED_BY_GENERATION],
        (request(), {"anthropic-version": ""}, 400, "anthropic-version: header is required"),
        (request(), {"x-api-key": ""}, 401, "x-api-key header is required"),
        (request(), {"x-api-key": "sk-other"}, 401, "invalid x-api-key"),
        # x-api-key wins over a Bearer token that would do
        (request(), {"x-api-key": "bad", "authorization": "Bearer sk-ant-good"}, 401, "invalid x-api-key"),
        (request(), {"x-api-key": "", "authorization": "Bearer bad"}, 401, "Invalid bearer token"),
    ],
)
def test_refused(fake: FakeAnthropic, body: Any, headers: dict[str, str], status: int, message: str) -> None:
    """Status, type and message as from the real API, in its error shape."""
    reply = post(fake, body, headers)
    given = reply.json()
    assert (reply.status_code, given["type"]) == (status, "error")
    assert given["error"]["message"].startswith(message)
    kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
    assert given["error"]["type"] == kinds[status]
    assert given["request_id"] == reply.headers["request-id"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (request(temperature=0.5), {}),
        (request(messages=[HI, CALL, RESULT]), {}),
        (request(messages=[HI, HI]), {}),  # turns of one role are merged
        (request(messages=[HI, {"role": "assistant", "content": "So"}]), {}),  # an older model takes a prefill
        (request(system=[{"type": "text", "text": "Be kind."}], metadata={"user_id": "u"}), NEW),
        (request(), {"x-api-key": "", "authorization": "Bearer sk-ant-good"}),
        # as Claude Code sends it
        (request(model="claude-opus-5-5", messages=[HI, {"role": "system", "content": "x", "output_config": {}}]), {}),
        (request(model="claude-opus-5-5", messages=[HI, {"role": "system", "content": [], "output_config": {}}]), {}),
    ],
)
def test_accepted(fake: FakeAnthropic, body: Any, headers: dict[str, str]) -> None:
    """What the real API takes is not refused."""
    assert post(fake, body, headers).status_code == 200


def test_unknown_paths_methods_and_sizes(fake: FakeAnthropic) -> None:
    """404, 405 and 413 come in the API's error shape; the query string does not matter to the route."""
    with httpx.Client(base_url=fake.base_url, headers=HEADERS, trust_env=False) as client:
        assert client.get("/v1/none").json()["error"] == {"type": "not_found_error", "message": "Not Found"}
        assert client.get("/v1/messages").status_code == 405
        assert client.post("/v1/messages?beta=true", json=request()).status_code == 200
        huge = client.post("/v1/messages", json=request(system="x" * (32 * 1024 * 1024)))
        assert (huge.status_code, huge.json()["error"]["type"]) == (413, "request_too_large")
        plain = client.get("/v1/models?limit=1000")
        assert plain.headers["anthropic-ratelimit-requests-limit"] == "4000"


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("claude-opus-5-5", True),
        ("claude-opus-5", True),
        ("claude-sonnet-4-6", True),
        ("claude-haiku-4-5", False),
        ("claude-sonnet-4-5-20250929", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-3-5-sonnet-20241022", False),
    ],
)
def test_which_models_refuse_a_prefill(model: str, refused: bool) -> None:
    """4.6 and newer; a date is no minor version."""
    assert refuses_prefill(model) is refused
