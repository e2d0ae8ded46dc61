"""Reading a Messages stream as it arrives, as strictly as the strictest of Anthropic's SDKs."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

Json = dict[str, Any]


@dataclass
class StreamedMessage:
    """A whole stream: head, events, bytes, and the message that its events add up to."""

    status: int
    headers: httpx.Headers
    raw: bytes = b""
    events: list[Json] = field(default_factory=list)
    arrived_seconds: list[float] = field(default_factory=list)

    @property
    def blocks(self) -> list[Json]:
        """The content blocks, their deltas joined."""
        return add_up(self.events)["content"]  # type: ignore[no-any-return]  # a list by construction

    @property
    def text(self) -> str:
        """The text of all text blocks."""
        return "".join(block["text"] for block in self.blocks if block["type"] == "text")

    @property
    def error(self) -> Json | None:
        """The error that ended the stream."""
        last = self.events[-1] if self.events else {}
        return last["error"] if last.get("type") == "error" else None

    @property
    def stop_reason(self) -> str | None:
        """Why the model stopped."""
        reason: str | None = add_up(self.events)["stop_reason"]
        return reason


def stream_message(
    client: httpx.Client, path: str = "/v1/messages", headers: dict[str, str] | None = None, **body: Any
) -> StreamedMessage:
    """Ask with `stream: true` and read to the end; anything out of order fails."""
    started = time.perf_counter()
    question = body.pop("question", "What is the capital of France?")
    request = {"model": "pilot", "max_tokens": 24, "messages": [{"role": "user", "content": question}], **body}
    head = {"anthropic-version": "2023-06-01", **(headers or {})}
    with client.stream("POST", path, json={**request, "stream": True}, headers=head) as response:
        streamed = StreamedMessage(response.status_code, response.headers)
        rest = b""
        for read in response.iter_raw():
            streamed.raw += read
            *events, rest = (rest + read).split(b"\n\n")
            for event in events:
                if parsed := read_event(event):
                    streamed.events.append(parsed)
                    streamed.arrived_seconds.append(time.perf_counter() - started)
    if streamed.status == 200:
        assert rest == b"", f"half an event at the end: {rest[:80]!r}"
        check_order(streamed.events)
    return streamed


def read_event(raw: bytes) -> Json | None:
    """One event's data; its name must be its type. None for a comment."""
    if raw.startswith(b":"):
        return None
    name, _, data = raw.partition(b"\n")
    document: Json = orjson.loads(data.removeprefix(b"data: "))
    assert name == b"event: " + document["type"].encode(), f"an event without its name: {raw[:80]!r}"
    return document


def check_order(events: Iterable[Json]) -> None:
    """The order that the SDKs insist on; an `error` may end it anywhere."""
    told = [event for event in events if event["type"] != "ping"]
    if told and told[-1]["type"] == "error":
        told.pop()
        ended = False
    else:
        ended = True
    if not told and not ended:
        return
    assert told[0]["type"] == "message_start", told[0]
    assert sum(event["type"] == "message_start" for event in told) == 1
    blocks, open_index, stopped = 0, None, False
    for event in told[1:]:
        assert not stopped or event["type"] == "message_stop", event
        match event["type"]:
            case "content_block_start":
                assert open_index is None, "two blocks at once"
                assert event["index"] == blocks, "an index that is not the block's position"
                open_index, blocks = blocks, blocks + 1
            case "content_block_delta":
                assert event["index"] == open_index, "a delta outside its block"
            case "content_block_stop":
                assert event["index"] == open_index, "the end of another block"
                open_index = None
            case "message_delta":
                assert open_index is None, "the message ends within a block"
                assert isinstance(event["usage"]["output_tokens"], int)
                stopped = True
    if ended:
        assert told[-1]["type"] == "message_stop", told[-1]
        assert sum(event["type"] == "message_delta" for event in told) == 1
        assert sum(event["type"] == "message_stop" for event in told) == 1


def add_up(events: Iterable[Json]) -> Json:
    """The message that the events make."""
    message: Json = {"content": [], "stop_reason": None}
    for event in events:
        match event["type"]:
            case "message_start":
                message = {**event["message"], "content": []}
            case "content_block_start":
                message["content"].append({**event["content_block"], "json": ""})
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                if delta["type"] == "text_delta":
                    block["text"] += delta["text"]
                elif delta["type"] == "thinking_delta":
                    block["thinking"] += delta["thinking"]
                elif delta["type"] == "input_json_delta":
                    block["json"] += delta["partial_json"]
            case "message_delta":
                message |= event["delta"]
    return message
