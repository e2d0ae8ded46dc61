"""Function tools and the choice among them. Pure."""

import re
from typing import Any

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.fields import typed
from claude_adapter.translation.model_traits import ModelTraits

Json = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_BRANCHES = ("allOf", "anyOf", "oneOf")


def tool_fields(request: Json, traits: ModelTraits) -> tuple[Json, list[str]]:
    """`tools` and `tool_choice`, and what must be said in words since the model takes no forced choice."""
    given = typed(request, "tools", list, "a list")
    choice = request.get("tool_choice")
    if not given:
        if choice in (None, "auto", "none"):
            return {}, []
        raise BadRequestError("tool_choice is only allowed together with tools.", "tool_choice")
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(given)]
    names = [tool["name"] for tool in tools]
    for index, name in enumerate(names):
        if name in names[:index]:
            path = f"tools[{index}].function.name"
            raise BadRequestError(f"{path} {name!r} is there twice: each tool needs a name of its own.", path)
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        tools, choice = _allowed(tools, choice)
    translated = _choice(choice, names)
    words: list[str] = []
    if translated and translated["type"] in ("any", "tool") and not traits.takes_forced_tool:
        words = [_in_words(translated, [tool["name"] for tool in tools])]
        translated = {"type": "auto"}
    if request.get("parallel_tool_calls") is False:
        translated = translated or {"type": "auto"}
        if translated["type"] != "none":
            translated["disable_parallel_tool_use"] = True
    return {"tools": tools, "tool_choice": translated} if translated else {"tools": tools}, words


def is_forced(fields: Json) -> bool:
    """Whether the translated choice leaves the model no way but to call a tool."""
    return fields.get("tool_choice", {}).get("type") in ("any", "tool")


def _tool(tool: object, path: str) -> Json:
    if isinstance(tool, dict) and tool.get("type") == "custom":
        raise BadRequestError(
            f"{path}: a custom tool takes free text, and Claude's tools take JSON: make it a function.", f"{path}.type"
        )
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type", "function") == "function" else None
    if not isinstance(function, dict):
        raise BadRequestError(f"{path} must be a function.", path)
    path = f"{path}.function"
    if not isinstance(name := function.get("name"), str):
        raise BadRequestError(f"{path}.name must be a string.", f"{path}.name")
    if not _NAME.fullmatch(name):
        raise BadRequestError(
            f"{path}.name {name[:150]!r} must be 1 to 128 letters, digits, hyphens and underscores.", f"{path}.name"
        )
    schema = function.get("parameters") or {}
    if not isinstance(schema, dict):
        raise BadRequestError(f"{path}.parameters must be a JSON schema.", f"{path}.parameters")
    description = function.get("description")
    if description is not None and not isinstance(description, str):
        raise BadRequestError(f"{path}.description must be a string.", f"{path}.description")
    translated: Json = {"name": name, "input_schema": _input_schema(schema)}
    if description:
        translated["description"] = description
    return translated


def _input_schema(schema: Json) -> Json:
    """The schema as Claude requires it at its top: of type `object`, without branches."""
    fitted = {key: value for key, value in schema.items() if key not in _BRANCHES and value is not None}
    fitted["type"] = "object"
    for keyword in _BRANCHES:
        branches = schema.get(keyword)
        if isinstance(branches, list) and branches:
            _join(fitted, [branch for branch in branches if isinstance(branch, dict)], every=keyword == "allOf")
    return fitted


def _join(schema: Json, branches: list[Json], *, every: bool) -> None:
    """All branches' properties in one object; required is what all of them (`every`: any of them) require."""
    properties: Json = {}
    for branch in branches:
        properties |= _object(branch.get("properties"))
    if properties:
        schema["properties"] = properties | _object(schema.get("properties"))
    wanted = [_names(branch.get("required")) for branch in branches]
    more = (set.union(*wanted) if every else set.intersection(*wanted)) if wanted else set()
    if required := sorted(more | _names(schema.get("required"))):
        schema["required"] = required


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _names(value: object) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()


def _allowed(tools: list[Json], choice: Json) -> tuple[list[Json], str]:
    """The tools that may be called now, and the choice among them."""
    path = "tool_choice.allowed_tools"
    allowed = choice.get("allowed_tools")
    if not isinstance(allowed, dict) or allowed.get("mode") not in ("auto", "required"):
        raise BadRequestError(f"{path}.mode must be auto or required.", f"{path}.mode")
    listed = allowed.get("tools")
    names = [_function_name(tool) for tool in listed] if isinstance(listed, list) else []
    by_name = {tool["name"]: tool for tool in tools}
    if not names or any(name not in by_name for name in names):
        raise BadRequestError(f"{path}.tools must name functions that are in tools.", f"{path}.tools")
    return [tool for tool in tools if tool["name"] in names], allowed["mode"]


def _function_name(tool: object) -> str | None:
    match tool:
        case {"type": "function", "function": {"name": str(name)}} | {"type": "function", "name": str(name)}:
            return name
    return None


def _choice(choice: object, names: list[str]) -> Json | None:
    match choice:
        case None:
            return None
        case "auto" | "none":
            return {"type": choice}
        case "required":
            return {"type": "any"}
        case {"type": "custom"}:
            raise BadRequestError("tool_choice must name a function: Claude has no custom tools.", "tool_choice")
    name = _function_name(choice)
    if name is None:
        raise BadRequestError(
            "tool_choice must be none, auto, required, a named function or allowed_tools.", "tool_choice"
        )
    if name not in names:
        raise BadRequestError(f"tool_choice names {name[:150]!r}, which is not in tools.", "tool_choice.function.name")
    return {"type": "tool", "name": name}


def _in_words(choice: Json, names: list[str]) -> str:
    if choice["type"] == "tool":
        return f"Answer by calling the tool {choice['name']}, not with text."
    return f"Answer by calling {'one of the tools' if len(names) > 1 else f'the tool {names[0]}'}, not with text."
