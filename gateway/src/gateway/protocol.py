"""HTTP as uvicorn reads it, but for its answer to what cannot be read: a client gets JSON in its own dialect."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.dialects.errors import AnthropicError, OpenAIError

_MESSAGE = "The request could not be understood: a header has a character that headers may not have. Leave it out."
_ANTHROPIC_PATHS = tuple(base + path for base in (b"", b"/claude") for path in (b"/anthropic/", b"/v1/messages"))


class Protocol(HttpToolsProtocol):
    """For the `http` of uvicorn's settings. nginx has checked the rest of the head; it lets any character pass."""

    def send_400_response(self, msg: str) -> None:
        """Answer and hang up."""
        if self.url.startswith(_ANTHROPIC_PATHS):
            body = AnthropicError(400, _MESSAGE).body_bytes()
        else:
            body = OpenAIError(400, _MESSAGE, "invalid_request").body_bytes()
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close"
        self.transport.write((head + b"\r\n\r\n%b") % (len(body), body))
        self.transport.close()
