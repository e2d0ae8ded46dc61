"""Which of a client's headers go to Anthropic, and which of Anthropic's come back."""

from collections.abc import Iterable

Pairs = list[tuple[bytes, bytes]]

_OF_THE_CONNECTION = frozenset(
    (
        *(b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"content-length"),
    )
)
# What goes to Anthropic: what its API reference, its SDKs and Claude Code's page for gateways name. All else stays
# here: proxies on a client's way say who and where it is, and a key may have any name.
_LISTS = frozenset((b"anthropic-beta", b"accept"))  # lines of one name become one list (RFC 9110, 5.3)
# Of several lines the last one counts: joined they would be nonsense.
_SINGLE = frozenset(
    (
        *(b"anthropic-version", b"anthropic-dangerous-direct-browser-access"),
        *(b"idempotency-key", b"user-agent", b"x-app"),
    )
)
_SINGLE_PREFIXES = (b"x-stainless-", b"x-claude-code-")
# More than this in one line many servers answer with a page of their own, which would look like a failure of Claude's.
_LONGEST_HEADER_BYTES = 8000
_NOT_PASSED_BACK = _OF_THE_CONNECTION | {
    *(b"content-encoding", b"server", b"date", b"set-cookie", b"alt-svc", b"strict-transport-security"),
    *(b"x-served-by", b"x-model", b"x-fallback-reason"),  # ours to say, also when Claude is another Pilot Light
}


def passed_forward(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Those of a client's header lines that may go to Anthropic.

    Not one that would make Anthropic's edge refuse the request: nobody but this client is to lose Claude by it.
    `headers` has lower-case names.
    """
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _LISTS:
            joined[name] = joined[name] + b", " + value if name in joined else value
        elif name in _SINGLE or name.startswith(_SINGLE_PREFIXES):
            joined[name] = value
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in joined.items()
        if len(name) + len(value) <= _LONGEST_HEADER_BYTES
    }


def passed_back(lines: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """Anthropic's header lines as they may go to a client."""
    return [(lower, value) for name, value in lines if (lower := name.lower()) not in _NOT_PASSED_BACK]
