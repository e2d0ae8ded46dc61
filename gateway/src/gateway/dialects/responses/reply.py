"""Chat Completions replies, whole or in chunks, as Responses. Pure: dicts and bytes of events in, the same out.

Shapes: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

import time
from typing import Any

import orjson

from gateway.dialects import sse
from gateway.dialects.interface import Json
from gateway.dialects.responses.objects import ARGUMENTS_OF, INCOMPLETE, call, message, own_id, reasoning, response

_PART_OF = {"message": "output_text", "reasoning": "reasoning_text"}
_ARGUMENTS_EVENT_OF = {"function_call": "function_call_arguments", "custom_tool_call": "custom_tool_call_input"}
# The one error of the backends that a client acts on by its code, by making the conversation shorter.
_CODES = ("context_length_exceeded",)


def whole(request: Json, completion: Json) -> Json:
    """The `response` object for a `chat.completion` that answers `request`."""
    choice = completion["choices"][0]
    said = choice["message"]
    name = own_id(completion["id"])
    output: list[Json] = []
    if said.get("reasoning_content"):
        output.append(reasoning(name, said["reasoning_content"]))
    if said.get("content") or not said.get("tool_calls"):
        output.append(message(name, said.get("content") or ""))
    output += [call(name, i, each) for i, each in enumerate(said.get("tool_calls") or ())]
    if choice["finish_reason"] in INCOMPLETE:
        output[-1]["status"] = "incomplete"
    return response(
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
        self._name = own_id(chunk.get("id") or "")
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
        for each in delta.get("tool_calls") or ():
            events += self._call(each)
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
        item = message(self._name, "") if kind == "message" else reasoning(self._name, "")
        part = item["content"][0]
        item["status"] = "in_progress"
        self._item = {**item, "content": []}
        events = self._event("response.output_item.added", output_index=len(self._output), item=self._item)
        events += self._event("response.content_part.added", **self._place(), content_index=0, part=part)
        self._item["content"] = [part]
        return events

    def _call(self, given: Json) -> bytes:
        events = b""
        if given["index"] != self._call_index or self._item is None:
            events = self._close()
            self._call_index = given["index"]
            begun = call(self._name, given["index"], given, "in_progress")
            self._item = {**begun, ARGUMENTS_OF[begun["type"]]: ""}
            events += self._event("response.output_item.added", output_index=len(self._output), item=self._item)
        kind = self._item["type"]
        piece = (given.get("function") or given.get("custom") or {}).get(ARGUMENTS_OF[kind])
        if piece:
            self._item[ARGUMENTS_OF[kind]] += piece
            events += self._event(f"response.{_ARGUMENTS_EVENT_OF[kind]}.delta", **self._place(), delta=piece)
        return events

    def _close(self, *, cut: bool = False, failed: bool = False) -> bytes:
        """The end of the item that is being made. What was cut is not announced as whole: half a call is none."""
        if self._item is None:
            return b""
        item, place = self._item, self._place()
        item["status"] = "incomplete" if cut or failed else "completed"
        events = b""
        if item["type"] in ARGUMENTS_OF:
            if not cut and not failed:
                field = ARGUMENTS_OF[item["type"]]
                named = {"name": item["name"]} if item["type"] == "function_call" else {}
                kind = f"response.{_ARGUMENTS_EVENT_OF[item['type']]}.done"
                events = self._event(kind, **place, **named, **{field: item[field]})
        elif not failed:
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
        cut = self._finish_reason in INCOMPLETE
        closing = self._close(cut=cut)
        if not self._output:  # an answer without a word is still a message
            closing = self._begin_words("message") + self._close(cut=cut)
        done = self._response(None)
        return closing + self._event(f"response.{done['status']}", response=done)

    def _fail(self, error: Json) -> bytes:
        closing = self._close(failed=True)
        failed = self._response("failed")
        code = error.get("code")
        failed["error"] = {
            "code": code if code in _CODES else "server_error",
            "message": str(error.get("message")),
        }
        return closing + self._event("response.failed", response=failed)

    def _response(self, status: str | None) -> Json:
        return response(
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
