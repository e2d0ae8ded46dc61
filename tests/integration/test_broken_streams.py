"""Claude breaks off in mid-sentence: the sentence goes on, the reader is told, the stream ends properly."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from chat_stream import Streamed, stream
from fake_anthropic.process import FakeAnthropic
from gateway.rescue import RESCUE_LINE
from stack import KEY, Stack

OPENING = "The capital of France is"


@pytest.fixture(scope="module")
def _stack(_anthropic: FakeAnthropic) -> Iterator[Stack]:
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=_anthropic.base_url, CLAUDE_STALL_SECONDS="1") as stack:
        yield stack


@pytest.fixture
def stack(anthropic: FakeAnthropic, _stack: Stack) -> Stack:
    """A stack that gives a stalled Claude one second."""
    _stack.wait_for_backend("claude", 40)
    return _stack


def check_rescued(streamed: Streamed) -> None:
    """One whole stream: Claude's beginning, the line, the local model's end; one id, one role, one finish, one end."""
    beginning, line, rest = streamed.text.partition(RESCUE_LINE)
    assert beginning == OPENING
    assert line
    assert "Paris" in rest
    assert "capital of France is" not in rest, "the beginning was said again"
    assert streamed.headers["X-Served-By"] == "claude"
    assert len({chunk["id"] for chunk in streamed.chunks}) == 1
    roles = [c["delta"]["role"] for chunk in streamed.chunks for c in chunk["choices"] if c["delta"].get("role")]
    assert roles == ["assistant"]
    assert streamed.chunks[1]["model"].startswith("claude-")
    assert streamed.chunks[-1]["model"] == "SmolLM2-135M-Instruct"
    assert len(streamed.finish_reasons) == 1
    assert streamed.done == 1


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("the connection is closed", {"cut_after_events": 5, "cut": "close"}, "protocol connect"),
    ("the connection is reset", {"cut_after_events": 5, "cut": "reset"}, "connect"),
    ("half an event, then nothing", {"cut_after_events": 5, "cut": "half_event"}, "protocol connect"),
    ("an error event", {"error_after_events": 5, "error_type": "overloaded_error"}, "overloaded"),
    ("silence", {"silent_after_events": 5}, "stall"),
    ("silence with pings", {"silent_after_events": 5, "pings": True}, "stall"),
]


@pytest.mark.parametrize(("fault", "script", "reasons"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_the_sentence_goes_on(
    stack: Stack, anthropic: FakeAnthropic, fault: str, script: dict[str, Any], reasons: str
) -> None:
    """Whatever breaks the stream after content, the local model finishes it in the same stream."""
    anthropic.script(text=f"{OPENING} the city of Paris, as everybody knows.", chunk_interval_seconds=0.05, **script)
    streamed = stream(stack.client, temperature=0)
    check_rescued(streamed)
    metrics = stack.metrics("gateway")
    counted = [
        line for line in metrics.splitlines() if line.startswith("pilotlight_rescues_total") and "} 0.0" not in line
    ]
    assert any(f'reason="{reason}"' in line for reason in reasons.split() for line in counted), counted


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_the_sentence_goes_on_without_the_adapter(stack: Stack, anthropic: FakeAnthropic, how: signal.Signals) -> None:
    """An adapter that dies or freezes in mid-stream breaks Claude's stream, not the reader's."""
    anthropic.script(text=f"{OPENING} the city of Paris.", silent_after_events=5, pings=True)
    adapter = stack.room("claude-adapter")
    strike = threading.Timer(0.5, adapter.send_signal, (how,))
    strike.start()
    try:
        check_rescued(stream(stack.client, temperature=0))
    finally:
        strike.join()
        with contextlib.suppress(Exception):
            adapter.send_signal(signal.SIGCONT)
    stack.wait_for_backend("claude", 30)


def test_a_request_that_waits_for_a_frozen_adapter_is_answered(stack: Stack, anthropic: FakeAnthropic) -> None:
    """Frozen before its first word: the request goes around the adapter within a few seconds."""
    adapter = stack.room("claude-adapter")
    adapter.send_signal(signal.SIGSTOP)
    try:
        asked = time.monotonic()
        response = stack.ask(temperature=0)
        assert response.headers["X-Served-By"] == "local"
        assert response.headers["X-Fallback-Reason"] == "adapter_down"
        assert time.monotonic() - asked < 10
    finally:
        adapter.send_signal(signal.SIGCONT)
    stack.wait_for_backend("claude", 30)


def test_a_whole_answer_that_breaks_is_given_whole_by_local(stack: Stack, anthropic: FakeAnthropic) -> None:
    """Unary: the partial answer is dropped."""
    anthropic.script(text=f"{OPENING} Paris, says Claude.", cut_after_events=5)
    response = stack.ask(temperature=0)
    assert response.status_code == 200
    assert response.headers["X-Served-By"] == "local"
    assert "says Claude" not in response.text


@pytest.mark.parametrize(
    ("script", "fields"),
    [
        (
            {"tool_use": {"name": "f", "input": {"city": "Paris", "unit": "celsius"}}, "cut_after_events": 7},
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
        ),
        (
            {"text": '{"city": "Paris", "country": "France"}', "cut_after_events": 2},
            {"response_format": {"type": "json_object"}},
        ),
    ],
    ids=["tool call", "JSON"],
)
def test_what_cannot_be_joined_ends_with_an_error(
    stack: Stack, anthropic: FakeAnthropic, script: dict[str, Any], fields: dict[str, Any]
) -> None:
    """Half a tool call or half a JSON document is no beginning for another brain: an error event, and no [DONE]."""
    anthropic.script(chunk_interval_seconds=0.05, **script)
    body = {"messages": [{"role": "user", "content": "Paris as JSON."}], "stream": True, **fields}
    with stack.client.stream("POST", "/v1/chat/completions", json=body) as response:
        events = [line[6:] for line in response.iter_lines() if line.startswith("data: ")]
    assert "[DONE]" not in events
    error = orjson.loads(events[-1])["error"]
    assert error["code"] == "broken_stream"
    assert error["message"]


def test_the_line_leaves_the_history(stack: Stack, anthropic: FakeAnthropic) -> None:
    """In the next turn Claude sees one closed sentence."""
    history = [
        {"role": "user", "content": "Capital of France?"},
        {"role": "assistant", "content": f"The capital of Fr{RESCUE_LINE}ance is Paris."},
        {"role": "user", "content": "And of Italy?"},
    ]
    assert isinstance(stack.ask(messages=history), httpx.Response)
    assert "The capital of France is Paris." in orjson.dumps(anthropic.requests()[-1]["body"]).decode()
