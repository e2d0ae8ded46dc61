"""Nobody keeps the model longer than one bounded answer, whatever is asked; and it is finished properly."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import psutil
import pytest
from local_rig import CHAT, Server, ask, events, idle, running, text_of, until

MAX_TOKENS = 300
ANSWER_SECONDS = 1.5
MESSAGES = "/v1/messages"
QUESTION = {"role": "user", "content": "Go on for as long as you can."}
LONG: dict[str, Any] = {"const": " ".join(map(str, range(1000)))}
LOOP: dict[str, Any] = {"const": "ha " * 1000}
ENDLESS = {"messages": [QUESTION], "max_tokens": 128_000}
HOSTILE: dict[str, dict[str, Any]] = {
    "150 optional letters": {"type": "string", "pattern": "^" + "a?" * 150 + "$"},
    "500 optional letters": {"type": "string", "pattern": "^" + "a?" * 500 + "$"},
    "many states": {"type": "string", "pattern": "(.*a){20}.{30}b"},
    "minLength": {"type": "string", "minLength": 100_000_000},
    "900 values": {"enum": ["x" * 200 + f"{n * 7919 % 10_000:04}" * 3 for n in range(900)]},
    "2,000 properties": {"type": "object", "properties": {f"k{n}": {"type": "string"} for n in range(2000)}},
}


@pytest.fixture(scope="module")
def short() -> Iterator[Server]:
    """Answers are bounded by their tokens."""
    with running(LOCAL_MAX_TOKENS=str(MAX_TOKENS), LOCAL_QUEUE_SECONDS="600") as server:
        yield server


@pytest.fixture(scope="module")
def hasty() -> Iterator[Server]:
    """Answers are bounded by their time."""
    with running(LOCAL_MAX_TOKENS="100000", LOCAL_ANSWER_SECONDS=str(ANSWER_SECONDS)) as server:
        yield server


def json_of(schema: dict[str, Any], path: str = CHAT) -> dict[str, Any]:
    """The field that asks for JSON by this schema."""
    if path == MESSAGES:
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


async def finished(server: Server, path: str, stream: bool, **fields: Any) -> tuple[str, int]:
    """Why an answer ended, and its tokens."""
    body = {**ENDLESS, "temperature": 0, "stream": stream, "stream_options": {"include_usage": True}, **fields}
    async with server.client() as client:
        reply = await client.post(path, json=body)
    assert reply.status_code == 200, reply.text
    if path == MESSAGES:
        if not stream:
            whole = reply.json()
            return whole["stop_reason"], whole["usage"]["output_tokens"]
        *_, delta, stop = events(reply.text)
        assert stop == {"type": "message_stop"}
        return delta["delta"]["stop_reason"], delta["usage"]["output_tokens"]
    if not stream:
        whole = reply.json()
        return whole["choices"][0]["finish_reason"], whole["usage"]["completion_tokens"]
    *_, end, usage, done = events(reply.text)
    assert done == "[DONE]"
    return end["choices"][0]["finish_reason"], usage["usage"]["completion_tokens"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("path", "reason"), [(CHAT, "length"), (MESSAGES, "max_tokens")])
async def test_tokens_are_bounded(short: Server, path: str, reason: str, stream: bool) -> None:
    """LOCAL_MAX_TOKENS is a cap: 128,000, as agents send it, are not written."""
    assert await finished(short, path, stream, **json_of(LONG, path)) == (reason, MAX_TOKENS)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("path", "reason"), [(CHAT, "length"), (MESSAGES, "max_tokens")])
async def test_seconds_are_bounded(hasty: Server, path: str, reason: str, stream: bool) -> None:
    """LOCAL_ANSWER_SECONDS is a clock, from the first token on."""
    began = time.monotonic()
    ended, tokens = await finished(hasty, path, stream, **json_of(LONG, path))
    assert ended == reason
    assert tokens > 1
    assert ANSWER_SECONDS <= time.monotonic() - began < 10 + ANSWER_SECONDS


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("path", "reason"), [(CHAT, "length"), (MESSAGES, "max_tokens")])
async def test_an_answer_that_repeats_itself_ends(short: Server, path: str, reason: str, stream: bool) -> None:
    """After 240 tokens of the same, before the cap."""
    ended, tokens = await finished(short, path, stream, **json_of(LOOP, path))
    assert ended == reason
    assert 240 <= tokens < MAX_TOKENS


async def test_a_forced_call_that_is_cut_is_none(short: Server) -> None:
    """Half the arguments are nobody's to run."""
    tool = {
        "type": "function",
        "function": {"name": "count", "parameters": {"properties": {"n": LONG}, "required": ["n"]}},
    }
    reply = await ask(short, {**ENDLESS, "tools": [tool], "tool_choice": "required"})
    choice = reply.json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert not choice["message"].get("tool_calls")


async def test_those_who_wait_wait_for_bounded_answers(hasty: Server) -> None:
    """Two endless answers before him cost a third their bounds, and no more."""
    began = time.monotonic()
    before = [asyncio.create_task(ask(hasty, {**ENDLESS, **json_of(LONG)})) for _ in range(2)]
    await asyncio.to_thread(until, lambda: hasty.get("/healthz").json()["queue_depth"] == 2)
    reply = await ask(hasty, {"messages": [QUESTION], "max_tokens": 1})
    assert reply.status_code == 200
    assert time.monotonic() - began < 10 + 2 * ANSWER_SECONDS
    assert [(await task).json()["choices"][0]["finish_reason"] for task in before] == ["length", "length"]


@asynccontextmanager
async def health_watched(server: Server) -> AsyncIterator[list[float]]:
    """How long each of many looks at `/healthz` took meanwhile."""
    took: list[float] = []

    async def watch() -> None:
        async with server.client() as client:
            while True:
                began = time.monotonic()
                assert (await client.get("/healthz")).status_code == 200
                took.append(time.monotonic() - began)
                await asyncio.sleep(0.05)  # a poll, not a wait

    watching = asyncio.create_task(watch())
    try:
        yield took
    finally:
        watching.cancel()


@pytest.mark.parametrize("forced", [False, True], ids=["format", "tool"])
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_schema_keeps_nobody(short: Server, name: str, forced: bool) -> None:
    """When its client leaves the model is free again, `/healthz` answers throughout, and memory stays."""
    parameters = {"type": "object", "properties": {"x": HOSTILE[name]}, "required": ["x"]}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    field = {"tools": [tool], "tool_choice": "required"} if forced else json_of(HOSTILE[name])
    process = psutil.Process(short.process.pid)
    memory = process.memory_info().rss
    async with health_watched(short) as took, short.client() as client:
        with suppress(httpx.ReadTimeout):  # a short value may have come whole
            await client.post(CHAT, json={**ENDLESS, **field, "temperature": 2}, timeout=0.7)
        left = time.monotonic()
        await asyncio.to_thread(until, lambda: idle(short))
        assert time.monotonic() - left < 5
        assert (await ask(short, {"messages": [QUESTION], "max_tokens": 1})).status_code == 200
    assert max(took) < 2
    assert process.memory_info().rss - memory < 100 << 20


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/x"},
        {"type": "string", "pattern": "^(((("},
        {"not": {"type": "object"}},
        {"type": 7},
    ],
)
async def test_what_cannot_be_held_is_asked_in_words(short: Server, schema: dict[str, Any]) -> None:
    """JSON all the same, and the model reads the schema: no schema is a 400 for being too hard."""
    plain = (await ask(short, {"messages": [QUESTION], "max_tokens": 1})).json()["usage"]["prompt_tokens"]
    reply = await ask(short, {"messages": [QUESTION], "max_tokens": 200, "stream": True, **json_of(schema)})
    assert reply.status_code == 200
    assert text_of(events(reply.text))
    asked = await ask(short, {"messages": [QUESTION], "max_tokens": 1, **json_of(schema)})
    assert asked.json()["usage"]["prompt_tokens"] > plain + 15


async def test_a_schema_that_is_held_costs_no_words(short: Server) -> None:
    """The model is held to it: reading it would cost time and help nobody."""
    held = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Rome"]}}, "required": ["city"]}
    plain = (await ask(short, {"messages": [QUESTION], "max_tokens": 1})).json()["usage"]["prompt_tokens"]
    reply = (await ask(short, {"messages": [QUESTION], **json_of(held)})).json()
    assert reply["usage"]["prompt_tokens"] == plain
    assert json.loads(reply["choices"][0]["message"]["content"]) == {"city": "Rome"}
    assert reply["choices"][0]["finish_reason"] == "stop"
