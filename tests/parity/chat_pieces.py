"""What Chat Completions bodies are made of, for the tables beside."""

from typing import Any

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "What is the capital of France?"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
JPEG = "/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAgGBgcGBQg="
WEBP = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"
GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PDF = "JVBERi0xLjQKJeLjz9MK"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEA"
CACHED = {"type": "ephemeral"}


def said(*messages: Json, **fields: Any) -> Json:
    """A request with these messages, or a plain question."""
    return {"model": "pilot", "messages": list(messages) or [USER], **fields}


def parts(*content: Json) -> Json:
    """A request whose user sends these parts."""
    return said({"role": "user", "content": list(content)})


def text(words: str, **more: Any) -> Json:
    """A text part."""
    return {"type": "text", "text": words, **more}


def image(url: Any) -> Json:
    """An image part."""
    return {"type": "image_url", "image_url": url}


def tool(name: str = "look", parameters: Any = None, **more: Any) -> Json:
    """A function tool."""
    function = {"name": name, **({} if parameters is None else {"parameters": parameters}), **more}
    return {"type": "function", "function": function}


def call(arguments: Any = "{}", **more: Any) -> Json:
    """A tool call of an earlier answer."""
    return {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": arguments}, **more}


def history(
    *calls: Any, results: tuple[Json, ...] = ({"role": "tool", "tool_call_id": "call_1", "content": "7"},)
) -> Json:
    """A request in the middle of a tool loop."""
    return said(USER, {"role": "assistant", "content": None, "tool_calls": list(calls)}, *results, tools=[tool()])


def without(name: str) -> Json:
    """A tool call that lacks a field."""
    return {key: value for key, value in call().items() if key != name}


def schema(wanted: Any) -> Json:
    """A request for JSON by a schema."""
    return said(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": wanted}})


def forced(choice: Any, *tools: Json) -> Json:
    """A request that chooses among tools."""
    return said(tools=list(tools or (tool(),)), tool_choice=choice)


def allowed(mode: Any, *names: str) -> Json:
    """OpenAI's choice among some of the tools."""
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [tool(name) for name in names]}}


NAMED = {"type": "function", "function": {"name": "look"}}
SERVER_TOOL = {"type": "web_search_20250305", "name": "web_search"}
CUSTOM_TOOL = {"type": "custom", "custom": {"name": "patch", "description": "A patch."}}
