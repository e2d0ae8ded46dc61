"""Anthropic's clients cannot tell Pilot Light from the real thing, but for its headers and the notice."""

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import anthropic as sdk
import httpx
import orjson
import pytest

from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_NOTICE as NOTICE
from message_stream import stream_message
from stack import Stack, wait_for

LOCAL_MODEL = "SmolLM2-135M-Instruct"
QUESTION = "What is the capital of France?"
VERSION = {"anthropic-version": "2023-06-01"}
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
# Nothing here is as this version of the API would write it, and all of it must arrive.
ODD_STREAM = (
    'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    '"model":"claude-z","content":[],"usage":{"input_tokens":7,"output_tokens":1}, "future":1e2}}\n\n'
    'event: ping\ndata: {"type": "ping"}\n\nevent: future_event\ndata: {"type":"future_event"}\n\n'
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"future"}}\n\n'
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0, "delta":{"type":"future_delta"}}\n\n'
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":0              }\n\n'
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    '"usage":{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"      }\n\n'
)
ODD_WHOLE = '{"type":"message" , "id":"msg_1", "model":"claude-z", "content":[ {"type":"future"} ], "usage":{}}\n'
ODD_REFUSAL = '{"type":"error" , "error":{"type":"invalid_request_error","message":"no"}, "request_id":"req_7"}'
LIMITS = {"request-id": "req_7", "anthropic-ratelimit-requests-remaining": "41"}


def ask(stack: Stack, question: str = QUESTION, path: str = "/v1/messages", **fields: Any) -> httpx.Response:
    """One Messages request through the edge."""
    headers = {**VERSION, **fields.pop("headers", {})}
    body = {"model": "pilot", "max_tokens": 24, "messages": [{"role": "user", "content": question}], **fields}
    return stack.client.post(path, json=body, headers=headers)


@pytest.fixture
def keyless_client(keyless: Stack) -> Iterator[sdk.Anthropic]:
    """Anthropic's SDK, on the stack without a key."""
    with sdk.Anthropic(base_url=keyless.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def client(keyed: Stack) -> Iterator[sdk.Anthropic]:
    """Anthropic's SDK, on the stack with a key; by the base URL that some clients want."""
    with sdk.Anthropic(base_url=f"{keyed.url}/anthropic", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/anthropic/v1/messages?beta=true"])
@pytest.mark.parametrize(
    ("said", "content_type", "status"),
    [
        (ODD_STREAM, "text/event-stream", 200),
        (ODD_WHOLE, "application/json", 200),
        (ODD_REFUSAL, "application/json", 400),
    ],
    ids=["stream", "whole", "refused"],
)
def test_bytes_pass_through(
    keyed: Stack, anthropic: FakeAnthropic, path: str, said: str, content_type: str, status: int
) -> None:
    """The request's bytes, query and headers up, the answer's bytes and headers down; only the key is ours."""
    anthropic.script(body=said, content_type=content_type, status=status, headers=LIMITS)
    stream = b"true" if content_type != "application/json" else b"false"
    body = (
        b'{ "messages":[{"content":"Hi","role":"user"}],"stream":%b, "max_tokens":9,\n"model":"claude-z","x":1.50}'
        % stream
    )
    headers = {"content-type": "application/json", "anthropic-version": "2026-10-21", "anthropic-beta": "a,b"}
    keys = {"x-api-key": "sk-theirs", "authorization": "Bearer sk-theirs"}
    response = keyed.client.post(path, content=body, headers={**headers, **keys, "user-agent": "some-client/1"})

    assert (response.status_code, response.content) == (status, said.encode())
    assert {name: response.headers[name] for name in LIMITS} == LIMITS
    assert response.headers["X-Served-By"] == "claude"
    assert "X-Fallback-Reason" not in response.headers
    asked = anthropic.requests()[-1]
    assert asked["path"] == "/v1/messages?beta=true"
    assert asked["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert {name: asked["headers"][name] for name in headers} == headers
    assert asked["headers"]["user-agent"] == "some-client/1"
    assert asked["headers"]["authorization"].endswith("6789")
    assert "x-api-key" not in asked["headers"]


@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages", "/v1/messages/count_tokens"])
def test_all_lines_of_a_header_reach_claude(keyed: Stack, anthropic: FakeAnthropic, path: str) -> None:
    """Some clients write one beta a line: each of them arrives."""
    body = {"model": "claude-z", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    lines = [*VERSION.items(), ("anthropic-beta", "a"), ("anthropic-beta", "b"), ("anthropic-beta", "c")]
    assert keyed.client.post(path, json=body, headers=lines).headers["X-Served-By"] == "claude"
    assert anthropic.requests()[-1]["headers"]["anthropic-beta"] == "a, b, c"


def test_the_sdk_talks_to_claude(client: sdk.Anthropic, anthropic: FakeAnthropic) -> None:
    """Whole and through the strict stream helper, with thinking and a tool; nothing is added."""
    message = client.messages.create(
        model="claude-opus-5-5", max_tokens=50, messages=[{"role": "user", "content": "Hi"}]
    )
    assert (message.model, message._request_id is not None) == ("claude-opus-5-5", True)
    assert message.content[0].type == "text"
    assert message.content[0].text == "Claude here. You said: Hi"

    anthropic.script(thinking="Let me see.", tool_use={"name": "get_weather", "input": {"city": "Paris"}})
    with client.messages.stream(
        model="claude-opus-5-5",
        max_tokens=5000,
        messages=[{"role": "user", "content": "Weather?"}],
        tools=[WEATHER],  # type: ignore[list-item]  # a plain dict is what people pass
    ) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use"]
    assert final.content[-1].to_dict()["input"] == {"city": "Paris"}
    assert (final.stop_reason, final.usage.output_tokens > 1) == ("tool_use", True)


def test_each_event_of_claudes_is_here_before_the_next_is_made(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Nothing on the way waits for more."""
    anthropic.script(chunks=5, chunk_interval_seconds=0.4)
    streamed = stream_message(keyed.client, max_tokens=100)
    arrived = [
        at
        for event, at in zip(streamed.events, streamed.arrived_seconds, strict=True)
        if event["type"] == "content_block_delta"
    ]
    assert len(arrived) == 5
    assert arrived[-1] - arrived[0] > 1.2, "they came together"
    assert all(later > earlier for earlier, later in itertools.pairwise(arrived))


def test_the_notice_comes_first_and_once(keyless: Stack, keyless_client: sdk.Anthropic) -> None:
    """In an outage the SDKs' helper reads notice and answer as one text; the next turn is not told again."""
    opening: Any = [{"role": "user", "content": f"{QUESTION} (streamed)"}]
    with keyless_client.messages.stream(model="claude-x", max_tokens=24, messages=opening) as stream:
        final = stream.get_final_message()
        served_by = stream.response.headers["X-Served-By"]
    assert (served_by, final.model, len(final.content)) == ("local", LOCAL_MODEL, 1)
    assert final.content[0].type == "text"
    notice, _, answer = final.content[0].text.partition("\n\n")
    assert notice == NOTICE
    assert "Paris" in answer
    assert final.stop_reason in ("end_turn", "max_tokens")
    assert final.usage.output_tokens > 0

    turn: Any = [*opening, {"role": "assistant", "content": final.content}, {"role": "user", "content": "Thanks!"}]
    again = keyless_client.messages.create(model="claude-x", max_tokens=8, messages=turn)
    assert again.content[0].type == "text"
    assert NOTICE not in again.content[0].text


def test_a_whole_answer_of_locals_says_who_it_is(keyless: Stack) -> None:
    """Notice, headers, true model, request id."""
    response = ask(keyless, f"{QUESTION} (whole)", temperature=0)
    assert response.status_code == 200
    message = response.json()
    notice, _, answer = message["content"][0]["text"].partition("\n\n")
    assert (notice, message["model"]) == (NOTICE, LOCAL_MODEL)
    assert "Paris" in answer
    headers = response.headers
    assert (headers["X-Served-By"], headers["X-Fallback-Reason"], headers["X-Model"]) == (
        "local",
        "no_key",
        LOCAL_MODEL,
    )
    assert len(headers.get_list("request-id")) == 1


def test_the_notice_is_there_before_the_answer_is_thought_of(keyless: Stack) -> None:
    """message_start and the notice arrive while the prompt is still being read."""
    long = "one two three four five six seven eight nine ten " * 200
    streamed = stream_message(keyless.client, question=f"{long} What did I count?", max_tokens=4)
    first_delta = next(i for i, event in enumerate(streamed.events) if event["type"] == "content_block_delta")
    assert streamed.events[first_delta]["delta"]["text"] == f"{NOTICE}\n\n"
    assert streamed.arrived_seconds[first_delta] < streamed.arrived_seconds[-1] / 2


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": {"X-Pilot-Notice": "off"}},
        {"model": "local"},
        {"model": LOCAL_MODEL},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"tools": [WEATHER], "tool_choice": {"type": "any"}},
    ],
    ids=["switched off", "local by name", "the model's own name", "JSON", "a forced tool"],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_no_notice_where_it_would_spoil_the_answer(keyless: Stack, fields: dict[str, Any], streamed: bool) -> None:
    """Asked for by name it is no fallback either."""
    if streamed:
        answer = stream_message(keyless.client, **fields)
        headers, said = answer.headers, orjson.dumps(answer.blocks).decode()
    else:
        response = ask(keyless, **fields)
        assert response.status_code == 200, response.text
        headers, said = response.headers, response.text
    assert "smaller brain" not in said
    assert headers["X-Served-By"] == "local"
    assert ("X-Fallback-Reason" in headers) == ("model" not in fields)


def test_notices_are_out_of_the_history_before_claude_sees_it(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """The rest of the request stays as it was."""
    history = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": f"{NOTICE}\n\nHello."}]},
        {"role": "user", "content": f"You said: {NOTICE}"},
    ]
    assert ask(keyed, messages=history, metadata={"user_id": "u"}).headers["X-Served-By"] == "claude"
    seen = anthropic.requests()[-1]["body"]
    [said] = seen["messages"][1]["content"]
    assert (NOTICE in said["text"], said["text"].endswith("\n\nHello.")) == (False, True)  # labelled for Claude instead
    assert seen["messages"][2] == history[2]
    assert seen["metadata"] == {"user_id": "u"}


def test_an_outage_is_answered(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Whole, streamed and counted: by the local model, with the reason. (Every fault: see tests/chaos.)"""
    anthropic.script(refuse=True)
    whole = ask(keyed, "Say hello. (outage)")
    streamed = stream_message(keyed.client, question="Say hello. (outage, streamed)")
    counted = ask(keyed, path="/v1/messages/count_tokens")
    for answer in (whole, streamed, counted):
        assert (answer.headers["X-Served-By"], answer.headers["X-Fallback-Reason"]) == ("local", "connect")
    assert whole.json()["content"][0]["text"].startswith(NOTICE)
    assert streamed.text.startswith(NOTICE)
    assert len(streamed.text) > len(NOTICE) + 2
    assert counted.json()["input_tokens"] > 0
    anthropic.reset()
    keyed.wait_for_backend("claude", 40)


def test_tokens_are_counted_by_whoever_is_on(
    keyed: Stack, keyless_client: sdk.Anthropic, anthropic: FakeAnthropic
) -> None:
    """Claude's count while it is on, the local tokenizer's without a key."""
    counted = ask(keyed, path="/v1/messages/count_tokens")
    assert (counted.headers["X-Served-By"], counted.json()) == ("claude", {"input_tokens": 11})
    assert anthropic.requests()[-1]["path"] == "/v1/messages/count_tokens"
    few, many = (
        keyless_client.messages.count_tokens(model="m", messages=[{"role": "user", "content": words}]).input_tokens
        for words in ("Hi", "one two three four five six seven")
    )
    assert 0 < few < many


MISTAKES: list[tuple[str, dict[str, Any], int, str]] = [
    ("no max_tokens", {"max_tokens": None}, 400, "max_tokens: Field required"),
    ("no messages", {"messages": []}, 400, "messages: "),
    ("a bad stream", {"stream": "yes"}, 400, "stream: "),
    ("another content type", {"headers": {"content-type": "text/plain"}}, 415, "Content-Type"),
]


@pytest.mark.parametrize(("why", "fields", "status", "words"), MISTAKES, ids=[case[0] for case in MISTAKES])
def test_a_mistake_is_answered_in_anthropics_shape(
    keyed: Stack, keyless: Stack, why: str, fields: dict[str, Any], status: int, words: str
) -> None:
    """The same with and without Claude, with a request id."""
    for stack in (keyed, keyless):
        response = ask(stack, **fields)
        body = response.json()
        assert (response.status_code, body["type"], body["error"]["type"]) == (status, "error", "invalid_request_error")
        assert words in body["error"]["message"]
        assert body["request_id"] == response.headers["request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/messages", 405), ("POST", "/anthropic/v1/nothing", 404)]
)
def test_wrong_paths_and_methods_are_answered_in_anthropics_shape(
    keyless: Stack, method: str, path: str, status: int
) -> None:
    """An error object, and the status says which mistake it was."""
    response = keyless.client.request(method, path)
    assert (response.status_code, response.json()["type"]) == (status, "error")


@pytest.mark.parametrize("path", ["/v1/props", "/api/tags", "/version", "/api/v1/models"])
def test_other_servers_probes_find_nothing(keyless: Stack, path: str) -> None:
    """Agents that look which kind of server this is get a plain 404."""
    assert keyless.client.get(path).status_code == 404


def test_models_are_listed_in_the_callers_dialect(keyed: Stack, keyless: Stack, client: sdk.Anthropic) -> None:
    """Claude's own list, pilot and local, with windows that agents accept; without Claude, the names still stand."""
    listed = {model.id: model for model in client.models.list(limit=1000)}
    assert {"pilot", "claude-opus-5-5", "claude-sonnet-5-5", "local", LOCAL_MODEL} <= set(listed)
    assert listed["claude-opus-5-5"].display_name == "Claude Opus 5.5"
    assert client.models.retrieve("pilot").max_input_tokens == 200_000
    assert len(client.models.list(limit=2).data) == 2
    assert len(list(client.models.list(limit=2))) == len(listed)

    entries = {model["id"]: model for model in keyed.client.get("/v1/models").json()["data"]}
    assert set(entries) == set(listed)
    for name in ("pilot", "claude-opus-5-5"):
        assert (entries[name]["object"], entries[name]["context_length"]) == ("model", 200_000)
    assert entries["local"]["context_length"] < 64_000, "its own window, not Claude's"

    outage = keyless.client.get("/v1/models", headers={"x-api-key": "none"}).json()
    assert outage["has_more"] is False
    assert {"pilot", "claude-sonnet-5-5", "local", LOCAL_MODEL} == {model["id"] for model in outage["data"]}
    missing = keyless.client.get("/v1/models/gpt-nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


def test_a_client_that_leaves_stops_claudes_work(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Closing the connection closes it all the way up."""
    anthropic.script(chunks=1000, chunk_interval_seconds=0.05)
    aborted = anthropic.stats()["streams_aborted_by_client"]
    body = {"model": "pilot", "max_tokens": 2000, "messages": [{"role": "user", "content": "go on"}], "stream": True}
    with keyed.client.stream("POST", "/v1/messages", json=body, headers=VERSION) as response:
        next(response.iter_lines())
    wait_for("the stand-in sees the client gone", lambda: anthropic.stats()["streams_aborted_by_client"] > aborted)


def test_both_dialects_are_counted_apart(keyless: Stack) -> None:
    """The metrics' label says which API was spoken."""
    assert ask(keyless).status_code == 200
    assert 'pilotlight_requests_total{backend="local",dialect="anthropic",outcome="ok"}' in keyless.metrics("gateway")
