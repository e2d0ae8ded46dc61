"""Claude breaks off in mid-sentence: the sentence goes on, the reader is told, the stream ends properly."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import anthropic as sdk
import httpx
import openai
import orjson
import pytest

from chat_stream import Streamed, stream
from fake_anthropic.process import FakeAnthropic
from gateway.relay.rescue import RESCUE_LINE
from message_stream import StreamedMessage, stream_message
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


@contextlib.contextmanager
def adapter_struck(stack: Stack, anthropic: FakeAnthropic, how: signal.Signals) -> Iterator[None]:
    """The adapter gets a signal half a second from now; Claude is on again at the end."""
    adapter = stack.room("claude-adapter")
    strike = threading.Timer(0.5, adapter.send_signal, (how,))
    strike.start()
    try:
        yield
    finally:
        strike.join()
        with contextlib.suppress(Exception):
            adapter.send_signal(signal.SIGCONT)
    anthropic.reset()
    stack.wait_for_backend("claude", 40)


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
    with adapter_struck(stack, anthropic, how):
        check_rescued(stream(stack.client, temperature=0))


def test_a_request_that_waits_for_a_frozen_adapter_is_answered(stack: Stack, anthropic: FakeAnthropic) -> None:
    """Frozen before its first word: the request goes around the adapter within a few seconds."""
    adapter = stack.room("claude-adapter")
    adapter.send_signal(signal.SIGSTOP)
    try:
        asked = time.monotonic()
        response = stack.ask(temperature=0)
        assert response.headers["X-Served-By"] == "local"
        assert response.headers["X-Fallback-Reason"] == "adapter_down"
        assert time.monotonic() - asked < 20
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


def rescues(stack: Stack, reasons: str) -> float:
    """How many streams were rescued for any of these reasons."""
    lines = [line for line in stack.metrics("gateway").splitlines() if line.startswith("pilotlight_rescues_total")]
    return sum(float(line.split()[-1]) for line in lines if line.split('"')[1] in reasons.split())


def check_rescued_message(streamed: StreamedMessage) -> None:
    """One message in one text block: Claude's beginning, the line, the local model's end; a proper stop and usage."""
    assert [block["type"] for block in streamed.blocks] == ["text"]
    beginning, line, rest = streamed.text.partition(RESCUE_LINE)
    assert (beginning, line) == (OPENING, RESCUE_LINE)
    assert "Paris" in rest
    assert "capital of France is" not in rest, "the beginning was said again"
    assert streamed.headers["X-Served-By"] == "claude"
    assert streamed.stop_reason in ("end_turn", "max_tokens")


@pytest.mark.parametrize(("fault", "script", "reasons"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_messages_sentence_goes_on(
    stack: Stack, anthropic: FakeAnthropic, fault: str, script: dict[str, Any], reasons: str
) -> None:
    """The same in Anthropic's dialect, in the order its SDKs insist on."""
    before = rescues(stack, reasons)
    anthropic.script(text=f"{OPENING} the city of Paris, as everybody knows.", chunk_interval_seconds=0.05, **script)
    check_rescued_message(stream_message(stack.client))
    assert rescues(stack, reasons) == before + 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_messages_sentence_goes_on_without_the_adapter(
    stack: Stack, anthropic: FakeAnthropic, how: signal.Signals
) -> None:
    """An adapter that dies or freezes in mid-stream breaks Claude's stream, not the reader's."""
    anthropic.script(text=f"{OPENING} the city of Paris.", silent_after_events=5, pings=True)
    with adapter_struck(stack, anthropic, how):
        check_rescued_message(stream_message(stack.client))


def test_the_sdks_stream_helper_reads_a_rescued_message(stack: Stack, anthropic: FakeAnthropic) -> None:
    """Anthropic's own SDK adds it up to one message, thinking before the break included."""
    anthropic.script(thinking="Hm.", text=f"{OPENING} the city.", chunk_interval_seconds=0.05, cut_after_events=7)
    with (
        sdk.Anthropic(base_url=stack.url, api_key="none", max_retries=0) as client,
        client.messages.stream(
            model="claude-opus-5-5", max_tokens=24, messages=[{"role": "user", "content": "Capital of France?"}]
        ) as events,
    ):
        final = events.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert f"{OPENING}{RESCUE_LINE}" in str(final.content[1].to_dict()["text"])
    assert final.stop_reason in ("end_turn", "max_tokens")


@pytest.mark.parametrize(
    ("script", "fields", "kind"),
    [
        ({"tool_use": {"name": "f", "input": {"city": "Paris"}}, "cut_after_events": 7}, {}, "api_error"),
        ({"tool_use": {"name": "f", "input": {"city": "Paris"}}, "error_after_events": 7}, {}, "overloaded_error"),
        ({"thinking": "one two three four five six", "cut_after_events": 3}, {}, "api_error"),
        (
            {"text": '{"city": "Paris", "country": "France"}', "cut_after_events": 2},
            {
                "output_config": {
                    "format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}
                }
            },
            "api_error",
        ),
    ],
    ids=["a tool call is cut", "a tool call meets an error", "thinking is cut", "JSON is cut"],
)
def test_a_message_that_cannot_be_joined_ends_with_an_error(
    stack: Stack, anthropic: FakeAnthropic, script: dict[str, Any], fields: dict[str, Any], kind: str
) -> None:
    """An `error` event is the last one: Anthropic's own when there was one."""
    anthropic.script(chunk_interval_seconds=0.05, **script)
    streamed = stream_message(stack.client, max_tokens=100, **fields)
    assert streamed.error is not None
    assert streamed.error["type"] == kind
    assert "reason" not in streamed.error


def test_a_finished_message_is_not_told_again(stack: Stack, anthropic: FakeAnthropic) -> None:
    """In a unary request the partial answer is dropped, and the local model gives a whole one."""
    anthropic.script(text=f"{OPENING} Paris, says Claude.", cut_after_events=5)
    body = {"model": "pilot", "max_tokens": 24, "messages": [{"role": "user", "content": "Capital of France?"}]}
    response = stack.client.post("/v1/messages", json=body, headers={"anthropic-version": "2023-06-01"})
    assert (response.status_code, response.headers["X-Served-By"]) == (200, "local")
    assert "says Claude" not in response.text


@pytest.mark.parametrize(
    ("script", "ending"),
    [
        ({"text": f"{OPENING} the city of Paris.", "cut_after_events": 5}, "response.completed response.incomplete"),
        ({"tool_use": {"name": "f", "input": {"city": "Paris"}}, "cut_after_events": 7}, "response.failed"),
    ],
    ids=["text", "a tool call"],
)
def test_a_broken_response_is_rescued_or_failed(
    stack: Stack, anthropic: FakeAnthropic, script: dict[str, Any], ending: str
) -> None:
    """OpenAI's Responses have the same rescue as Chat Completions, and their own word for what cannot be joined."""
    anthropic.script(chunk_interval_seconds=0.05, **script)
    with (
        openai.OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0) as client,
        client.responses.create(model="pilot", input="Capital of France?", max_output_tokens=24, stream=True) as events,
    ):
        told = list(events)
    text = "".join(event.delta for event in told if event.type == "response.output_text.delta")
    assert told[-1].type in ending.split()
    assert text.startswith(f"{OPENING}{RESCUE_LINE}") == ("text" in script)
