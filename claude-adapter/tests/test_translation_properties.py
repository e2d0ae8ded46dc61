"""What holds for every conversation and every stream, not only for those that someone thought of."""

import base64
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from claude_adapter.translation.chunks import ChunkedReply
from claude_adapter.translation.reply import WholeReply
from claude_adapter.translation.request import to_messages
from fake_anthropic.validation import check_messages_request

Json = dict[str, Any]

# Always the same examples: a run that fails can be run again, and a chance find does not stop somebody else's work.
_steady = settings(max_examples=150, deadline=None, derandomize=True, database=None)

MODELS = [
    "pilot",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-haiku-5-5",
    "claude-sonnet-5",
    "claude-fable-5-1",
    "claude-opus-4-7",
    "claude-sonnet-4-6",
    "claude-opus-4-5",
    "claude-haiku-4-5",
    "claude-sonnet-4-20250514",
    "claude-3-5-haiku-20241022",
]
PDF = base64.b64encode(b"%PDF-1.4 small").decode()

words = st.text(st.characters(codec="utf-8"), max_size=12)
some_words = words.filter(str.strip)
ids = st.sampled_from(["call_0", "call_0_2", "call.0", "toolu_01", "näh", "x" * 70])
names = st.sampled_from(["look", "get_weather", "mcp-find"])
values = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | words, lambda inner: st.lists(inner, max_size=2))
arguments = st.just("") | st.dictionaries(words, values, max_size=2).map(lambda given: orjson.dumps(given).decode())


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object of which any field may be missing."""
    return st.fixed_dictionaries({}, optional=fields)


def schemas() -> st.SearchStrategy[Json]:
    """JSON schemas, in Claude's subset and beyond."""
    plain = st.sampled_from(["string", "integer", "boolean", "null", ["string", "null"], ["integer", "object"]])
    leaf = st.fixed_dictionaries(
        {"type": plain},
        optional={
            "minimum": st.integers(0, 3),
            "format": st.sampled_from(["date", "regex"]),
            "enum": st.lists(words, min_size=1, max_size=2),
            "description": words,
        },
    )

    def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
        properties = st.dictionaries(words, inner, max_size=3)
        closed = st.sampled_from([False, False, True, None])
        return st.one_of(
            st.builds(
                lambda given, open_: {
                    "type": "object",
                    "properties": given,
                    "required": list(given)[:1],
                    **({} if open_ is None else {"additionalProperties": open_}),
                },
                properties,
                closed,
            ),
            inner.map(lambda items: {"type": "array", "items": items, "minItems": 2}),
            st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches}),
            st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"allOf": branches}),
        )

    return grown(st.recursive(leaf, grown, max_leaves=4))


text_parts = words.map(lambda text: {"type": "text", "text": text})
rich_parts = st.one_of(
    text_parts,
    st.sampled_from(
        [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}},
            {"type": "image_url", "image_url": {"url": "https://pictures.example/a.webp"}},
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_data": "data:text/plain;base64,SGk="}},
        ]
    ),
)
rich = words | st.lists(rich_parts, max_size=3)
calls = st.builds(
    lambda call_id, name, given: {"id": call_id, "type": "function", "function": {"name": name, "arguments": given}},
    ids,
    names | st.just("weather.get") | words,
    arguments,
)
system = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer"]), "content": words | st.lists(text_parts)}
)
user = st.fixed_dictionaries({"role": st.just("user"), "content": rich})
assistant = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.none() | words | st.lists(text_parts, max_size=2)},
    optional={"tool_calls": st.lists(calls, max_size=3), "reasoning_content": words},
)
tool = st.fixed_dictionaries(
    {"role": st.just("tool"), "tool_call_id": ids, "content": rich}, optional={"is_error": st.booleans()}
)
something_said = st.fixed_dictionaries({"role": st.just("user"), "content": some_words})
conversations = st.builds(
    lambda before, said, after: [*before, said, *after],
    st.lists(st.one_of(system, user, assistant, tool), max_size=5),
    something_said,
    st.lists(st.one_of(user, assistant, tool), max_size=5),
)


@st.composite
def requests(draw: st.DrawFn) -> Json:
    """A valid Chat Completions request."""
    request: Json = {"model": draw(st.sampled_from(MODELS)), "messages": draw(conversations)}
    request |= draw(
        maybe(
            max_tokens=st.integers(1, 5000),
            max_completion_tokens=st.integers(1, 100_000),
            temperature=st.floats(0, 2),
            top_p=st.floats(0, 1),
            top_k=st.integers(-1, 50),
            stop=words | st.lists(words, max_size=4),
            user=words | st.just("u" * 400),
            seed=st.integers(0, 9),
            reasoning_effort=st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
            thinking=st.sampled_from(
                [{"type": "enabled", "budget_tokens": 2000}, {"type": "adaptive"}, {"type": "disabled"}]
            ),
            parallel_tool_calls=st.booleans(),
            response_format=st.sampled_from([{"type": "text"}, {"type": "json_object"}])
            | schemas().map(lambda schema: {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}),
        )
    )
    offered = draw(st.lists(names, unique=True, max_size=3))
    if offered:
        parameters: st.SearchStrategy[Json | None] = st.none() | schemas() | st.just({})
        request["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": draw(parameters)}} for name in offered
        ]
        one = st.sampled_from(offered).map(lambda name: {"type": "function", "function": {"name": name}})
        some = st.builds(
            lambda mode, tools: {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}},
            st.sampled_from(["auto", "required"]),
            st.lists(one, min_size=1, max_size=2),
        )
        request["tool_choice"] = draw(st.sampled_from([None, "auto", "none", "required"]) | one | some)
    return request


OPEN_CALL = [
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "look", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "a", "content": "sunny"},
]


@_steady
@example({"model": "claude-haiku-4-5", "messages": OPEN_CALL, "reasoning_effort": "high"})
@example({"model": "claude-opus-4-6", "messages": OPEN_CALL, "reasoning_effort": "xhigh"})
@given(requests())
def test_claude_takes_whatever_openai_takes(request: Json) -> None:
    """No valid request is refused here, and none becomes one that Claude would refuse."""
    given_request = orjson.dumps(request)
    body = to_messages(request, "claude-sonnet-5-5", 8192)
    check_messages_request(orjson.dumps(body), "2023-06-01")
    assert orjson.dumps(request) == given_request, "the client's request was changed"


pieces = st.lists(words, max_size=4)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Json, list[Json]]:
    """A content block as it starts, and its deltas."""
    kind = draw(st.sampled_from(["text", "thinking", "tool_use", "tool_use_at_once", "redacted_thinking", "new_kind"]))
    if kind == "text":
        begun = {"type": "text", "text": draw(words)}
        return begun, [{"type": "text_delta", "text": piece} for piece in draw(pieces)]
    if kind == "thinking":
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in draw(pieces)]
        return {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, {"type": "signature_delta"}]
    if kind == "tool_use":
        whole = draw(st.dictionaries(words, values, max_size=2).map(lambda value: orjson.dumps(value).decode()))
        cut = draw(st.integers(0, len(whole)))
        parts = [{"type": "input_json_delta", "partial_json": part} for part in ("", whole[:cut], whole[cut:])]
        return {"type": "tool_use", "id": draw(ids), "name": draw(names), "input": {}}, parts
    if kind == "tool_use_at_once":
        return {"type": "tool_use", "id": draw(ids), "name": draw(names), "input": {"a": draw(values)}}, []
    return {"type": kind, "data": "x"}, [{"type": "new_delta", "data": "y"}] if kind == "new_kind" else []


@st.composite
def streams(draw: st.DrawFn) -> list[Json]:
    """The events of a whole Messages stream, in the API's order."""
    count = st.integers(0, 999)
    cache = maybe(cache_read_input_tokens=count | st.none(), cache_creation_input_tokens=count)
    usage = {"input_tokens": draw(count), "output_tokens": 1, **draw(cache)}
    events: list[Json] = [{"type": "message_start", "message": {"model": "claude-true", "usage": usage}}]
    for index, (block, deltas) in enumerate(draw(st.lists(blocks(), max_size=4))):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    reasons = ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "something_new"]
    ended = {"output_tokens": draw(count), **draw(maybe(output_tokens_details=st.just({"thinking_tokens": 3})))}
    events.append({"type": "message_delta", "delta": {"stop_reason": draw(st.sampled_from(reasons))}, "usage": ended})
    for position in sorted(draw(st.lists(st.integers(1, len(events)), max_size=3)), reverse=True):
        events.insert(position, {"type": "ping"})
    return [*events, {"type": "message_stop"}]


def assembled(sent: bytes) -> Json:
    """A stream of chunks put together as clients do it."""
    *lines, done, end = sent.split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    message: Json = {"role": None, "content": "", "reasoning_content": "", "tool_calls": []}
    whole: Json = {"finish_reasons": []}
    for line in lines:
        chunk = orjson.loads(line.removeprefix(b"data: "))
        assert chunk["object"] == "chat.completion.chunk"
        whole |= {name: chunk[name] for name in ("id", "created", "model")}
        whole["usage"] = chunk["usage"]
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["role"] = delta.get("role") or message["role"]
            message["content"] += delta.get("content") or ""
            message["reasoning_content"] += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", ()):
                if call["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append(
                        {"id": call["id"], "type": call["type"], "function": {"arguments": ""}}
                    )
                    message["tool_calls"][-1]["function"]["name"] = call["function"]["name"]
                message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"]["arguments"]
            if choice["finish_reason"]:
                whole["finish_reasons"].append(choice["finish_reason"])
    return whole | {"message": message}


@_steady
@example([{"type": "message_stop"}])
@given(streams())
def test_chunks_tell_what_the_whole_tells(events: list[Json]) -> None:
    """Put together, the chunks of any stream are the whole reply; every call's arguments are JSON."""
    chunked = ChunkedReply("chatcmpl-1", 1000, "claude-asked", include_usage=True)
    whole = WholeReply("chatcmpl-1", 1000, "claude-asked")
    sent = b""
    for event in events:
        sent += chunked.feed(event)
        assert whole.feed(event) == b""
    assert whole.ended
    streamed, body = assembled(sent), orjson.loads(whole.body())
    assert streamed["finish_reasons"] == [body["choices"][0]["finish_reason"]]
    assert {name: streamed[name] for name in ("id", "created", "model", "usage")} == {
        name: body[name] for name in ("id", "created", "model", "usage")
    }
    message = body["choices"][0]["message"]
    assert streamed["message"] == {
        "role": "assistant",
        "content": message["content"] or "",
        "reasoning_content": message.get("reasoning_content", ""),
        "tool_calls": message.get("tool_calls", []),
    }
    for call in message.get("tool_calls", ()):
        assert isinstance(orjson.loads(call["function"]["arguments"]), dict)
