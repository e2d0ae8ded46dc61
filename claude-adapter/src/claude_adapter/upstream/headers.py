"""Which of a client's headers go to Anthropic, and which of Anthropic's come back."""

from collections.abc import Iterable

import httpx2

Pairs = list[tuple[bytes, bytes]]

_OF_THE_CONNECTION = frozenset(
    (
        *(b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"content-length"),
    )
)
# The client's credentials, and what is about its way to us.
_NOT_PASSED_FORWARD = _OF_THE_CONNECTION | {
    *(b"authorization", b"x-api-key", b"cookie", b"host", b"expect", b"forwarded", b"x-real-ip", b"x-request-id"),
    *(b"accept-encoding", b"content-encoding", b"content-type", b"origin", b"referer"),
}
# Defined to stand once: of several lines the last one counts, as joined they would be nonsense.
_SINGLE = frozenset(
    (
        *(b"anthropic-version", b"anthropic-dangerous-direct-browser-access", b"idempotency-key", b"user-agent"),
        *(b"date", b"from", b"range", b"traceparent", b"dnt", b"priority"),
    )
)
_SINGLE_PREFIXES = (b"x-stainless-", b"sec-")
# More than this in one line many servers answer with a page of their own, which would look like a failure of Claude's.
_LONGEST_HEADER_BYTES = 8000
_NOT_PASSED_BACK = _OF_THE_CONNECTION | {
    *(b"content-encoding", b"server", b"date", b"set-cookie", b"alt-svc", b"strict-transport-security"),
    *(b"x-served-by", b"x-model", b"x-fallback-reason"),  # ours to say, also when Claude is another Pilot Light
}


def passed_forward(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """A client's header lines as they may go to Anthropic: what the client's key and connection were ends here.

    So does what would make Anthropic's edge refuse the request: nobody but this client is to lose Claude by it. Lines
    of one name become one list (RFC 9110, 5.3). `headers` has lower-case names.
    """
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _NOT_PASSED_FORWARD or name.startswith((b"x-forwarded-", b"x-pilot-")):
            continue
        if name in joined and name not in _SINGLE and not name.startswith(_SINGLE_PREFIXES):
            value = joined[name] + b", " + value
        joined[name] = value
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in joined.items()
        if len(name) + len(value) <= _LONGEST_HEADER_BYTES
    }


def passed_back(headers: httpx2.Headers) -> Pairs:
    """Anthropic's header lines as they may go to a client."""
    return [(name.lower(), value) for name, value in headers.raw if name.lower() not in _NOT_PASSED_BACK]
