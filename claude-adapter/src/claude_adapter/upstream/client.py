"""The only way out: requests on aiohttp, as bytes; the anthropic SDK for the probe and its errors.

The SDK's layers (its request model, httpx's, and a parse of each event) cost more than the rest of a request together.
"""

import asyncio
from typing import Any

import anthropic
import httpx2
import orjson
from anthropic import AsyncAnthropic, Omit
from yarl import URL

from claude_adapter import taxonomy
from claude_adapter.availability.reasons import Fallback, ProbeResult
from claude_adapter.upstream.connections import Answer, Connections, SdkTransport
from claude_adapter.upstream.headers import passed_back, passed_forward
from claude_adapter.upstream.message_stream import MessageStream, RawAnswer, verdict_on
from claude_adapter.upstream.upstream_error import Refused, UpstreamError

_API_VERSION = "2023-06-01"  # the newer one refuses temperature and top_p, which Chat Completions clients send
_PROBE_SECONDS = 3.0


class _Sdk(AsyncAnthropic):
    """The SDK with our headers, and none from the environment (`ANTHROPIC_CUSTOM_HEADERS` could hold another key)."""

    def __init__(self, headers: dict[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._custom_headers = {}
        self._headers = headers

    @property
    def default_headers(self) -> dict[str, str | Omit]:
        dropped = ("x-stainless-timeout", "x-stainless-read-timeout", "x-stainless-retry-count")
        return {**self._headers, **dict.fromkeys(dropped, Omit())}


class Claude:
    """Sends Messages requests and probes. `use_key` may be called at any time."""

    def __init__(self, base_url: str, proxy: str | None, connect_seconds: float) -> None:
        self._base_url = base_url
        self._messages_url = URL(f"{base_url}/v1/messages")
        self._connections = Connections(proxy, connect_seconds)
        self._headers = {
            "content-type": "application/json",
            "anthropic-version": _API_VERSION,
            "accept-encoding": "identity",  # a compressed stream would be held back until a block is full
            "user-agent": f"pilot-light (anthropic-sdk-python {anthropic.__version__})",
        }
        self._sdk = _Sdk(
            self._headers,
            api_key="",  # not None: the SDK then looks for no credentials of its own
            base_url=base_url,
            http_client=httpx2.AsyncClient(transport=SdkTransport(self._connections), follow_redirects=False),
            max_retries=0,
            open_telemetry=False,
        )

    def use_key(self, key: str) -> None:
        """Send `key` from now on, as Bearer only: of two auth headers Anthropic would believe the other one."""
        self._headers["authorization"] = f"Bearer {key}"

    async def send(self, body: bytes) -> MessageStream:
        """POST /v1/messages with `"stream": true` in `body`. Raises `UpstreamError`; sets no limit to the wait."""
        answer = await self._request("POST", self._messages_url, self._headers, body)
        await _insist_on_stream(answer)
        return MessageStream(answer)

    async def pass_on(
        self, path: str, body: bytes, headers: list[tuple[bytes, bytes]], *, streaming: bool
    ) -> RawAnswer:
        """POST a client's own bytes, with its `headers` but for those of its connection and its key.

        `path` may have a query string. Raises `UpstreamError`, which holds the whole answer when there was one.
        """
        answer = await self._pass_on("POST", path, headers, body)
        if streaming:
            await _insist_on_stream(answer)
        return RawAnswer(answer)

    async def list_models(self, query: str, headers: list[tuple[bytes, bytes]]) -> RawAnswer:
        """GET /v1/models with a client's own query string. Raises `UpstreamError`."""
        return RawAnswer(await self._pass_on("GET", f"/v1/models?{query}", headers, b""))

    async def _pass_on(self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
        url = URL(f"{self._base_url}{path}")
        return await self._request(method, url, {**self._headers, **passed_forward(headers)}, body)

    async def _request(self, method: str, url: URL, headers: dict[str, str], body: bytes) -> Answer:
        """The answer's head, if it is a success. Raises `UpstreamError`, which holds the whole answer if it is none."""
        try:
            answer = await self._connections.request(method, url, headers, body)
            if 200 <= answer.status < 300:
                return answer
            try:
                refusal = await answer.read_all()
            finally:
                await answer.close()
        except Exception as error:
            raise UpstreamError(verdict_on(error)) from error
        verdict = taxonomy.classify_response(answer.status, answer.headers, refusal)
        raise UpstreamError(verdict, Refused(answer.status, passed_back(answer.header_lines), refusal))

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
            verdict = taxonomy.classify_response(error.status_code, error.response.headers, error.response.content)
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
        await self._connections.close()


async def _insist_on_stream(answer: Answer) -> None:
    content_type = answer.headers.get("content-type", "")
    if not content_type.startswith("text/event-stream"):
        await RawAnswer(answer).close()
        raise UpstreamError(taxonomy.classify_not_a_stream(answer.status, content_type))


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(orjson.loads(body), dict)
    except orjson.JSONDecodeError:
        return False
