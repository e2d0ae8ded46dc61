"""The tools of a checked Chat Completions request and the choice among them.

Tools that are no functions pass: each backend does with them what it can.
"""

from gateway.dialects.chat_completions.mistakes import wrong_value
from gateway.dialects.interface import Json

_CHOICES = ("none", "auto", "required")


def check_choice(body: Json) -> None:
    """Whether there is what `tool_choice` chooses. Raises OpenAIError."""
    choice = body.get("tool_choice")
    if choice in (None, "none", "auto"):
        return
    names = [_name(tool) for tool in body.get("tools") or ()]
    if isinstance(choice, dict):
        _check_named(choice, names)
    elif choice not in _CHOICES:
        raise wrong_value("tool_choice", "use none, auto, required or an object that names a tool")
    if not names:
        raise wrong_value("tool_choice", "it is only possible together with 'tools'")


def forces_a_call(body: Json) -> bool:
    """Whether whoever answers a checked request must call: a function, as the local model knows no other tools."""
    choice = body.get("tool_choice")
    functions = {tool["function"]["name"] for tool in body.get("tools") or () if tool.get("type") in (None, "function")}
    if isinstance(choice, dict) and choice.get("type") != "allowed_tools":
        return _chosen(choice) in functions
    required = choice == "required" or (isinstance(choice, dict) and choice["allowed_tools"]["mode"] == "required")
    return required and bool(functions)


def _name(tool: Json) -> object:
    """The tool's name, as it can be called."""
    kind = "function" if tool.get("type") is None else tool["type"]
    return (tool[kind] if kind in ("function", "custom") else tool).get("name")


def _check_named(choice: Json, names: list[object]) -> None:
    if choice.get("type") == "allowed_tools":
        path = "tool_choice.allowed_tools"
        allowed = choice.get("allowed_tools")
        if not isinstance(allowed, dict) or allowed.get("mode") not in ("auto", "required"):
            raise wrong_value(f"{path}.mode", "use auto or required")
        listed = allowed.get("tools")
        if not isinstance(listed, list) or not listed or any(_chosen(each) not in names for each in listed):
            raise wrong_value(f"{path}.tools", "name tools that are in 'tools'")
        return
    if (name := _chosen(choice)) is None:
        raise wrong_value("tool_choice", "use none, auto, required, an object that names a tool, or allowed_tools")
    if name not in names:
        raise wrong_value("tool_choice", "it names a tool that is not in 'tools'")


def _chosen(choice: object) -> str | None:
    match choice:
        case {"function": {"name": str(name)}} | {"custom": {"name": str(name)}} | {"name": str(name)}:
            return name
    return None
