"""The tools of a Messages request and the choice among them: what is wrong with their shape.

A tool with a type of its own is Claude's to know: it runs it, or has taught the model to use it.
"""

from gateway.dialects.errors import AnthropicError
from gateway.dialects.interface import Json

_CHOICES = ("auto", "any", "tool", "none")


def check_tools(body: Json) -> None:
    """`tools` is a list and `tool_choice` an object, or absent. Raises AnthropicError."""
    tools = body.get("tools") or []
    for i, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise AnthropicError(400, f"tools.{i}: Input should be a valid dictionary")
        if is_the_clients(tool):
            for name, kind, words in (("name", str, "a valid string"), ("input_schema", dict, "a valid dictionary")):
                if not isinstance(tool.get(name), kind):
                    wanted = f"Input should be {words}" if name in tool else "Field required"
                    raise AnthropicError(400, f"tools.{i}.custom.{name}: {wanted}")
    choice = body.get("tool_choice")
    if choice is None:
        return
    if choice.get("type") not in _CHOICES:
        raise AnthropicError(400, f"tool_choice.type: Input should be one of {', '.join(_CHOICES)}")
    if not tools:
        raise AnthropicError(400, "tool_choice: may only be specified while providing tools")
    if choice["type"] == "tool":
        if not isinstance(choice.get("name"), str):
            raise AnthropicError(400, "tool_choice.tool.name: Field required")
        if all(map(is_the_clients, tools)) and choice["name"] not in {tool["name"] for tool in tools}:
            raise AnthropicError(400, "tool_choice.tool.name: no tool of this name is in tools")


def is_the_clients(tool: Json) -> bool:
    """Whether it is a tool that the client has described itself."""
    return tool.get("type") in (None, "custom")


def forces_a_call(body: Json) -> bool:
    """Whether the answer of a checked request is a call, whoever gives it: one of the client's tools."""
    choice = body.get("tool_choice") or {}
    names = [tool["name"] for tool in body.get("tools") or () if is_the_clients(tool)]
    return bool(names) if choice.get("type") == "any" else choice.get("type") == "tool" and choice["name"] in names
