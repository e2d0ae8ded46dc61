"""`POST /v1/messages`, `POST /v1/messages/count_tokens` and `GET /v1/models`: Anthropic's own API, passed through.

Bytes go as they come, both ways: only the key is ours, the model's name where Claude has no model of that name, and
the labels of answers that are not Claude's.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from claude_adapter import taxonomy
from claude_adapter.availability.breaker import Admission
from claude_adapter.availability.patience import PatienceRules
from claude_adapter.availability.reasons import Fallback, Reason
from claude_adapter.availability.stall_timer import StallTimer
from claude_adapter.endpoints.exchange import JSON_HEADERS, Exchange
from claude_adapter.endpoints.handover import HEADER, label_local_answers
from claude_adapter.endpoints.json_body import Json, json_bytes, parse_object
from claude_adapter.endpoints.messages_stream import RelayedStream, input_tokens, output_tokens
from claude_adapter.errors import ANTHROPIC, BadRequestError
from claude_adapter.taxonomy import ClientError
from claude_adapter.upstream.message_stream import RawAnswer
from claude_adapter.upstream.sse import data_of
from claude_adapter.upstream.upstream_error import UpstreamError

MESSAGES_PATH = "/v1/messages"
COUNT_TOKENS_PATH = "/v1/messages/count_tokens"

_NO_PATIENCE = PatienceRules(0, 0)
_MODELS_SECONDS = 2.0  # Claude Code gives the list three
# A whole answer says nothing until it is complete, so its timer allows for its length: the SDK's own assumption is
# 128,000 tokens in an hour, and the API ends such a request after ten minutes.
_WHOLE_TOKENS_PER_SECOND = 128_000 / 3600
_WHOLE_LONGEST_SECONDS = 600.0
# A longer request line many servers refuse with a page of their own, which would look like a failure of Claude's.
_LONGEST_QUERY_BYTES = 8000
_ENDED_EARLY = taxonomy.classify_ended_early()


@dataclass(slots=True)
class _Whole:
    """A reply that came in one piece."""

    model: str
    ended: bool
    input_tokens: int
    output_tokens: int


class _PassedExchange(Exchange):
    """What the routes of Anthropic's API share."""

    errors = ANTHROPIC
    path: str
    proof: str  # a field without which an answer is not the API's
    late: Reason = "timeout"  # what it is called when an answer in one piece does not come

    def read(self, body: bytes) -> str:
        """Only the model's name and the labels of local answers are ours; all else is Anthropic's to judge."""
        if len(self._scope["query_string"]) > _LONGEST_QUERY_BYTES:
            raise BadRequestError("The query string is too long.", status=414)
        self._request = parse_object(body)
        changed = label_local_answers(self._request, self._header(HEADER))
        settings = self._endpoint.settings
        asked = self._request.get("model")
        # Without a model Anthropic will say what is wrong.
        model = settings.model_for(asked) if isinstance(asked, str) else settings.claude_model
        if isinstance(asked, str) and model != asked:
            self._request["model"] = model
            changed = True
        self._raw = json_bytes(self._request) if changed else body
        return model

    async def _pass_on(self, *, streaming: bool) -> RawAnswer:
        query = self._scope["query_string"].decode("latin-1")
        path = f"{self.path}?{query}" if query else self.path
        return await self._endpoint.claude.pass_on(path, self._raw, self._scope["headers"], streaming=streaming)

    async def _pass_whole(self, seconds: float, admission: Admission) -> None:
        """Ask for an answer in one piece, and check that it is one before any of it goes on."""
        timer = StallTimer(seconds, seconds, self._endpoint.silence.silent)
        try:
            async with timer:
                self._stream = answer = await self._pass_on(streaming=False)
                parts = []
                while (part := await answer.read_bytes()) is not None:
                    self._begun = True
                    parts.append(part)
        except TimeoutError:
            if not timer.expired:
                raise
            detail = f"Claude's answer was not there after {seconds:g} s."
            late = Fallback(self.late, detail, silent_seconds=seconds)
            raise UpstreamError(timer.given_up or late) from None
        body = b"".join(parts)
        document = _document(body, answer.status)
        if self.proof not in document:
            raise UpstreamError(taxonomy.classify_not_json(answer.status))
        usage: Json = document.get("usage") or {}
        model = str(document.get("model") or self._request.get("model") or "")
        self._reply = _Whole(model, True, input_tokens(usage), output_tokens(usage))
        if self.spends:
            admission.success()
        await self._respond(answer.status, self._served_by_claude(answer.headers), body)

    async def _pass_on_mistake(self, error: UpstreamError, verdict: ClientError) -> None:
        """Anthropic's own answer, byte for byte."""
        if error.refused is not None:
            headers = self._served_by_claude(error.refused.headers)
            await self._respond(error.refused.status, headers, error.refused.body)
        elif error.event:  # the stream was refused in its first event: its data is an error's body
            body = data_of(error.event) or b""
            await self._respond(verdict.status, self._served_by_claude(JSON_HEADERS), body)
        else:
            await super()._pass_on_mistake(error, verdict)


class MessagesExchange(_PassedExchange):
    """One Messages request."""

    path = MESSAGES_PATH
    proof = "content"
    late: Reason = "first_token"  # a Claude that says nothing, of which a probe proves nothing

    async def ask(self, admission: Admission) -> None:
        """Pass the request on, and the answer back."""
        if self._request.get("stream") is not True:
            settings = self._endpoint.settings
            seconds = whole_seconds(self._request.get("max_tokens"), settings.claude_first_token_seconds)
            return await self._pass_whole(seconds, admission)
        timer = self._stall_timer(self._request.get("thinking"))
        try:
            async with timer:
                self._stream = answer = await self._pass_on(streaming=True)
                self._reply = relayed = RelayedStream(str(self._request.get("model")))
                await self._relay(answer, relayed, timer, admission)
        except TimeoutError:
            if not timer.expired:
                raise
            raise self._stalled(timer) from None
        except ValueError as error:
            detail = f"Claude's stream could not be read: {error}."
            raise UpstreamError(taxonomy.classify_broken(detail)) from error

    async def _relay(self, answer: RawAnswer, relayed: RelayedStream, timer: StallTimer, admission: Admission) -> None:
        held = b""
        while not relayed.ended:
            failure: UpstreamError | None = None
            try:
                read = await answer.read_bytes()
            except UpstreamError as error:
                read, failure = None, error
            if read is None:
                ending = relayed.finish()
                if ending is None:
                    raise failure or UpstreamError(_ENDED_EARLY)
                failure = None  # all that matters has come; only the last event is missing
                held += ending
            else:
                held += relayed.feed(read)
                if relayed.error is not None:
                    failure = UpstreamError(taxonomy.classify_event(relayed.error), event=relayed.error_event)
                timer.thinking(relayed.thinking)
                if relayed.progress:
                    if not timer.started:
                        self._begun = True
                        admission.success()
                    timer.progress()
            if held and relayed.started and (self._head_sent or failure is None):
                timer.hold()
                if not self._head_sent:
                    await self._start(answer.status, self._served_by_claude(answer.headers))
                await self._body_part(held, last=relayed.ended)
                timer.resume()
                held = b""
            if failure is not None:
                raise failure

    def _broken(self, error: UpstreamError, verdict: Fallback) -> bytes:
        return error.event or super()._broken(error, verdict)


class CountTokensExchange(_PassedExchange):
    """One request to count tokens."""

    path = COUNT_TOKENS_PATH
    proof = "input_tokens"
    spends = False
    waits_in_tool_loop = False  # the backup counts as well

    async def ask(self, admission: Admission) -> None:
        """Pass the request on, and the answer back; counting takes no longer than a first token."""
        await self._pass_whole(self._endpoint.settings.claude_first_token_seconds, admission)


class ModelsExchange(_PassedExchange):
    """One request for the list of models."""

    proof = "data"
    spends = False

    def read(self, body: bytes) -> str:
        """There is nothing to read."""
        self._request = {}
        return self._endpoint.settings.claude_model

    def patience_rules(self) -> PatienceRules:
        """None: who asks for a list waits three seconds for it."""
        return _NO_PATIENCE

    async def ask(self, admission: Admission) -> None:
        """Pass Anthropic's list on."""
        await self._pass_whole(_MODELS_SECONDS, admission)

    async def _pass_on(self, *, streaming: bool) -> RawAnswer:
        query = self._scope["query_string"].decode("latin-1")
        return await self._endpoint.claude.list_models(query, self._scope["headers"])


def whole_seconds(max_tokens: Any, first_token_seconds: float) -> float:
    """How long an answer in one piece may take: to its first token, and then as long as its length allows."""
    tokens = max_tokens if isinstance(max_tokens, int) else 0
    return min(_WHOLE_LONGEST_SECONDS, first_token_seconds + max(0, tokens) / _WHOLE_TOKENS_PER_SECOND)


def _document(body: bytes, status: int) -> Json:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise UpstreamError(taxonomy.classify_not_json(status))
    return document
