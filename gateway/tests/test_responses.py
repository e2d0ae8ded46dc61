"""Responses requests as Chat Completions requests, and the replies back."""

from typing import Any

import orjson
import pytest
from openai.types.responses import Response as SdkResponse

from gateway.dialects.errors import OpenAIError
from gateway.dialects.responses.reply import ResponseEvents, whole
from gateway.dialects.responses.request import read_responses_request, to_chat

Json = dict[str, Any]


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def call(call_id: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}


def item_call(call_id: str) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}


ASKED: list[tuple[str, Json, Json]] = [
    # why it exists, the Responses request, the Chat Completions request
    ("text", {"model": "m", "input": "Hi"}, {"model": "m", "messages": [user("Hi")]}),
    (
        "instructions",
        {"input": "Hi", "instructions": "Be brief."},
        {"messages": [{"role": "system", "content": "Be brief."}, user("Hi")]},
    ),
    ("a short item", {"input": [user("Hi")]}, {"messages": [user("Hi")]}),
    (
        "parts",
        {
            "input": [
                user(
                    [
                        {"type": "input_text", "text": "What is this?"},
                        {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
                        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
                    ]
                )
            ]
        },
        {
            "messages": [
                user(
                    [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
                        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}},
                    ]
                )
            ]
        },
    ),
    (
        "a conversation with tools",
        {
            "input": [
                user("Weather?"),
                {"type": "reasoning", "summary": []},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
                item_call("a"),
                item_call("b"),
                {"type": "function_call_output", "call_id": "a", "output": "sun"},
                {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "rain"}]},
            ]
        },
        {
            "messages": [
                user("Weather?"),
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "I look."}],
                    "tool_calls": [call("a"), call("b")],
                },
                {"role": "tool", "tool_call_id": "a", "content": "sun"},
                {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "rain"}]},
            ]
        },
    ),
    (
        "a bare call",
        {"input": [user("Weather?"), item_call("a")]},
        {"messages": [user("Weather?"), {"role": "assistant", "content": None, "tool_calls": [call("a")]}]},
    ),
    (
        "function tools only",
        {
            "input": "Hi",
            "tools": [
                {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True},
                {"type": "web_search"},
            ],
            "tool_choice": {"type": "function", "name": "f"},
        },
        {
            "messages": [user("Hi")],
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
            ],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
    ),
    (
        "a choice without a tool left",
        {"input": "Hi", "tools": [{"type": "web_search"}], "tool_choice": "required"},
        {"messages": [user("Hi")]},
    ),
    (
        "a schema",
        {"input": "Hi", "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}},
        {
            "messages": [user("Hi")],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        },
    ),
    (
        "settings",
        {
            "input": "Hi",
            "stream": True,
            "max_output_tokens": 9,
            "temperature": 0.5,
            "top_p": 1,
            "reasoning": {"effort": "low"},
            "store": True,
            "text": {"format": {"type": "text"}},
            "previous_response_id": None,
        },
        {
            "messages": [user("Hi")],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_completion_tokens": 9,
            "temperature": 0.5,
            "top_p": 1,
            "reasoning_effort": "low",
        },
    ),
]


@pytest.mark.parametrize(("why", "asked", "chat"), ASKED, ids=[case[0] for case in ASKED])
def test_a_request_is_translated(why: str, asked: Json, chat: Json) -> None:
    """What was meant arrives as Chat Completions says it."""
    assert to_chat(read_responses_request(orjson.dumps(asked), "application/json")) == chat


WRONG: list[tuple[str, Any, str | None, str]] = [
    # why it exists, body, param, words in the message
    ("no body", b"", None, "not valid JSON"),
    ("an array", [], None, "expected an object"),
    ("something kept", {"input": "Hi", "previous_response_id": "resp_1"}, "previous_response_id", "send the whole"),
    ("a conversation", {"input": "Hi", "conversation": "conv_1"}, "conversation", "send the whole"),
    ("in the background", {"input": "Hi", "background": True}, "background", "ask and wait"),
    ("no input", {}, "input", "Missing required parameter: 'input'"),
    ("empty input", {"input": []}, "input", "empty"),
    ("input a number", {"input": 5}, "input", "a string or an array of items"),
    ("an item a string", {"input": ["Hi"]}, "input", "a string or an array of items"),
    ("a reference", {"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", "messages, function calls"),
    ("an odd role", {"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "user, assistant"),
    ("no content", {"input": [{"role": "user"}]}, "input[0].content", "a string or an array"),
    ("an odd part", {"input": [user([{"type": "audio"}])]}, "input[0].content[0].type", "input_text"),
    ("a part a string", {"input": [user(["x"])]}, "input[0].content[0]", "an object"),
    (
        "an image by id",
        {"input": [user([{"type": "input_image", "file_id": "f"}])]},
        "input[0].content[0].image_url",
        "",
    ),
    ("a call without a name", {"input": [{**item_call("a"), "name": None}]}, "input[0].name", "a string"),
    ("max_output_tokens zero", {"input": "Hi", "max_output_tokens": 0}, "max_output_tokens", "above 0"),
    ("a tool without a name", {"input": "Hi", "tools": [{"type": "function"}]}, "tools[0].name", "a string"),
]


@pytest.mark.parametrize(("why", "body", "param", "words"), WRONG, ids=[case[0] for case in WRONG])
def test_a_mistake_in_a_responses_request_is_named(why: str, body: Any, param: str | None, words: str) -> None:
    """A 400 that names the field; what leans on something kept says what to do instead."""
    with pytest.raises(OpenAIError) as caught:
        to_chat(read_responses_request(body if isinstance(body, bytes) else orjson.dumps(body), "application/json"))
    assert (caught.value.status, caught.value.param) == (400, param)
    assert words in caught.value.message


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 2}}


def completion(message: Json, finish_reason: str = "stop") -> Json:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "m"}
    return {**head, "choices": [choice], "usage": USAGE}


def chunk(delta: Json, finish_reason: str | None = None) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "created": 5, "model": "m", "choices": [choice], "usage": None}


def call_chunk(index: int, call_id: str | None, arguments: str) -> Json:
    head = {"id": call_id, "type": "function"} if call_id else {}
    function = {"arguments": arguments} | ({"name": "f"} if call_id else {})
    return chunk({"tool_calls": [{"index": index, **head, "function": function}]})


LAST = {"id": "chatcmpl-1", "created": 5, "model": "m", "choices": [], "usage": USAGE}

# why it exists, the whole completion, the same in chunks, what the items say, status
REPLIES: list[tuple[str, Json, list[Json], list[str], str]] = [
    (
        "text",
        completion({"content": "Hi there"}),
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hi"}), chunk({"content": " there"}, "stop")],
        ["Hi there"],
        "completed",
    ),
    (
        "thoughts, text, two calls",
        completion(
            {"reasoning_content": "Hm", "content": "I look.", "tool_calls": [call("a"), call("b")]}, "tool_calls"
        ),
        [
            chunk({"reasoning_content": "H"}),
            chunk({"reasoning_content": "m"}),
            chunk({"content": "I look."}),
            call_chunk(0, "a", ""),
            call_chunk(0, None, "{}"),
            call_chunk(1, "b", "{}"),
            chunk({}, "tool_calls"),
        ],
        ["Hm", "I look.", "a f {}", "b f {}"],
        "completed",
    ),
    (
        "a bare call",
        completion({"content": None, "tool_calls": [call("a")]}, "tool_calls"),
        [chunk({"role": "assistant", "content": ""}), call_chunk(0, "a", "{}"), chunk({}, "tool_calls")],
        ["a f {}"],
        "completed",
    ),
    (
        "too long",
        completion({"content": "Hi"}, "length"),
        [chunk({"content": "Hi"}), chunk({}, "length")],
        ["Hi"],
        "incomplete",
    ),
    ("nothing", completion({"content": ""}), [chunk({"role": "assistant"}), chunk({}, "stop")], [""], "completed"),
]


def said(output: list[Json]) -> list[str]:
    return [
        f"{item['call_id']} {item['name']} {item['arguments']}"
        if item["type"] == "function_call"
        else item["content"][0]["text"]
        for item in output
    ]


def events_of(chunks: list[Json | str]) -> list[Json]:
    events = ResponseEvents({"input": "Hi"})
    told = b"".join(events.feed(b"data: " + (c.encode() if isinstance(c, str) else orjson.dumps(c))) for c in chunks)
    parsed = []
    for raw in told.split(b"\n\n")[:-1]:
        name, data = raw.split(b"\n")
        parsed.append(orjson.loads(data.removeprefix(b"data: ")))
        assert name == b"event: " + parsed[-1]["type"].encode()
    assert [event["sequence_number"] for event in parsed] == list(range(len(parsed)))
    return parsed


@pytest.mark.parametrize(("why", "reply", "chunks", "words", "status"), REPLIES, ids=[case[0] for case in REPLIES])
def test_a_reply_is_the_same_whole_and_streamed(
    why: str, reply: Json, chunks: list[Json], words: list[str], status: str
) -> None:
    """The last event holds the very response that a unary request gets, and the SDK's type accepts it."""
    response = whole({"input": "Hi"}, reply)
    assert (said(response["output"]), response["status"]) == (words, status)
    assert response["usage"]["input_tokens_details"]["cached_tokens"] == 2
    SdkResponse.model_validate(response, strict=False)

    streamed = events_of([*chunks, LAST, "[DONE]"])
    assert [event["type"] for event in streamed[:2]] == ["response.created", "response.in_progress"]
    assert streamed[-1]["type"] == f"response.{status}"
    assert streamed[-1]["response"] == response


@pytest.mark.parametrize(("why", "reply", "chunks", "words", "status"), REPLIES, ids=[case[0] for case in REPLIES])
def test_each_item_is_begun_told_and_done(
    why: str, reply: Json, chunks: list[Json], words: list[str], status: str
) -> None:
    """Items do not overlap, and their deltas add up to what is said to be done."""
    open_index, deltas = None, ""
    done: list[Json] = []
    for event in events_of([*chunks, LAST, "[DONE]"]):
        match event["type"].removeprefix("response."):
            case "output_item.added":
                assert open_index is None
                open_index, deltas = event["output_index"], ""
                assert open_index == len(done)
            case "output_text.delta" | "reasoning_text.delta" | "function_call_arguments.delta":
                assert event["output_index"] == open_index
                deltas += event["delta"]
            case "output_item.done":
                item = event["item"]
                assert deltas == (item["arguments"] if item["type"] == "function_call" else item["content"][0]["text"])
                done.append(item)
                open_index = None
    assert said(done) == words


def test_a_broken_stream_fails() -> None:
    """An error event of Chat Completions is the end of the response: failed, with what had been said."""
    streamed = events_of([chunk({"content": "Hi"}), {"error": {"message": "It broke off.", "code": "broken_stream"}}])
    failed = streamed[-1]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": "server_error", "message": "It broke off."}
    assert said(failed["response"]["output"]) == ["Hi"]
