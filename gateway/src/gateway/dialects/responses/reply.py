"""Chat Completions replies, whole or in chunks, as Responses. Pure: dicts and bytes of events in, the same out.

Shapes: https://platform.openai.com/docs/api-reference/responses and …/responses-streaming.
"""

import time
from typing import Any

import orjson

from gateway.dialects import sse
from gateway.dialects.interface import Json

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def whole(request: Json, completion: Json) -> Json:
    """The `response` object for a `chat.completion` that answers `request`."""
    choice = completion["choices"][0]
    message = choice["message"]
    name = _own_id(completion["id"])
    output: list[Json] = []
    if message.get("reasoning_content"):
        output.append(_reasoning(name, message["reasoning_content"]))
    if message.get("content") or not message.get("tool_calls"):
        output.append(_message(name, message.get("content") or ""))
    for i, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        output.append(_function_call(name, i, call["id"], function["name"], function["arguments"]))
    return _response(
        request,
        name,
        completion["created"],
        completion["model"],
        output=output,
        finish_reason=choice["finish_reason"],
        usage=completion.get("usage"),
    )


class ResponseEvents:
    """One stream of chunks as a stream of Responses events. Feed it whole events of Chat Completions."""

    def __init__(self, request: Json) -> None:
        self._request = request
        self._number = 0
        self._name = ""
        self._created = int(time.time())
        self._model = ""
        self._output: list[Json] = []  # items that are done
        self._item: Json | None = None  # the one that is being made, with what has come of it
        self._call_index: int | None = None
        self._finish_reason: str | None = None
        self._usage: Json | None = None
        self._ended = False

    def feed(self, event: bytes) -> bytes:
        """What goes on for one event (without its blank line)."""
        data = sse.data(event)
        if not data:
            return event + b"\n\n"  # a comment: a sign of life
        if data == b"[DONE]":
            return self._complete()
        chunk = orjson.loads(data)
        if "error" in chunk:
            return self._fail(chunk["error"])
        opening = b"" if self._name else self._open(chunk)
        self._model = chunk.get("model") or self._model
        self._usage = chunk.get("usage") or self._usage
        return opening + b"".join(self._choice(choice) for choice in chunk.get("choices", ()))

    def _open(self, chunk: Json) -> bytes:
        self._name = _own_id(chunk.get("id") or "")
        self._created = chunk.get("created") or self._created
        self._model = chunk.get("model") or ""
        begun = self._response("in_progress")
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def _choice(self, choice: Json) -> bytes:
        delta = choice.get("delta") or {}
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        events = b""
        if delta.get("reasoning_content"):
            events += self._words("reasoning", delta["reasoning_content"])
        if delta.get("content"):
            events += self._words("message", delta["content"])
        for call in delta.get("tool_calls") or ():
            events += self._call(call)
        return events

    def _words(self, kind: str, text: str) -> bytes:
        events = b"" if self._item and self._item["type"] == kind else self._close() + self._begin_words(kind)
        assert self._item is not None  # noqa: S101  # for mypy: it has just been begun
        self._item["content"][0]["text"] += text
        more: Json = {"logprobs": []} if kind == "message" else {}
        return events + self._event(
            f"response.{_PART_OF[kind]}.delta", **self._place(), content_index=0, delta=text, **more
        )

    def _begin_words(self, kind: str) -> bytes:
        item = _message(self._name, "") if kind == "message" else _reasoning(self._name, "")
        part = item["content"][0]
        item["status"] = "in_progress"
        self._item = {**item, "content": []}
        events = self._event("response.output_item.added", output_index=len(self._output), item=self._item)
        events += self._event("response.content_part.added", **self._place(), content_index=0, part=part)
        self._item["content"] = [part]
        return events

    def _call(self, call: Json) -> bytes:
        function = call.get("function") or {}
        events = b""
        if call["index"] != self._call_index or self._item is None:
            events = self._close()
            self._call_index = call["index"]
            self._item = _function_call(
                self._name, call["index"], call.get("id") or "", function.get("name") or "", "", "in_progress"
            )
            events += self._event("response.output_item.added", output_index=len(self._output), item=self._item)
        if piece := function.get("arguments"):
            self._item["arguments"] += piece
            events += self._event("response.function_call_arguments.delta", **self._place(), delta=piece)
        return events

    def _close(self) -> bytes:
        """The end of the item that is being made."""
        if self._item is None:
            return b""
        item, place = self._item, self._place()
        item["status"] = "completed"
        if item["type"] == "function_call":
            events = self._event(
                "response.function_call_arguments.done", **place, name=item["name"], arguments=item["arguments"]
            )
        else:
            part = item["content"][0]
            more: Json = {"logprobs": []} if item["type"] == "message" else {}
            kind = _PART_OF[item["type"]]
            events = self._event(f"response.{kind}.done", **place, content_index=0, text=part["text"], **more)
            events += self._event("response.content_part.done", **place, content_index=0, part=part)
        events += self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._item = None
        return events

    def _complete(self) -> bytes:
        closing = self._close()
        if not self._output:  # an answer without a word is still a message
            closing = self._begin_words("message") + self._close()
        done = self._response(None)
        self._ended = True
        return closing + self._event(f"response.{done['status']}", response=done)

    def _fail(self, error: Json) -> bytes:
        closing = self._close()
        failed = self._response("failed")
        failed["error"] = {"code": "server_error", "message": str(error.get("message"))}
        return closing + self._event("response.failed", response=failed)

    def _response(self, status: str | None) -> Json:
        return _response(
            self._request,
            self._name,
            self._created,
            self._model,
            output=list(self._output),
            finish_reason=self._finish_reason,
            usage=self._usage,
            status=status,
        )

    def _place(self) -> Json:
        assert self._item is not None  # noqa: S101  # for mypy: only asked while one is being made
        return {"item_id": self._item["id"], "output_index": len(self._output)}

    def _event(self, kind: str, **fields: Any) -> bytes:
        document = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"


_PART_OF = {"message": "output_text", "reasoning": "reasoning_text"}


def _own_id(completion_id: str) -> str:
    return completion_id.removeprefix("chatcmpl-")


def _message(name: str, text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def _reasoning(name: str, text: str) -> Json:
    part = {"type": "reasoning_text", "text": text}
    return {"id": f"rs_{name}", "type": "reasoning", "status": "completed", "summary": [], "content": [part]}


def _function_call(
    name: str, index: int, call_id: str, function: str, arguments: str, status: str = "completed"
) -> Json:
    return {
        "id": f"fc_{name}_{index}",
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": function,
        "arguments": arguments,
    }


def _response(
    request: Json,
    name: str,
    created: int,
    model: str,
    *,
    output: list[Json],
    finish_reason: str | None,
    usage: Json | None,
    status: str | None = None,
) -> Json:
    why = _INCOMPLETE.get(finish_reason or "")
    return {
        "id": f"resp_{name}",
        "object": "response",
        "created_at": created,
        "status": status or ("incomplete" if why else "completed"),
        "error": None,
        "incomplete_details": {"reason": why} if why and status is None else None,
        "instructions": request.get("instructions"),
        "max_output_tokens": request.get("max_output_tokens"),
        "metadata": request.get("metadata") or {},
        "model": model,
        "output": output,
        "parallel_tool_calls": request.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": (request.get("reasoning") or {}).get("effort"), "summary": None},
        "store": False,
        "temperature": request.get("temperature"),
        "text": request.get("text") or {"format": {"type": "text"}},
        "tool_choice": request.get("tool_choice") or "auto",
        "tools": request.get("tools") or [],
        "top_p": request.get("top_p"),
        "truncation": "disabled",
        "usage": None if status is not None or usage is None else _usage(usage),
        "user": request.get("user"),
    }


def _usage(usage: Json) -> Json:
    read, written = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": read.get("cached_tokens") or 0, "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": written.get("reasoning_tokens") or 0},
        "total_tokens": usage["total_tokens"],
    }
