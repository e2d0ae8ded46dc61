"""Which header lines of a client's reach Anthropic, and as what."""

import pytest
from aiohttp import web
from claude_rig import Adapter, Upstream

from claude_adapter.upstream.headers import passed_back, passed_forward

Lines = list[tuple[bytes, bytes]]

FORWARD: list[tuple[str, Lines, dict[str, str]]] = [
    # why it exists, a client's lines, what goes on
    (
        "betas, one a line, as Anthropic's SDK for Go writes them",
        [(b"anthropic-beta", b"a"), (b"x-app", b"cli"), (b"anthropic-beta", b"b,c")],
        {"anthropic-beta": "a, b,c", "x-app": "cli"},
    ),
    ("what is accepted is a list", [(b"accept", b"a/b"), (b"accept", b"c/d")], {"accept": "a/b, c/d"}),
    (
        "Claude Code's session",
        [(b"x-claude-code-session-id", b"s"), (b"x-app", b"cli")],
        {"x-claude-code-session-id": "s", "x-app": "cli"},
    ),
    ("what nobody has named, and languages", [(b"x-new", b"1"), (b"accept-language", b"de")], {}),
    (
        "keys under other names",
        [(b"api-key", b"k"), (b"x-goog-api-key", b"k"), (b"x-auth-token", b"k"), (b"anthropic-api-key", b"k")],
        {},
    ),
    (
        "what proxies say of a client",
        [
            *((b"cf-connecting-ip", b"a"), (b"cf-ray", b"b"), (b"true-client-ip", b"a"), (b"via", b"1.1 p")),
            *((b"tailscale-user-login", b"a"), (b"x-client-ip", b"a"), (b"traceparent", b"00"), (b"dnt", b"1")),
        ],
        {},
    ),
    (
        "a version is one: the last counts",
        [(b"anthropic-version", b"2023-06-01"), (b"anthropic-version", b"2026-10-21")],
        {"anthropic-version": "2026-10-21"},
    ),
    ("a client is one", [(b"user-agent", b"a/1"), (b"user-agent", b"b/2")], {"user-agent": "b/2"}),
    ("the SDK's own", [(b"x-stainless-lang", b"go"), (b"x-stainless-lang", b"js")], {"x-stainless-lang": "js"}),
    ("keys end here, however often", [(b"x-api-key", b"a"), (b"x-api-key", b"b"), (b"cookie", b"c")], {}),
    ("what a proxy said", [(b"x-forwarded-for", b"a"), (b"x-pilot-notice", b"off"), (b"forwarded", b"for=a")], {}),
    ("together too long for one line", [(b"anthropic-beta", b"x" * 5000)] * 2, {}),
]


@pytest.mark.parametrize(("why", "lines", "goes_on"), FORWARD, ids=[case[0] for case in FORWARD])
def test_what_goes_to_anthropic(why: str, lines: Lines, goes_on: dict[str, str]) -> None:
    """Lines of one name become one list; what may stand only once does."""
    assert passed_forward(lines) == goes_on


def test_what_comes_back() -> None:
    """All lines of an answer come back as they are, but for those of its connection and our own."""
    lines = [(b"Vary", b"a"), (b"vary", b"b"), (b"request-id", b"r"), (b"Connection", b"close")]
    lines.append((b"X-Served-By", b"claude"))
    assert passed_back(lines) == [(b"vary", b"a"), (b"vary", b"b"), (b"request-id", b"r")]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/models"])
async def test_all_betas_reach_claude(adapter: Adapter, upstream: Upstream, path: str) -> None:
    """Two lines of betas and a query that repeats itself arrive whole, on every route."""
    seen: dict[str, object] = {}

    async def behave(request: web.Request) -> web.StreamResponse:
        seen.update(betas=request.headers.getall("anthropic-beta"), query=request.query_string)
        return web.json_response({"content": [], "input_tokens": 1, "data": []})

    upstream.messages = upstream.models = behave
    method, body = ("GET", None) if path == "/v1/models" else ("POST", {"model": "claude-z", "messages": []})
    headers = [("anthropic-beta", "a"), ("anthropic-beta", "b")]
    reply = await adapter.client.request(method, f"{path}?beta=true&beta=2", json=body, headers=headers)
    assert reply.status_code == 200
    assert seen == {"betas": ["a, b"], "query": "beta=true&beta=2"}
