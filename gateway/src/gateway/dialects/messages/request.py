"""Reading a Messages request: what the gateway needs of it, and what is wrong with it, in Anthropic's words.

A mistake is answered the same way whichever backend is on: what passes here, both answer.
"""

from gateway.dialects.errors import AnthropicError
from gateway.dialects.interface import Request, is_begun
from gateway.dialects.json_body import BodyError, read_json
from gateway.dialects.messages.declaration import COUNT_TOKENS, MESSAGES
from gateway.dialects.messages.tools import check_choice, forces_a_call
from gateway.dialects.shapes import MistakeError


def read_messages_request(raw: bytes, content_type: str, *, counting: bool = False) -> Request:
    """Parse and check `raw`; raises AnthropicError naming the field. `counting` needs no `max_tokens`."""
    try:
        body, raw = read_json(raw, content_type)
        (COUNT_TOKENS if counting else MESSAGES).check(body)
    except BodyError as error:
        raise AnthropicError(error.status, error.message) from None
    except MistakeError as mistake:
        raise _named(mistake) from None
    check_choice(body)
    json_mode = any(
        isinstance((holder or {}).get(name), dict)
        for holder, name in ((body.get("output_config"), "format"), (body, "output_format"))
    )
    return Request(
        body=body,
        raw=raw,
        stream=body.get("stream") is True and not counting,
        model=body["model"],
        json_mode=json_mode,
        additions_allowed=not (counting or json_mode or forces_a_call(body) or is_begun(body)),
    )


def _named(mistake: MistakeError) -> AnthropicError:
    where = ".".join(map(str, mistake.path))
    if mistake.kind == "missing":
        return AnthropicError(400, f"{where}: Field required")
    if mistake.kind == "empty":
        return AnthropicError(400, f"{where}: at least one message is required")
    return AnthropicError(400, f"{where}: Input should be {mistake.wanted}".removeprefix(": "))
