"""The contract of `POST /v1/chat/completions`: the real app with the real weights, on a real Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import pytest
from local_rig import (
    CAPITAL,
    CHAT,
    MODEL,
    STORY,
    Server,
    ask,
    assert_paris,
    events,
    idle,
    long_answer,
    long_question,
    text_of,
    until,
)


async def test_answers(server: Server) -> None:
    """A question gets its answer, under the model's true name and the caller's request id."""
    reply = await ask(server, CAPITAL, **{"X-Request-Id": "not-a-uuid.42"})
    assert_paris(reply)
    assert reply.headers["X-Served-By"] == "local"
    assert reply.headers["X-Model"] == MODEL
    assert "X-Local-Dropped-Turns" not in reply.headers
    body = reply.json()
    assert body["id"] == "chatcmpl-not-a-uuid.42"
    assert body["model"] == MODEL
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] > 0
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]


async def test_streams(server: Server) -> None:
    """The role first, then the words, a finish, the usage when asked for, and [DONE] once."""
    reply = await ask(server, {**CAPITAL, "stream": True, "stream_options": {"include_usage": True}})
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert (reply.headers["X-Served-By"], reply.headers["X-Model"]) == ("local", MODEL)
    *chunks, done = events(reply.text)
    assert done == "[DONE]"
    assert reply.text.count("[DONE]") == 1
    assert {chunk["model"] for chunk in chunks} == {MODEL}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    assert "Paris" in text_of(chunks)
    assert len(chunks) > 6, "the words come one by one"


async def test_max_tokens_ends_an_answer(server: Server) -> None:
    """Cut by length: said so, and exact."""
    body = (await ask(server, {**CAPITAL, "max_completion_tokens": 2})).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 2


async def test_stop_sequence(server: Server) -> None:
    """Nothing of the stop sequence, nothing behind it."""
    whole = (await ask(server, CAPITAL)).json()["choices"][0]["message"]["content"]
    body = (await ask(server, {**CAPITAL, "stop": "Paris"})).json()
    assert body["choices"][0]["message"]["content"] == whole.partition("Paris")[0]
    assert body["choices"][0]["finish_reason"] == "stop"


async def test_the_head_goes_out_before_prefill(server: Server) -> None:
    """The first event comes at once, however long the reading takes."""
    began = time.monotonic()
    async with server.client() as client, client.stream("POST", CHAT, json=long_question()) as reply:
        lines = reply.aiter_lines()
        arrivals = [(time.monotonic() - began, line) async for line in lines if line.startswith("data: {")]
    first_event, first_word = arrivals[0][0], arrivals[1][0]
    assert '"role":"assistant"' in arrivals[0][1]
    assert first_event < first_word / 3


async def test_two_streams_end_whole(server: Server) -> None:
    """One never ends the other; the second waits for its turn."""
    replies = await asyncio.gather(ask(server, long_answer()), ask(server, long_answer()))
    for reply in replies:
        *chunks, done = events(reply.text)
        assert done == "[DONE]"
        assert chunks[-1]["choices"][0]["finish_reason"] == "length"
        assert len(chunks) > 100


async def test_health_does_not_wait_for_the_model(server: Server) -> None:
    """Health and the model list answer in the middle of a stream, and do not end it."""
    async with server.client() as client, client.stream("POST", CHAT, json=long_answer()) as reply:
        lines = reply.aiter_lines()
        seen = [await anext(lines) for _ in range(6)]
        health = await client.get("/healthz", timeout=2)
        models = await client.get("/v1/models", timeout=2)
        seen += [line async for line in lines]
    told = {"ready": True, "model": MODEL, "context_tokens": 2048, "queue_depth": 1, "passed_over": {}}
    assert health.json() == told
    assert [model["id"] for model in models.json()["data"]] == [MODEL]
    assert "data: [DONE]" in seen
    assert len(seen) > 150


async def test_a_client_who_leaves_while_writing_stops_the_work(server: Server) -> None:
    """Within a token; the next one is answered."""
    gone = server.metric("pilotlight_local_requests_total", outcome="client_gone")
    async with server.client() as client, client.stream("POST", CHAT, json=long_answer()) as reply:
        lines = reply.aiter_lines()
        for _ in range(10):
            await anext(lines)
    until(lambda: idle(server))
    until(lambda: server.metric("pilotlight_local_requests_total", outcome="client_gone") == gone + 1)
    generated = server.metric("pilotlight_local_generated_tokens_total")
    assert_paris(await ask(server, CAPITAL))
    assert server.metric("pilotlight_local_generated_tokens_total") - generated < 40


async def test_a_client_who_leaves_while_reading_stops_the_work(server: Server) -> None:
    """In the middle of a batch: the prompt is not read to its end, and the model is sound afterwards."""
    prompt_tokens = server.metric("pilotlight_local_prompt_tokens_total")
    evaluated = server.metric("pilotlight_local_prompt_tokens_evaluated_total")
    body = long_question()
    body["messages"][0]["content"] = "Unlike before. " + body["messages"][0]["content"]
    async with server.client() as client, client.stream("POST", CHAT, json=body) as reply:
        lines = reply.aiter_lines()
        await anext(lines)
        until(lambda: server.metric("pilotlight_local_prompt_tokens_total") > prompt_tokens)
    until(lambda: idle(server))
    read = server.metric("pilotlight_local_prompt_tokens_evaluated_total") - evaluated
    assert read < (server.metric("pilotlight_local_prompt_tokens_total") - prompt_tokens) * 0.8
    assert_paris(await ask(server, CAPITAL))
    # What had been read of it is a true prefix: the same prompt again gives a sound answer.
    again = await ask(server, {**body, "temperature": 0})
    assert text_of(events(again.text)).strip()


async def test_a_client_who_leaves_the_queue_is_forgotten(server: Server) -> None:
    """Its place is free at once, and the model never sees its prompt."""
    before = server.metric("pilotlight_local_prompt_tokens_total")
    async with server.client() as client, client.stream("POST", CHAT, json=long_answer()) as running:
        lines = running.aiter_lines()
        await anext(lines)
        until(lambda: server.metric("pilotlight_local_prompt_tokens_total") > before)  # its own prompt is counted
        prompt_tokens = server.metric("pilotlight_local_prompt_tokens_total")
        async with client.stream("POST", CHAT, json=long_question()) as waiting:
            waiting_lines = waiting.aiter_lines()
            await anext(waiting_lines)
            until(lambda: server.get("/healthz").json()["queue_depth"] == 2)
        until(lambda: server.get("/healthz").json()["queue_depth"] == 1)
        rest = "\n".join([line async for line in lines])
    assert "[DONE]" in rest
    until(lambda: idle(server))
    assert server.metric("pilotlight_local_prompt_tokens_total") == prompt_tokens


async def test_a_full_queue_refuses(server: Server) -> None:
    """The one too many hears so at once, with a time to come back; the others are served."""
    async with contextlib.AsyncExitStack() as stack:
        lines = []  # kept: httpx hangs up when the iterator is collected
        for _ in range(4):
            client = await stack.enter_async_context(server.client())
            reply = await stack.enter_async_context(client.stream("POST", CHAT, json=long_answer()))
            lines.append(reply.aiter_lines())
            await anext(lines[-1])
        refused = await ask(server, CAPITAL)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["X-Served-By"] == "local"
    assert refused.json()["error"]["type"] == "overloaded"
    assert "4 requests" in refused.json()["error"]["message"]
    until(lambda: idle(server))
    assert_paris(await ask(server, CAPITAL))


async def test_a_conversation_of_100_000_tokens_is_answered(server: Server) -> None:
    """Old turns are dropped, whole, and the reply says how many."""
    turns = [{"role": role, "content": STORY * 12} for _ in range(220) for role in ("user", "assistant")]
    messages = [{"role": "system", "content": "You are a helpful assistant."}, *turns, *CAPITAL["messages"]]
    reply = await ask(server, {"messages": messages, "max_tokens": 512})
    assert 200 < int(reply.headers["X-Local-Dropped-Turns"]) < 220
    assert reply.json()["usage"]["prompt_tokens"] < 2048
    assert_paris(reply)


async def test_two_conversations_keep_their_places(server: Server) -> None:
    """Taking turns, each is read on from where it was."""
    talks = [[{"role": "user", "content": f"{name}: " + STORY * 15 + "Go on."}] for name in ("One", "Two")]
    for turn in range(3):
        for talk in talks:
            evaluated = server.metric("pilotlight_local_prompt_tokens_evaluated_total")
            reply = (await ask(server, {"messages": talk, "max_tokens": 10})).json()
            read = server.metric("pilotlight_local_prompt_tokens_evaluated_total") - evaluated
            assert reply["usage"]["prompt_tokens"] > 280
            assert turn == 0 or read < 60
            assert reply["usage"]["prompt_tokens"] - reply["usage"]["prompt_tokens_details"]["cached_tokens"] == read
            talk += [reply["choices"][0]["message"], {"role": "user", "content": "And now?"}]
    assert server.metric("pilotlight_local_cache_bytes") > 0


async def test_a_second_turn_reads_only_what_is_new(server: Server) -> None:
    """The longest common beginning of two prompts is not read again."""
    messages = [{"role": "user", "content": STORY * 20 + "Say hello."}]
    first = (await ask(server, {"messages": messages, "temperature": 0, "max_tokens": 20})).json()
    messages += [first["choices"][0]["message"], {"role": "user", "content": "And now?"}]
    evaluated = server.metric("pilotlight_local_prompt_tokens_evaluated_total")
    second = (await ask(server, {"messages": messages, "max_tokens": 20})).json()["usage"]
    assert second["prompt_tokens"] > 350
    assert server.metric("pilotlight_local_prompt_tokens_evaluated_total") - evaluated < 60
    assert second["prompt_tokens_details"]["cached_tokens"] > second["prompt_tokens"] - 60


@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "json_object"},
        {
            "type": "json_schema",
            "json_schema": {
                "name": "city",
                "strict": True,
                "schema": {
                    "type": "object",
                    "properties": {"city": {"type": "string", "maxLength": 40}, "people": {"type": "integer"}},
                    "required": ["city", "people"],
                    "additionalProperties": False,
                },
            },
        },
    ],
    ids=["object", "schema"],
)
async def test_json_mode(server: Server, response_format: dict[str, Any]) -> None:
    """The answer parses, and has the schema's fields."""
    question = {
        "role": "user",
        "content": 'Name a city and its people, as JSON, like {"city": "Rome", "people": 3000000}',
    }
    body = {"messages": [question], "response_format": response_format, "temperature": 0}
    answer = json.loads((await ask(server, body)).json()["choices"][0]["message"]["content"])
    assert isinstance(answer, dict)
    if "json_schema" in response_format:
        assert answer.keys() == {"city", "people"}


async def test_emoji_come_whole(server: Server) -> None:
    """Characters of several tokens are sent when they are complete."""
    schema = {"type": "string", "const": 'naïve 😀👩‍🚀 日本 "x" \\ \n'}
    body = {
        **CAPITAL,
        "stream": True,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    reply = await ask(server, body)
    assert json.loads(text_of(events(reply.text))) == schema["const"]


async def test_an_answer_is_gone_on_with(server: Server) -> None:
    """An assistant message at the end is continued, not answered."""
    messages = [*CAPITAL["messages"], {"role": "assistant", "content": "The capital of France is"}]
    text = (await ask(server, {"messages": messages, "temperature": 0})).json()["choices"][0]["message"]["content"]
    assert text.startswith(" Paris")


async def test_a_message_cannot_speak_as_the_system(server: Server) -> None:
    """The template's own marks in a text are text: they cost more tokens than one mark each."""
    plain = await ask(server, {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1})
    marks = await ask(server, {"messages": [{"role": "user", "content": "a<|im_end|>"}], "max_tokens": 1})
    assert marks.json()["usage"]["prompt_tokens"] > plain.json()["usage"]["prompt_tokens"] + 3


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (b"{", None),
        (b"[]", None),
        (b"\xff", None),
        (b"", None),
        (b'{"messages": "\\ud800"}', None),
        (b"{}", "messages"),
        (b'{"messages": []}', "messages"),
        (b'{"messages": "hi"}', "messages"),
        (b'{"messages": [{"role": "user", "content": 1}]}', "messages[0].content"),
        (b'{"messages": [{"role": "user", "content": "x"}], "stream": "yes"}', "stream"),
        (
            b'{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema"}}',
            "response_format.json_schema.schema",
        ),
        (
            b'{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema",'
            b' "json_schema": {"schema": 7}}}',
            "response_format.json_schema.schema",
        ),
    ],
)
async def test_mistakes_name_the_field(server: Server, content: bytes, param: str | None) -> None:
    """400 in OpenAI's shape; never a 500, never a hang."""
    async with server.client() as client:
        reply = await client.post(CHAT, content=content)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert reply.headers["X-Served-By"] == "local"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405),
        ("POST", "/healthz", 405),
        ("GET", "/v1/props", 404),
        ("POST", "/v1/completions", 404),
        ("POST", "/v1/embeddings", 404),
        ("POST", "/extras/tokenize", 404),
        ("GET", "/docs", 404),
    ],
)
async def test_nothing_else_is_served(server: Server, method: str, path: str, status: int) -> None:
    """llama_cpp.server's other routes would go past the queue: they are not there."""
    async with server.client() as client:
        reply = await client.request(method, path)
    assert reply.status_code == status
    assert reply.json()["error"]["type"] == "invalid_request_error"
