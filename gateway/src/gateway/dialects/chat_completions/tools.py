"""The tools of a Chat Completions request, the choice among them and the answer's form: what is wrong with their shape.

Tools that are no functions pass: each backend does with them what it can.
"""

import re

from gateway.dialects.chat_completions.mistakes import wrong_type, wrong_value
from gateway.dialects.interface import Json

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CHOICES = ("none", "auto", "required")
_FORMATS = (None, "text", "json_object", "json_schema")


def check_tools(body: Json) -> None:
    """`tools` is a list of objects, or absent. Raises OpenAIError."""
    names = [_name(tool, f"tools[{i}]") for i, tool in enumerate(body.get("tools") or ())]
    _check_choice(body.get("tool_choice"), names)


def forces_a_call(body: Json) -> bool:
    """Whether whoever answers a checked request must call: a function, as the local model knows no other tools."""
    choice = body.get("tool_choice")
    functions = {
        tool["function"]["name"] for tool in body.get("tools") or () if tool.get("type", "function") == "function"
    }
    if isinstance(choice, dict) and choice.get("type") != "allowed_tools":
        return _chosen(choice) in functions
    required = choice == "required" or (isinstance(choice, dict) and choice["allowed_tools"]["mode"] == "required")
    return required and bool(functions)


def check_response_format(body: Json) -> None:
    """`response_format` is an object, or absent. Raises OpenAIError."""
    wish = body.get("response_format") or {}
    if wish.get("type") not in _FORMATS:
        raise wrong_value("response_format.type", "use text, json_object or json_schema")
    if wish.get("type") == "json_schema":
        holder = wish.get("json_schema")
        schema = holder.get("schema") if isinstance(holder, dict) else None
        if not isinstance(schema, dict):
            raise wrong_type("response_format.json_schema.schema", "an object", schema)


def _name(tool: Json, where: str) -> str | None:
    """The tool's name, as it can be called; None for one that others run."""
    kind = tool.get("type", "function")
    if not isinstance(kind, str):
        raise wrong_type(f"{where}.type", "a string", kind)
    if kind not in ("function", "custom"):
        name = tool.get("name")
        return name if isinstance(name, str) else None
    where = f"{where}.{kind}"
    holder = tool.get(kind)
    if not isinstance(holder, dict):
        raise wrong_type(where, "an object", holder)
    name = holder.get("name")
    if not isinstance(name, str):
        raise wrong_type(f"{where}.name", "a string", name)
    if not _NAME.fullmatch(name):
        raise wrong_value(f"{where}.name", "1 to 128 letters, digits, hyphens and underscores")
    for field, type_, wanted in (("parameters", dict, "an object"), ("description", str, "a string")):
        if not isinstance(holder.get(field), type_ | None):
            raise wrong_type(f"{where}.{field}", wanted, holder[field])
    return name


def _check_choice(choice: object, names: list[str | None]) -> None:
    if choice in (None, "none", "auto"):
        return
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise wrong_value("tool_choice", "use none, auto, required or an object that names a tool")
    elif isinstance(choice, dict):
        _check_named(choice, names)
    if not names:
        raise wrong_value("tool_choice", "it is only possible together with 'tools'")


def _check_named(choice: Json, names: list[str | None]) -> None:
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
