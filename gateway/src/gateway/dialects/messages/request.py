"""Reading a Messages request: what the gateway needs of it, and what is wrong with it, in Anthropic's words.

Only the shape that every backend needs is checked, so that a mistake is answered the same way whichever is on. What the
fields mean is the backends' business; fields, roles, block types and tools not named here pass unread.
"""

from collections.abc import Callable

from gateway.dialects.errors import AnthropicError
from gateway.dialects.interface import Json, Request, is_begun
from gateway.dialects.json_body import BodyError, is_whole_number, read_json
from gateway.dialects.messages.tools import check_tools, forces_a_call


def read_messages_request(raw: bytes, content_type: str, *, counting: bool = False) -> Request:
    """Parse and check `raw`; raises AnthropicError naming the field. `counting` needs no `max_tokens`."""
    try:
        body = read_json(raw, content_type)
    except BodyError as error:
        raise AnthropicError(error.status, error.message) from None
    if not isinstance(body, dict):
        raise AnthropicError(400, "Input should be a valid dictionary")

    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if body.get(name) is None:
            raise AnthropicError(400, f"{name}: Field required")
    for name, (accepts, wanted) in _FIELDS.items():
        if body.get(name) is not None and not accepts(body[name]):
            raise AnthropicError(400, f"{name}: Input should be {wanted}")
    _check_messages(body["messages"])
    if body.get("system") is not None:
        _check_content(body["system"], "system")
    check_tools(body)
    _check_format(body)

    json_mode = any(
        isinstance(holder, dict) and isinstance(holder.get(name), dict)
        for holder, name in ((body.get("output_config"), "format"), (body, "output_format"))
    )
    return Request(
        body=body,
        stream=body.get("stream") is True and not counting,
        model=body["model"],
        json_mode=json_mode,
        additions_allowed=not (counting or json_mode or forces_a_call(body) or is_begun(body)),
    )


def _check_messages(messages: list[Json]) -> None:
    if not messages:
        raise AnthropicError(400, "messages: at least one message is required")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise AnthropicError(400, f"messages.{i}: Input should be a valid dictionary")
        for name in ("role", "content"):
            if message.get(name) is None:
                raise AnthropicError(400, f"messages.{i}.{name}: Field required")
        if not isinstance(message["role"], str):
            raise AnthropicError(400, f"messages.{i}.role: Input should be 'user' or 'assistant'")
        _check_content(message["content"], f"messages.{i}.content")


def _check_content(content: object, where: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise AnthropicError(400, f"{where}: Input should be a valid string or list")
    for j, block in enumerate(content):
        if not isinstance(block, dict):
            raise AnthropicError(400, f"{where}.{j}: Input should be a valid dictionary")
        kind = block.get("type")
        if not isinstance(kind, str):
            raise AnthropicError(400, f"{where}.{j}.type: Field required")
        if kind == "text" and not isinstance(block.get("text"), str):
            raise AnthropicError(400, f"{where}.{j}.text: Input should be a valid string")


def _check_format(body: Json) -> None:
    """The form of a JSON answer, by its name of today and that of its beta."""
    formats = {"output_config.format": (body.get("output_config") or {}).get("format")}
    formats["output_format"] = body.get("output_format")
    for where, wanted in formats.items():
        if wanted is None:
            continue
        if not isinstance(wanted, dict):
            raise AnthropicError(400, f"{where}: Input should be a valid dictionary")
        if wanted.get("type") == "json_schema" and not isinstance(wanted.get("schema"), dict):
            raise AnthropicError(400, f"{where}.schema: Input should be a valid dictionary")


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "model": (lambda value: isinstance(value, str) and value != "", "a valid string of at least 1 character"),
    "max_tokens": (lambda value: is_whole_number(value, 0), "a valid integer, 0 or greater"),
    "messages": (lambda value: isinstance(value, list), "a valid list"),
    "stop_sequences": (_is_strings, "a valid list of strings"),
    "output_config": (lambda value: isinstance(value, dict), "a valid dictionary"),
    "stream": (lambda value: isinstance(value, bool), "a valid boolean"),
    "tools": (lambda value: isinstance(value, list), "a valid list"),
    "tool_choice": (lambda value: isinstance(value, dict), "a valid dictionary"),
    "metadata": (lambda value: isinstance(value, dict), "a valid dictionary"),
    "thinking": (lambda value: isinstance(value, dict), "a valid dictionary"),
}
