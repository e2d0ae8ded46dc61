"""The contract of `POST /v1/messages`: the real app, asked by the vendor's own SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from local_rig import CAPITAL_QUESTION, MODEL, STORY, Server, long_answer, until

MESSAGES = "/v1/messages"
ASK: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 40,
    "messages": [{"role": "user", "content": CAPITAL_QUESTION}],
}
CITY_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {"name": "get_weather", "description": "The weather in a city.", "input_schema": CITY_SCHEMA}


@pytest.fixture
async def sdk(server: Server) -> AsyncIterator[anthropic.AsyncAnthropic]:
    # Its own fork of httpx: it takes no other.
    http_client = httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=server.socket_path))
    async with anthropic.AsyncAnthropic(
        api_key="none", base_url="http://local", http_client=http_client, max_retries=0, timeout=120
    ) as client:
        yield client


async def post(server: Server, body: dict[str, Any], path: str = MESSAGES, **headers: str) -> httpx.Response:
    async with server.client() as client:
        reply: httpx.Response = await client.post(path, json=body, headers=headers)
        return reply


def events(raw: str) -> list[dict[str, Any]]:
    """The stream's events; each has a name, and it is its type."""
    bodies = []
    for event in raw.removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        bodies.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {bodies[-1]['type']}"
    return bodies


async def test_the_sdk_reads_a_whole_answer(sdk: anthropic.AsyncAnthropic) -> None:
    """A question gets its answer, under the model's true name."""
    message = await sdk.messages.create(**ASK)
    assert (message.type, message.role, message.model) == ("message", "assistant", MODEL)
    (block,) = message.content
    assert block.type == "text"
    assert "Paris" in block.text
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0) > 20
    assert message.usage.output_tokens > 3


async def test_the_sdk_reads_a_stream(sdk: anthropic.AsyncAnthropic) -> None:
    """Through its helper, which is strict about order and indices."""
    async with sdk.messages.stream(**ASK) as stream:
        pieces = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()
    assert len(pieces) > 3
    (block,) = message.content
    assert block.type == "text"
    assert block.text == "".join(pieces)
    assert "Paris" in block.text
    assert message.usage.output_tokens > 3


async def test_the_sdk_counts(sdk: anthropic.AsyncAnthropic) -> None:
    """The whole conversation, and not only what of it would fit."""
    few = await sdk.messages.count_tokens(model="claude-sonnet-5-5", messages=ASK["messages"])
    assert 20 < few.input_tokens < 60
    long = [{"role": "user", "content": STORY * 300}]
    many = await sdk.messages.count_tokens(model="claude-sonnet-5-5", messages=long)  # type: ignore[arg-type]  # a plain dict
    assert 4_000 < many.input_tokens < 12_000


async def test_the_order_of_events(server: Server) -> None:
    """`message_start` and a ping before anything is read; the first block with the first words."""
    reply = await post(server, {**ASK, "stream": True}, **{"X-Request-Id": "r-1"})
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert (reply.headers["X-Served-By"], reply.headers["X-Model"]) == ("local", MODEL)
    assert reply.headers["request-id"] == "r-1"
    types = [event["type"] for event in events(reply.text)]
    assert types[:2] == ["message_start", "ping"]
    begin = types.index("content_block_start")
    assert set(types[2:begin]) <= {"ping"}
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(types[begin + 1 : -3]) <= {"content_block_delta", "ping"}


async def test_a_stream_that_waits_is_whole(server: Server) -> None:
    """Behind another answer: it begins at once and ends once."""
    (first, second) = await asyncio.gather(
        _chat(server), post(server, {**ASK, "stream": True, "messages": [{"role": "user", "content": "Hi"}]})
    )
    assert "[DONE]" in first.text
    types = [event["type"] for event in events(second.text)]
    assert types.count("message_stop") == 1
    assert types[:2] == ["message_start", "ping"]


async def _chat(server: Server) -> httpx.Response:
    return await post(server, long_answer(), "/v1/chat/completions")


async def test_an_answer_is_gone_on_with(server: Server) -> None:
    """An assistant message at the end is continued in mid-sentence."""
    messages = [*ASK["messages"], {"role": "assistant", "content": "The capital of France is"}]
    body = (await post(server, {**ASK, "messages": messages})).json()
    assert body["content"][0]["text"].startswith(" Paris")


@pytest.mark.parametrize(
    ("fields", "reason", "stop"),
    [({"max_tokens": 2}, "max_tokens", None), ({"stop_sequences": ["Paris"]}, "stop_sequence", "Paris")],
)
async def test_why_it_ended(server: Server, fields: dict[str, Any], reason: str, stop: str | None) -> None:
    """The length, or which stop sequence."""
    body = (await post(server, {**ASK, **fields})).json()
    assert (body["stop_reason"], body["stop_sequence"]) == (reason, stop)
    if stop:
        assert stop not in body["content"][0]["text"]


@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        ([TOOL], {"type": "tool", "name": "get_weather"}),
        ([TOOL], {"type": "any"}),
        ([TOOL, {**TOOL, "name": "get_time"}], {"type": "any"}),
    ],
    ids=["named", "any of one", "any of two"],
)
async def test_a_forced_tool_is_called(
    sdk: anthropic.AsyncAnthropic, tools: list[dict[str, Any]], choice: dict[str, Any]
) -> None:
    """By a grammar: the arguments are what the tool's schema says, streamed and whole."""
    body: dict[str, Any] = {**ASK, "max_tokens": 100, "tools": tools, "tool_choice": choice}
    async with sdk.messages.stream(**body) as stream:
        streamed = await stream.get_final_message()
    for message in (await sdk.messages.create(**body), streamed):
        (block,) = [each.model_dump() for each in message.content]
        assert block["type"] == "tool_use"
        assert block["name"] in {tool["name"] for tool in tools}
        assert block["input"].keys() == {"city"}
        assert message.stop_reason == "tool_use"


async def test_a_forced_tool_in_chat_completions(server: Server) -> None:
    """The same call, as OpenAI's clients read it."""
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY_SCHEMA}}]
    body = {"messages": ASK["messages"], "tools": tools, "tool_choice": "required"}
    reply = (await post(server, body, "/v1/chat/completions")).json()["choices"][0]
    assert reply["finish_reason"] == "tool_calls"
    (call,) = reply["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]).keys() == {"city"}


async def test_structured_output(server: Server) -> None:
    """A required JSON schema is kept to."""
    wanted = {"format": {"type": "json_schema", "schema": CITY_SCHEMA}}
    body = (await post(server, {**ASK, "output_config": wanted})).json()
    assert json.loads(body["content"][0]["text"]).keys() == {"city"}


async def test_tools_that_are_only_offered_are_dropped(server: Server) -> None:
    """A small model that is not told of them answers in words."""
    without = (await post(server, ASK)).json()
    offered = (await post(server, {**ASK, "tools": [TOOL] * 20})).json()
    assert "Paris" in offered["content"][0]["text"]
    assert _input_tokens(offered) == _input_tokens(without)


def _input_tokens(body: dict[str, Any]) -> int:
    usage: dict[str, int] = body["usage"]
    return usage["input_tokens"] + usage["cache_read_input_tokens"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"system": 5}, "system"),
        ({"messages": []}, "messages"),
        ({"tool_choice": {"type": "perhaps"}}, "tool_choice"),
    ],
)
async def test_the_sdk_reads_refusals(sdk: anthropic.AsyncAnthropic, fields: dict[str, Any], words: str) -> None:
    """400 in Anthropic's shape, and it says why."""
    with pytest.raises(anthropic.BadRequestError) as caught:
        await sdk.messages.create(**{**ASK, **fields})
    body: Any = caught.value.body
    assert body["error"]["type"] == "invalid_request_error"
    assert words in body["error"]["message"]
    assert body["request_id"] == caught.value.request_id


@pytest.mark.parametrize("schema", [{"$ref": "https://example.com/x"}, {"type": "string"}, {"anyOf": []}])
async def test_parameters_that_cannot_be_held_are_an_object(sdk: anthropic.AsyncAnthropic, schema: Any) -> None:
    """A call all the same, with whatever arguments the model makes of it, as far as they come to an end."""
    tools = [{**TOOL, "input_schema": schema}]
    reply = await sdk.messages.create(**{**ASK, "max_tokens": 300, "tools": tools, "tool_choice": {"type": "any"}})
    assert reply.stop_reason in ("tool_use", "max_tokens")
    assert reply.stop_reason == "max_tokens" or isinstance(reply.content[0].input, dict)


async def test_a_full_queue_refuses_in_the_dialect(server: Server) -> None:
    """An overload error with a time to come back."""
    async with server.client() as client:
        running = [asyncio.create_task(_chat(server)) for _ in range(4)]
        await asyncio.to_thread(until, lambda: server.get("/healthz").json()["queue_depth"] == 4)
        refused = await client.post(MESSAGES, json=ASK)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    await asyncio.to_thread(until, lambda: server.get("/healthz").json()["queue_depth"] == 0)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["type"] == "error"
    assert refused.json()["error"]["type"] == "overloaded_error"
    assert server.metric("pilotlight_local_shed_total", cause="queue_full") >= 1


@pytest.mark.parametrize(("method", "path", "status"), [("GET", MESSAGES, 405), ("POST", f"{MESSAGES}/batches", 404)])
async def test_what_is_not_served_says_so_in_the_dialect(server: Server, method: str, path: str, status: int) -> None:
    """Errors of the router, too."""
    async with server.client() as client:
        reply = await client.request(method, path)
    assert reply.status_code == status
    assert reply.json()["type"] == "error"


async def test_counting_mistakes_are_refused_in_the_dialect(server: Server) -> None:
    """And counting names who counted."""
    refused = await post(server, {"messages": "hi"}, f"{MESSAGES}/count_tokens")
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert refused.headers["X-Served-By"] == "local"
