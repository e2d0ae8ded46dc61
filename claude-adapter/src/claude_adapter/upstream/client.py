"""The only way out: the anthropic SDK, on aiohttp, with raw responses.

Raw, because parsing each event into the SDK's models costs more than the rest of a request together; and on aiohttp,
because it needs half the CPU of the SDK's own transport (measured: 0.74 against 1.3 ms per request).
"""

import asyncio
from typing import Any

import anthropic
import httpx2
import orjson
from anthropic import AsyncAnthropic, AsyncStream, Omit

from claude_adapter import taxonomy
from claude_adapter.availability.reasons import Fallback, ProbeResult
from claude_adapter.upstream.headers import passed_back, passed_forward
from claude_adapter.upstream.message_stream import MessageStream, RawAnswer, verdict_on
from claude_adapter.upstream.transport import Transport
from claude_adapter.upstream.upstream_error import Refused, UpstreamError

_API_VERSION = "2023-06-01"  # the newer one refuses temperature and top_p, which Chat Completions clients send
_PROBE_SECONDS = 3.0


class _Sdk(AsyncAnthropic):
    """The SDK with few headers, and none from the environment (`ANTHROPIC_CUSTOM_HEADERS` could hold another key).

    Each header is copied half a dozen times on its way; the SDK's own dozen cost a tenth of a request's CPU.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._custom_headers = {}

    @property
    def default_headers(self) -> dict[str, str | Omit]:
        return {
            "authorization": f"Bearer {self.api_key}",
            "content-type": "application/json",
            "anthropic-version": _API_VERSION,
            "accept-encoding": "identity",  # a compressed stream would be held back until a block is full
            "user-agent": f"pilot-light (anthropic-sdk-python {anthropic.__version__})",
            "x-stainless-timeout": Omit(),
            "x-stainless-read-timeout": Omit(),
            "x-stainless-retry-count": Omit(),
        }


class Claude:
    """Sends Messages requests and probes. `use_key` may be called at any time."""

    def __init__(self, base_url: str, proxy: str | None, connect_seconds: float) -> None:
        self._base_url = base_url
        self._messages_url = f"{base_url}/v1/messages"  # whole: joining it anew for each request costs 0.1 ms
        self._timeout = httpx2.Timeout(None, connect=connect_seconds, pool=connect_seconds)
        self._http = httpx2.AsyncClient(
            transport=Transport(proxy, connect_seconds), timeout=self._timeout, follow_redirects=False
        )
        self._sdk = _Sdk(
            api_key="",  # not None: the SDK then looks for no credentials of its own
            base_url=base_url,
            http_client=self._http,
            max_retries=0,
            open_telemetry=False,
        )

    def use_key(self, key: str) -> None:
        """Send `key` from now on, as Bearer only: of two auth headers Anthropic would believe the other one."""
        self._sdk.api_key = key

    async def send(self, body: bytes) -> MessageStream:
        """POST /v1/messages with `"stream": true` in `body`. Raises `UpstreamError`; sets no limit to the wait."""
        response = await self._post(self._messages_url, body, {})
        await _insist_on_stream(response)
        return MessageStream(response)

    async def pass_on(
        self, path: str, body: bytes, headers: list[tuple[bytes, bytes]], *, streaming: bool
    ) -> RawAnswer:
        """POST a client's own bytes, with its `headers` but for those of its connection and its key.

        `path` may have a query string. Raises `UpstreamError`, which holds the whole answer when there was one.
        """
        response = await self._post(f"{self._base_url}{path}", body, passed_forward(headers))
        if streaming:
            await _insist_on_stream(response)
        return RawAnswer(response)

    async def list_models(self, query: str, headers: list[tuple[bytes, bytes]]) -> RawAnswer:
        """GET /v1/models with a client's own query string. Raises `UpstreamError`."""
        try:
            response = await self._sdk.get(
                f"{self._base_url}/v1/models?{query}",
                cast_to=httpx2.Response,
                stream=True,
                stream_cls=AsyncStream[Any],
                options={"headers": passed_forward(headers)},
            )
        except Exception as error:
            raise _error_from(error) from error
        return RawAnswer(_raw(response))

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> httpx2.Response:
        try:
            response = await self._sdk.post(
                url,
                content=body,
                cast_to=httpx2.Response,
                stream=True,
                stream_cls=AsyncStream[Any],
                options={"headers": headers} if headers else {},
            )
        except Exception as error:
            raise _error_from(error) from error
        return _raw(response)

    async def probe(self) -> ProbeResult:
        """GET /v1/models?limit=1: do network and key work? Where there is no such list the answer proves neither."""
        result = await self._probe_once()
        is_dead = isinstance(result, Fallback) and result.dead_connection  # which says nothing of a new one
        return await self._probe_once() if is_dead else result

    async def _probe_once(self) -> ProbeResult:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                response = await self._sdk.get("/v1/models", cast_to=httpx2.Response, options={"params": {"limit": 1}})
        except anthropic.APIStatusError as error:
            if error.status_code in (404, 405, 501):
                return "unproven"
            verdict = verdict_on(error)
        except TimeoutError:
            verdict = Fallback("timeout", f"The probe had no answer within {_PROBE_SECONDS:g} s.")
        except Exception as error:  # noqa: BLE001  # whatever the client raises is a verdict on the connection
            verdict = verdict_on(error)
        else:
            return "ok" if _is_json_object(response.content) else taxonomy.classify_not_json(response.status_code)
        return verdict if isinstance(verdict, Fallback) else "unproven"

    async def close(self) -> None:
        """Close all connections."""
        await self._sdk.close()


async def _insist_on_stream(response: httpx2.Response) -> None:
    content_type = response.headers.get("content-type", "")
    if not content_type.startswith("text/event-stream"):
        await RawAnswer(response).close()
        raise UpstreamError(taxonomy.classify_not_a_stream(response.status_code, content_type))


def _raw(response: object) -> httpx2.Response:
    assert isinstance(response, httpx2.Response)  # noqa: S101  # for mypy: the overload promises the stream class
    return response


def _error_from(error: Exception) -> UpstreamError:
    if isinstance(error, anthropic.APIStatusError):
        answer = error.response
        return UpstreamError(
            verdict_on(error), Refused(answer.status_code, passed_back(answer.headers), answer.content)
        )
    return UpstreamError(verdict_on(error))


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(orjson.loads(body), dict)
    except orjson.JSONDecodeError:
        return False
