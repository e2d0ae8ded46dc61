"""A service in a hurry: little time to read, little time to wait, a persona, and tools that are passed on."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from local_rig import CHAT, STORY, Server, ask, events, idle, long_answer, running, until

FIRST_WORD_SECONDS = 0.5
SOUL = "You are Ember, who keeps a small flame alight. You answer shortly, truthfully and with a calm mind."
# The rate in use may be this much over the one measured last before the budget follows it.
SLACK = 1.15


@pytest.fixture(scope="module")
def hurried() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        soul = Path(folder) / "SOUL.md"
        soul.write_text(SOUL)
        settings = {
            "LOCAL_FIRST_WORD_SECONDS": str(FIRST_WORD_SECONDS),
            "LOCAL_QUEUE_SECONDS": "0.2",
            "LOCAL_SOUL": str(soul),
            "LOCAL_TOOLS": "pass",
        }
        with running(**settings) as server:
            yield server


def question(text: str = "What is the capital of France?") -> dict[str, Any]:
    return {"role": "user", "content": text}


async def prompt_tokens(server: Server, **body: Any) -> int:
    reply = await ask(server, {"max_tokens": 1, **body})
    assert reply.status_code == 200, reply.text
    tokens: int = reply.json()["usage"]["prompt_tokens"]
    return tokens


async def test_only_so_much_is_read(hurried: Server) -> None:
    """A conversation of 100,000 tokens, and a system prompt of thousands: what can be read in time, persona first."""
    system = {"role": "system", "content": "You are Hermes. " + STORY * 300}
    turns = [{"role": role, "content": STORY * 12} for _ in range(220) for role in ("user", "assistant")]
    rate = hurried.metric("pilotlight_local_prefill_tokens_per_second")
    reply = await ask(hurried, {"messages": [system, *turns, question()], "max_tokens": 30})
    usage = reply.json()["usage"]
    assert usage["prompt_tokens"] <= max(128, rate * FIRST_WORD_SECONDS * SLACK)
    # The soul has some 25 tokens, and they were read at the start.
    assert usage["prompt_tokens_details"]["cached_tokens"] >= 20
    assert int(reply.headers["X-Local-Dropped-Turns"]) > 200
    assert hurried.metric("pilotlight_local_dropped_turns_total") > 200
    assert reply.json()["choices"][0]["message"]["content"]


async def test_the_soul_speaks_when_nobody_else_does(hurried: Server) -> None:
    """Without a system prompt the soul is it, and costs no reading; a short one is used as it is."""
    reply = await ask(hurried, {"messages": [question("Who?")], "max_tokens": 1})
    usage = reply.json()["usage"]
    assert usage["prompt_tokens"] > 30
    assert usage["prompt_tokens_details"]["cached_tokens"] >= 20
    short = await prompt_tokens(hurried, messages=[{"role": "system", "content": "Be kind."}, question("Who?")])
    assert short < usage["prompt_tokens"] - 10


async def test_tools_are_passed_on(hurried: Server) -> None:
    """With LOCAL_TOOLS=pass the model is shown them, except when the client wants none called."""
    tools = [{"type": "function", "function": {"name": "look"}}]
    asked = {"messages": [question()]}
    plain = await prompt_tokens(hurried, **asked)
    assert await prompt_tokens(hurried, **asked, tools=tools) > plain + 20
    assert await prompt_tokens(hurried, **asked, tools=tools, tool_choice="none") == plain


async def _asked_while_busy(server: Server, path: str, body: dict[str, Any]) -> httpx.Response:
    """A second request while a long answer is being written."""
    async with (
        server.client() as client,
        client.stream("POST", CHAT, json={**long_answer(), "max_tokens": 1000}) as first,
    ):
        lines = first.aiter_lines()
        while '"content":"' not in (line := await anext(lines)) or '"role"' in line:
            pass  # it is not being written yet
        reply: httpx.Response = await client.post(path, json=body)
        return reply


@pytest.mark.parametrize("stream", [False, True])
async def test_nobody_waits_for_ever(hurried: Server, stream: bool) -> None:
    """When its time in the queue is over a request hears so: as a 503, or in the stream that had begun."""
    shed = hurried.metric("pilotlight_local_shed_total", cause="queue_seconds")
    reply = await _asked_while_busy(hurried, CHAT, {"messages": [question()], "stream": stream})
    if stream:
        error = events(reply.text)[-1]["error"]
    else:
        assert reply.status_code == 503
        assert int(reply.headers["Retry-After"]) >= 1
        error = reply.json()["error"]
    assert error["code"] == "queue_seconds"
    assert "LOCAL_QUEUE_SECONDS" in error["message"]
    assert "[DONE]" not in reply.text
    assert hurried.metric("pilotlight_local_shed_total", cause="queue_seconds") == shed + 1
    await asyncio.to_thread(until, lambda: idle(hurried))


async def test_queue_errors_of_messages(hurried: Server) -> None:
    """The same in Anthropic's dialect: an error event as the stream's last."""
    body = {"max_tokens": 9, "messages": [question()], "stream": True}
    reply = await _asked_while_busy(hurried, "/v1/messages", body)
    names = [line for line in reply.text.split("\n") if line.startswith("event: ")]
    assert names[0] == "event: message_start"
    assert names[-1] == "event: error"
    error = json.loads(reply.text.rstrip().rpartition("data: ")[2])
    assert error["error"]["type"] == "overloaded_error"
    await asyncio.to_thread(until, lambda: idle(hurried))
