"""Tools and the choice among them in the forms of Responses and Messages, which some clients send here, too. Pure.

Both backends get them in this API's own form.
"""

from typing import Any

from gateway.dialects.interface import Json

_SCHEMAS = ("parameters", "input_schema")
_CHOICES = {"auto": "auto", "none": "none", "any": "required", "required": "required"}


def in_own_form(body: Json) -> bool:
    """Change what is in another form, in place; whether anything was."""
    tools, choice = body.get("tools"), body.get("tool_choice")
    own: Json = {"tools": [_tool(tool) for tool in tools] if isinstance(tools, list) else tools}
    own["tool_choice"] = _choice(choice)
    if _is_one_at_a_time(choice) and body.get("parallel_tool_calls") is None:
        own["parallel_tool_calls"] = False
    changed = {name: value for name, value in own.items() if value != body.get(name)}
    body |= changed
    return bool(changed)


def _tool(tool: Any) -> Any:
    """A tool whose name stands beside its type, where it is a function: its description and schema beside it, too."""
    if not isinstance(tool, dict) or tool.get("type") not in (None, "function", "custom") or "name" not in tool:
        return tool
    if isinstance(tool.get("function"), dict) or isinstance(tool.get("custom"), dict):
        return tool
    schemas = [tool[name] for name in _SCHEMAS if tool.get(name) is not None]
    if len(schemas) > 1:
        return tool  # of no API's form
    kind = "custom" if tool.get("type") == "custom" and "input_schema" not in tool else "function"
    own = {name: tool[name] for name in ("name", "description", "strict", "format") if tool.get(name) is not None}
    if schemas:
        own["parameters"] = schemas[0]
    mark = {"cache_control": tool["cache_control"]} if "cache_control" in tool else {}
    return {"type": kind, kind: own, **mark}


def _choice(choice: Any) -> Any:
    kind = choice.get("type") if isinstance(choice, dict) else "any" if choice == "any" else None
    return _CHOICES[kind] if isinstance(kind, str) and kind in _CHOICES else choice


def _is_one_at_a_time(choice: Any) -> bool:
    return isinstance(choice, dict) and choice.get("type") != "none" and choice.get("disable_parallel_tool_use") is True
