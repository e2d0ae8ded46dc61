"""Responses requests as Chat Completions requests, and the replies back."""

from typing import Any

import orjson
import pytest
from openai.types.responses import Response as SdkResponse

from gateway.dialects.chat_completions.request import read_chat_object
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
    ("neither type nor role", {"input": [{"content": "x"}]}, "input[0].role", "user, assistant"),
    ("an odd role", {"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "user, assistant"),
    ("no content", {"input": [{"role": "user"}]}, "input[0].content", "a string or an array"),
    ("a part without type", {"input": [user([{"text": "x"}])]}, "input[0].content[0].type", "a string"),
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


CUT_CALL = [call_chunk(0, "a", '{"command": "rm -r ')]
CUT_PATCH = [
    chunk({"tool_calls": [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "patch", "input": ""}}]}),
    chunk({"tool_calls": [{"index": 0, "custom": {"input": "*** Begin"}}]}),
]
BREAK = {"error": {"message": "It broke off.", "code": "broken_stream"}}

# why it exists, the chunks, how they end, the response's status, the events that would announce the item as whole
CUT: list[tuple[str, list[Json], list[Json | str], str, set[str]]] = [
    ("a call breaks off", CUT_CALL, [BREAK], "failed", {"response.function_call_arguments.done"}),
    (
        "the second call breaks off",
        [call_chunk(0, "b", "{}"), call_chunk(1, "a", '{"command": "rm')],
        [BREAK],
        "failed",
        set(),
    ),
    ("a patch breaks off", CUT_PATCH, [BREAK], "failed", {"response.custom_tool_call_input.done"}),
    ("words break off", [chunk({"content": "Hi"})], [BREAK], "failed", {"response.output_text.done"}),
    ("thoughts break off", [chunk({"reasoning_content": "H"})], [BREAK], "failed", {"response.reasoning_text.done"}),
    (
        "a call too long",
        CUT_CALL,
        [chunk({}, "length"), LAST, "[DONE]"],
        "incomplete",
        {"response.function_call_arguments.done"},
    ),
    ("words too long", [chunk({"content": "Hi"})], [chunk({}, "length"), LAST, "[DONE]"], "incomplete", set()),
]


@pytest.mark.parametrize(("why", "chunks", "ending", "status", "not_told"), CUT, ids=[case[0] for case in CUT])
def test_half_a_thing_is_not_announced_as_whole(
    why: str, chunks: list[Json], ending: list[Json | str], status: str, not_told: set[str]
) -> None:
    """An item that ends early is incomplete, wherever it is told, and a client runs no half of a command."""
    streamed = events_of([*chunks, *ending])
    assert streamed[-1]["type"] == f"response.{status}"
    assert streamed[-1]["response"]["status"] == status
    *earlier, last = streamed[-1]["response"]["output"]
    assert (last["status"], {item["status"] for item in earlier} <= {"completed"}) == ("incomplete", True)
    told = [event["item"] for event in streamed if event["type"] == "response.output_item.done"]
    assert told == [*earlier, last]
    assert not_told.isdisjoint(event["type"] for event in streamed)
    of_last = [event["type"] for event in streamed if event.get("item_id") == last["id"]]
    assert not any("arguments.done" in kind or "input.done" in kind for kind in of_last)


def test_a_whole_answer_that_was_too_long_is_incomplete() -> None:
    """Its last item, too."""
    response = whole({"input": "Hi"}, completion({"content": "I look.", "tool_calls": [call("a")]}, "length"))
    assert (response["status"], [item["status"] for item in response["output"]]) == (
        "incomplete",
        ["completed", "incomplete"],
    )


def test_a_custom_tool_is_called_with_its_text() -> None:
    """As the newer clients know it: whole, and as events of its own."""
    called = {"id": "a", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    response = whole({"input": "Hi"}, completion({"content": None, "tool_calls": [called]}, "tool_calls"))
    SdkResponse.model_validate(response, strict=False)
    [item] = response["output"]
    assert (item["type"], item["call_id"], item["name"], item["input"]) == (
        "custom_tool_call",
        "a",
        "patch",
        "*** Begin",
    )
    streamed = events_of([*CUT_PATCH, chunk({}, "tool_calls"), LAST, "[DONE]"])
    assert streamed[-1]["response"] == response
    kinds = [event["type"] for event in streamed if "custom_tool_call" in event["type"]]
    assert kinds == ["response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"]


def item(kind: str, **fields: Any) -> Json:
    return {"type": kind, **fields}


PATCH = item("custom_tool_call", call_id="c1", name="patch", input="*** Begin")
SHELL = item("local_shell_call", id="l1", call_id="c1", status="completed", action={"command": ["ls"]})

# why it exists, items behind a question, the messages behind it
ITEMS: list[tuple[str, list[Json], list[Json]]] = [
    (
        "a custom tool's call and its output",
        [PATCH, item("custom_tool_call_output", call_id="c1", output="Done.")],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "Done."},
        ],
    ),
    (
        "a shell's call and its output",
        [SHELL, item("local_shell_call_output", id="l1", call_id="c1", output="a.txt")],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "local_shell", "arguments": '{"action":{"command":["ls"]}}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "a.txt"},
        ],
    ),
    (
        "a computer's screen",
        [item("computer_call_output", call_id="c1", output={"type": "computer_screenshot", "image_url": "data:x"})],
        [{"role": "tool", "tool_call_id": "c1", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}],
    ),
    (
        "an output that is an object",
        [item("function_call_output", call_id="c1", output={"rows": 3})],
        [{"role": "tool", "tool_call_id": "c1", "content": '{"rows":3}'}],
    ),
    *(
        (kind, [item(kind, id="x", output="x", content="x")], [])
        for kind in (
            *("reasoning", "item_reference", "compaction", "telepathy"),
            *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"),
            *("mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response"),
        )
    ),
    ("a bare reference", [{"id": "msg_1"}], []),
    (
        "a file by its address",
        [user([item("input_file", file_url="https://x.example/a.pdf")])],
        [user([{"type": "file", "file": {"file_url": "https://x.example/a.pdf"}}])],
    ),
    (
        "a mark for the cache",
        [user([item("input_text", text="Long", cache_control={"type": "ephemeral"})])],
        [user([{"type": "text", "text": "Long", "cache_control": {"type": "ephemeral"}}])],
    ),
]


@pytest.mark.parametrize(("why", "items", "messages"), ITEMS, ids=[case[0] for case in ITEMS])
def test_an_item_is_understood_or_left_out(why: str, items: list[Json], messages: list[Json]) -> None:
    """No item of another client, or of a later one, ends a conversation."""
    body = {"input": [user("Hi"), *items]}
    chat = to_chat(read_responses_request(orjson.dumps(body), "application/json"))
    assert chat["messages"] == [user("Hi"), *messages]
    read_chat_object(chat)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "custom", "name": "patch"}, {"type": "custom", "custom": {"name": "patch"}}),
        ({"type": "web_search"}, "auto"),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
            },
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
        ),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]}, "required"),
    ],
)
def test_a_choice_among_tools_is_translated(choice: Json, expected: Any) -> None:
    """A custom tool is one of them; what OpenAI would run is not."""
    tools = [{"type": "function", "name": "f"}, {"type": "custom", "name": "patch"}, {"type": "web_search"}]
    chat = to_chat({"input": "Hi", "tools": tools, "tool_choice": choice})
    assert chat["tool_choice"] == expected
    read_chat_object(chat)


def test_a_broken_stream_fails() -> None:
    """An error event of Chat Completions is the end of the response: failed, with what had been said."""
    streamed = events_of([chunk({"content": "Hi"}), {"error": {"message": "It broke off.", "code": "broken_stream"}}])
    failed = streamed[-1]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": "server_error", "message": "It broke off."}
    assert said(failed["response"]["output"]) == ["Hi"]


def test_a_conversation_that_is_too_long_is_told_by_its_code() -> None:
    """Clients make it shorter then; every other failure is the server's."""
    failed = events_of([chunk({"content": "Hi"}), {"error": {"message": "x", "code": "context_length_exceeded"}}])[-1]
    assert failed["response"]["error"]["code"] == "context_length_exceeded"
