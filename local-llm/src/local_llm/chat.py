"""`POST /v1/chat/completions`.

Takes the place of llama_cpp.server's route, which sends its first event after queue and prefill, cannot stop in
prefill, knows no usage chunk, and answers errors in another shape.

Raw ASGI: one task watches for the client to leave, and bytes go out as they are made.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local_llm.chunks import DONE, Chunks, comment, event
from local_llm.engine import Answer, Engine, Turn
from local_llm.errors import BusyError, OpenAIError, log_unforeseen, unforeseen
from local_llm.prompt import Prompter
from local_llm.request import parse

HEARTBEAT_SECONDS = 3.0
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class ClientGoneError(Exception):  # named for what happened
    """There is nobody left to answer."""


class ChatCompletions:
    """The endpoint, for one model."""

    def __init__(self, engine: Engine, prompter: Prompter, model_name: str) -> None:
        self._engine = engine
        self._prompter = prompter
        self._model_name = model_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and count how it went."""
        headers = {"X-Served-By": "local", "X-Model": self._model_name}
        outcome = "error"
        try:
            outcome = await self._serve(scope, receive, send, headers)
        except ClientGoneError:
            outcome = "client_gone"
        except OpenAIError as error:
            outcome = "busy" if isinstance(error, BusyError) else "client_error"
            await error.response(headers)(scope, receive, send)
        except Exception as error:  # noqa: BLE001  # whatever it is, this client gets an answer with our headers
            log_unforeseen(error)
            await unforeseen().response(headers)(scope, receive, send)
        finally:
            self._engine.metrics.requests.labels(outcome).inc()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str]) -> str:
        """The outcome. Raises only while no head has gone out."""
        body = await _body(receive)
        self._engine.refuse_when_full()  # before any work on it, but after reading: nginx is still sending until then
        request = parse(body)
        prompt = await run_in_threadpool(self._prompter.prepare, request)
        if prompt.dropped_turns:
            headers["X-Local-Dropped-Turns"] = str(prompt.dropped_turns)
        chunks = Chunks(f"chatcmpl-{_request_id(scope)}", self._model_name, int(time.time()))
        turn = self._engine.submit(prompt)
        watcher = asyncio.create_task(_gone(receive))
        watcher.add_done_callback(lambda _: turn.cancel())
        try:
            if request.stream:
                return await _stream(turn, chunks, headers, send, wants_usage=request.wants_usage)
            text = "".join([piece async for piece in _pieces(turn) if piece])
            answer = _ended(turn)
            whole = chunks.completion(text, answer.reason, answer.usage)
            await Response(whole, headers=headers, media_type="application/json")(scope, receive, send)
            return "ok"
        finally:
            watcher.cancel()
            turn.cancel()


async def _stream(turn: Turn, chunks: Chunks, headers: dict[str, str], send: Send, *, wants_usage: bool) -> str:
    """Head and first event at once, before queue and prefill: the gateway's notice goes right behind them."""

    async def write(data: bytes, *, more: bool = True) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": more})

    head = Response(headers=headers | {"Cache-Control": "no-cache"}, media_type="text/event-stream")
    del head.headers["content-length"]
    await send({"type": "http.response.start", "status": 200, "headers": head.raw_headers})
    await write(chunks.role())
    async for piece in _pieces(turn):
        await write(chunks.content(piece) if piece else comment(turn.state))
    try:
        answer = _ended(turn)
    except ClientGoneError:
        raise
    except Exception as error:  # noqa: BLE001  # the head is out: whatever it is must be said in the stream
        log_unforeseen(error)
        await write(event(unforeseen().body), more=False)
        return "error"
    usage = chunks.usage(answer.usage) if wants_usage else b""
    await write(chunks.finish(answer.reason) + usage + DONE, more=False)
    return "ok"


async def _pieces(turn: Turn) -> AsyncIterator[str | None]:
    """The answer's text as it is made, and None whenever nothing has come for a while."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                piece = await turn.pieces.get()
        except TimeoutError:
            yield None
            continue
        if piece is None:
            return
        yield piece


def _ended(turn: Turn) -> Answer:
    """How it ended. Raises `ClientGoneError` when the watcher stopped it."""
    try:
        return turn.answer()
    except asyncio.CancelledError:
        raise ClientGoneError from None


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _request_id(scope: Scope) -> str:
    """The caller's X-Request-Id, so that one id leads through all the logs, or one of ours when it is none."""
    named = Headers(scope=scope).get("x-request-id", "")
    return named if _REQUEST_ID.fullmatch(named) else uuid.uuid4().hex
