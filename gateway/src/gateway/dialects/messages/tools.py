"""The tools of a checked Messages request and the choice among them.

A tool with a type of its own is Claude's to know: it runs it, or has taught the model to use it.
"""

from gateway.dialects.errors import AnthropicError
from gateway.dialects.interface import Json


def check_choice(body: Json) -> None:
    """Whether there is what `tool_choice` chooses. Raises AnthropicError."""
    tools, choice = body.get("tools"), body.get("tool_choice")
    if choice is None:
        return
    if not tools:
        raise AnthropicError(400, "tool_choice: may only be specified while providing tools")
    all_known = all(map(is_the_clients, tools))
    if choice["type"] == "tool" and all_known and choice["name"] not in {tool["name"] for tool in tools}:
        raise AnthropicError(400, "tool_choice.tool.name: no tool of this name is in tools")


def is_the_clients(tool: Json) -> bool:
    """Whether it is a tool that the client has described itself."""
    return tool.get("type") in (None, "custom")


def forces_a_call(body: Json) -> bool:
    """Whether the answer of a checked request is a call, whoever gives it: one of the client's tools."""
    choice = body.get("tool_choice") or {}
    names = [tool["name"] for tool in body.get("tools") or () if is_the_clients(tool)]
    return bool(names) if choice.get("type") == "any" else choice.get("type") == "tool" and choice["name"] in names
