"""`POST /v1/chat/completions` and `POST /v1/messages`.

Take the place of llama_cpp.server's route, which sends its first event after queue and prefill, cannot stop in
prefill, knows no usage chunk, and answers errors in another shape.

Raw ASGI: one task watches for the client to leave, and bytes go out as they are made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local_llm.dialects.answer import Answer
from local_llm.dialects.errors import ApiError, BusyError, log_unforeseen, request_id, unforeseen
from local_llm.dialects.interface import Dialect, Reply
from local_llm.dialects.messages_request import parse_count
from local_llm.dialects.tools import Part
from local_llm.engine.engine import Turn
from local_llm.models.serving import LoadedModel, Serving
from local_llm.prompt.prompter import Prompt

HEARTBEAT_SECONDS = 3.0


class ClientGoneError(Exception):
    """There is nobody left to answer."""


class Answering:
    """One dialect's endpoint, by the model that is on when a request comes."""

    def __init__(self, dialect: Dialect, serving: Serving) -> None:
        self._dialect = dialect
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and count how it went."""
        with self._serving.lease() as model:
            await self._answer(scope, receive, send, model)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, model: LoadedModel) -> None:
        id_ = request_id(scope)
        headers = {"X-Served-By": "local", "X-Model": model.name}
        if self._dialect.id_header:
            headers[self._dialect.id_header] = id_
        outcome, failure = "error", None
        try:
            outcome = await self._serve(scope, receive, send, model, id_, headers)
        except ClientGoneError:
            outcome = "client_gone"
        except ApiError as error:
            outcome, failure = ("busy" if isinstance(error, BusyError) else "client_error"), error
        except Exception as error:  # noqa: BLE001  # whatever it is, this client gets an answer with our headers
            log_unforeseen(error)
            failure = unforeseen()
        finally:
            self._serving.metrics.requests.labels(outcome).inc()
        if failure:
            await failure.response(self._dialect.error_body(failure, id_), headers)(scope, receive, send)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, model: LoadedModel, id_: str, headers: dict[str, str]
    ) -> str:
        """The outcome. Raises only while no head has gone out."""
        body = await _body(receive)
        model.engine.refuse_when_full()  # before any work on it, but after reading: nginx is still sending until then
        stream, reply, prompt = await run_in_threadpool(self._read, body, model, id_)
        del body  # may have 32 MB, and the queue be long
        if prompt.dropped_turns:
            headers["X-Local-Dropped-Turns"] = str(prompt.dropped_turns)
        turn = model.engine.submit(prompt)
        watcher = asyncio.create_task(_gone(receive))
        watcher.add_done_callback(lambda _: turn.cancel())
        try:
            if stream:
                return await stream_answer(turn, prompt, reply, headers, send)
            parts = [part async for part in _parts(turn, prompt) if part is not None]
            whole = reply.whole(parts, _ended(turn))
            await Response(whole, headers=headers, media_type="application/json")(scope, receive, send)
            return "ok"
        finally:
            watcher.cancel()
            turn.cancel()

    def _read(self, body: bytes, model: LoadedModel, id_: str) -> tuple[bool, Reply, Prompt]:
        """Whether to stream, in what words, and what is asked. Blocking. Raises `BadRequestError`."""
        request = self._dialect.parse(body)
        return bool(request.stream), self._dialect.reply(request, id_, model.name), model.prompter.prepare(request)


class CountTokens:
    """`POST /v1/messages/count_tokens`: what the whole conversation would cost, were nothing of it left out."""

    def __init__(self, dialect: Dialect, serving: Serving) -> None:
        self._dialect = dialect
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Needs no place in the queue: counting reads the vocabulary alone."""
        with self._serving.lease() as model:
            await self._answer(scope, receive, send, model)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, model: LoadedModel) -> None:
        id_ = request_id(scope)
        headers = {"X-Served-By": "local", "X-Model": model.name, "request-id": id_}
        try:
            body = await _body(receive)
            tokens = await run_in_threadpool(lambda: model.prompter.count(parse_count(body)))
        except ClientGoneError:
            return
        except ApiError as error:
            response = error.response(self._dialect.error_body(error, id_), headers)
        else:
            response = Response(orjson.dumps({"input_tokens": tokens}), headers=headers, media_type="application/json")
        await response(scope, receive, send)


async def stream_answer(turn: Turn, prompt: Prompt, reply: Reply, headers: dict[str, str], send: Send) -> str:
    """Head and first events at once, before queue and prefill: the gateway's notice goes right behind them.

    A sign of life follows whenever nothing has come for `HEARTBEAT_SECONDS`. Returns the outcome for the metrics.
    """

    async def write(data: bytes, *, more: bool = True) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": more})

    head = Response(headers=headers | {"Cache-Control": "no-cache"}, media_type="text/event-stream")
    del head.headers["content-length"]
    await send({"type": "http.response.start", "status": 200, "headers": head.raw_headers})
    await write(reply.opening(len(prompt.tokens)))
    async for part in _parts(turn, prompt):
        await write(reply.waiting(turn.state) if part is None else reply.part(part))
    try:
        answer = _ended(turn)
    except ClientGoneError:
        raise
    except BusyError as error:
        await write(reply.failed(error), more=False)
        return "busy"
    except Exception as error:  # noqa: BLE001  # the head is out: whatever it is must be said in the stream
        log_unforeseen(error)
        await write(reply.failed(unforeseen()), more=False)
        return "error"
    await write(reply.end(answer), more=False)
    return "ok"


async def _parts(turn: Turn, prompt: Prompt) -> AsyncIterator[Part | None]:
    """The answer's parts as they are made, and None whenever nothing has come for a while."""
    reader = prompt.reader()
    loop = asyncio.get_running_loop()
    heartbeat_at = loop.time() + HEARTBEAT_SECONDS
    while True:
        try:
            async with asyncio.timeout_at(heartbeat_at):
                text = await turn.texts.get()
        except TimeoutError:
            heartbeat_at = loop.time() + HEARTBEAT_SECONDS
            yield None
            continue
        for part in reader.finish() if text is None else reader.feed(text):
            heartbeat_at = loop.time() + HEARTBEAT_SECONDS  # a reader may hold text back: only parts count
            yield part
        if text is None:
            return


def _ended(turn: Turn) -> Answer:
    """How it ended. Raises `ClientGoneError` when the watcher stopped it, and `BusyError`."""
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
