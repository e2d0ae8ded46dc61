"""What a connection to Claude died of: aiohttp wraps the system's error, and the SDK the probe's."""

import socket
import ssl

import aiohttp

from claude_adapter.taxonomy import ConnectionProblem
from claude_adapter.upstream.connections import DeadConnectionError


def problem_of(error: BaseException) -> ConnectionProblem:
    """The problem's name for the taxonomy; `not_http` when it was none of the connection's."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__

    def any_is(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    if any_is(DeadConnectionError):
        return "dead"
    if any_is(aiohttp.ConnectionTimeoutError):
        return "connect_timeout"
    if any_is(socket.gaierror):
        return "dns"
    if any_is(ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError):
        return "tls"
    if any_is(ConnectionRefusedError):
        return "refused"
    if any_is(TimeoutError):
        return "read_timeout"
    if any_is(aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionError):
        return "reset"
    if any_is(OSError):
        return "unreachable"
    return "not_http"
