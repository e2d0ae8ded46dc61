"""Requests that only Claude may answer, through the real nginx: with the gateway, and while it is down."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack, wait_for

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
OFF = {"X-Pilot-Fallback": "off"}

WAYS: list[tuple[str, dict[str, str]]] = [
    # path, headers
    (f"/claude{CHAT}", {}),
    (f"/claude{MESSAGES}", {}),
    (f"/claude/anthropic{MESSAGES}", {}),
    (CHAT, OFF),
    (MESSAGES, OFF),
    (f"/anthropic{MESSAGES}", OFF),
]

ASKED = {"role": "user", "content": "What is the time?"}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CHAT_LOOP = {
    "messages": [
        ASKED,
        {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Noon."},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
}
MESSAGES_LOOP = {
    "messages": [
        ASKED,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Noon."}]},
    ],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
}


@pytest.fixture(scope="module")
def stack(_anthropic: FakeAnthropic) -> Iterator[Stack]:
    """A stack of this file's own, whose gateway can be stopped."""
    _anthropic.reset()
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=_anthropic.base_url, CLAUDE_PROBE_SECONDS="1") as stack:
        yield stack


@pytest.fixture(params=[True, False], ids=["with the gateway", "without the gateway"])
def without_gateway(request: pytest.FixtureRequest, stack: Stack, anthropic: FakeAnthropic) -> Iterator[bool]:
    """Claude answers; the gateway is there, or stopped."""
    stack.wait_for_backend("claude", 40)
    if request.param:
        yield False
        return
    stack.supervise("stop", "gateway")
    try:
        yield True
    finally:
        stack.supervise("start", "gateway")
        wait_for("the gateway is back", lambda: stack.client.get("/status").status_code == 200)


def ask(stack: Stack, path: str, headers: dict[str, str], **more: Any) -> httpx.Response:
    """One request."""
    body = {"model": "pilot", "max_tokens": 9, "messages": [{"role": "user", "content": "For Claude alone."}], **more}
    return stack.client.post(path, json=body, headers=headers)


def local_requests(stack: Stack) -> float:
    """How many requests the local model has had."""
    lines = stack.metrics("local-llm").splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("pilotlight_local_requests_total{"))


def test_claude_or_a_refusal(stack: Stack, anthropic: FakeAnthropic, without_gateway: bool) -> None:
    """Claude while it can; else a 503 in the client's dialect, at once, and the local model has seen nothing."""
    for path, headers in WAYS:
        answer = ask(stack, path, headers)
        assert (answer.status_code, answer.headers["X-Served-By"]) == (200, "claude"), path
    assert stack.client.get("/claude/v1/models").status_code == 200
    mistake = ask(stack, f"/claude{MESSAGES}", {}, messages=[])
    assert mistake.status_code == 400
    before = local_requests(stack)
    anthropic.script(refuse=True)
    for path, headers in WAYS:
        for streams in (False, True):
            answer = ask(stack, path, headers, stream=streams)
            assert answer.status_code == 503, path
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.headers["X-Fallback-Reason"] == "connect"
            document = answer.json()
            assert "this request is for Claude alone" in document["error"]["message"]
            if path.endswith(MESSAGES):
                assert (document["type"], document["error"]["type"]) == ("error", "api_error")
            else:
                assert document["error"]["code"] == "claude_unavailable"
    for path, loop in ((CHAT, CHAT_LOOP), (MESSAGES, MESSAGES_LOOP)):
        began = time.monotonic()
        assert ask(stack, f"/claude{path}", {}, **loop).status_code == 503
        assert time.monotonic() - began < 10  # for words in a tool loop Claude is waited for 20 s
    assert local_requests(stack) == before
    answer = ask(stack, CHAT, {})
    assert (answer.status_code, answer.headers["X-Served-By"]) == (200, "local")


def test_a_dead_adapter_is_a_refusal(stack: Stack, anthropic: FakeAnthropic) -> None:
    """And not a way to the local model."""
    stack.wait_for_backend("claude", 40)
    stack.supervise("stop", "claude-adapter")
    try:
        answer = ask(stack, f"/claude{MESSAGES}", {})
        assert (answer.status_code, answer.headers["X-Fallback-Reason"]) == (503, "adapter_down")
    finally:
        stack.supervise("start", "claude-adapter")


def test_a_client_cannot_name_local_answers(stack: Stack, anthropic: FakeAnthropic, without_gateway: bool) -> None:
    """Its header ends at the edge: what Claude is sent holds the client's words and no others."""
    history = [
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": "Three"},
    ]
    answer = ask(stack, MESSAGES, {"X-Pilot-Local-Answers": "1"}, messages=history)
    assert answer.headers["X-Served-By"] == "claude"
    assert anthropic.requests()[-1]["body"]["messages"] == history


def test_status_and_metrics_tell_what_was_held_back(stack: Stack, anthropic: FakeAnthropic) -> None:
    """Both count it."""
    stack.wait_for_backend("claude", 40)
    before = stack.status()["refused_side_tasks"]
    anthropic.script(refuse=True)
    assert ask(stack, f"/claude{CHAT}", {}).status_code == 503
    wait_for("the status counts it", lambda: stack.status()["refused_side_tasks"] == before + 1)
    assert 'pilotlight_refused_side_tasks_total{client="path",task="any"}' in stack.metrics("gateway")
