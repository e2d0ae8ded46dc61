"""Function tools and the choice among them. Pure.

A custom tool takes free text, and Claude's tools take JSON: it becomes a function with one text. Tools that another
service would run are left out.
"""

import re
from typing import Any

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.cache_marks import mark_last
from claude_adapter.translation.fields import typed
from claude_adapter.translation.model_traits import ModelTraits

Json = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_BRANCHES = ("allOf", "anyOf", "oneOf")
_KINDS = ("function", "custom")
_FREE_TEXT: Json = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def tool_fields(request: Json, traits: ModelTraits) -> tuple[Json, list[str]]:
    """`tools` and `tool_choice`, and what must be said in words since the model takes no forced choice."""
    given = typed(request, "tools", list, "a list")
    choice = request.get("tool_choice")
    if not given:
        if choice in (None, "auto", "none"):
            return {}, []
        raise BadRequestError("tool_choice is only allowed together with tools.", "tool_choice")
    read = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(given)]
    named: dict[str, Json] = {}
    for tool in read:
        if tool is not None:
            named.setdefault(tool["name"], tool)  # of two with one name Claude takes neither: the first counts
    tools = list(named.values())
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        tools, choice = _allowed(tools, choice)
    if not tools:
        return {}, []
    translated = _choice(choice, list(named))
    words: list[str] = []
    if translated and translated["type"] in ("any", "tool") and not traits.takes_forced_tool:
        words = [_in_words(translated, [tool["name"] for tool in tools])]
        translated = {"type": "auto"}
    if request.get("parallel_tool_calls") is False:
        translated = translated or {"type": "auto"}
        if translated["type"] != "none":
            translated["disable_parallel_tool_use"] = True
    return {"tools": tools, "tool_choice": translated} if translated else {"tools": tools}, words


def custom_tools(request: Json) -> frozenset[str]:
    """The names of the custom tools: a call of one is told as it was asked for."""
    tools = [tool for tool in request.get("tools") or () if isinstance(tool, dict) and tool.get("type") == "custom"]
    return frozenset(tool["custom"]["name"] for tool in tools if isinstance(tool.get("custom"), dict))


def is_forced(fields: Json) -> bool:
    """Whether the translated choice leaves the model no way but to call a tool."""
    return fields.get("tool_choice", {}).get("type") in ("any", "tool")


def _tool(tool: object, path: str) -> Json | None:
    """A tool as Claude takes it; None for one that is left out."""
    if not isinstance(tool, dict):
        raise BadRequestError(f"{path} must be an object.", path)
    kind = tool.get("type", "function")
    if kind not in _KINDS:
        return None
    function = tool.get(kind)
    if not isinstance(function, dict):
        raise BadRequestError(f"{path} must be a function.", path)
    path = f"{path}.{kind}"
    if not isinstance(name := function.get("name"), str):
        raise BadRequestError(f"{path}.name must be a string.", f"{path}.name")
    if not _NAME.fullmatch(name):
        raise BadRequestError(
            f"{path}.name {name[:150]!r} must be 1 to 128 letters, digits, hyphens and underscores.", f"{path}.name"
        )
    schema = function.get("parameters") or {}
    if not isinstance(schema, dict):
        raise BadRequestError(f"{path}.parameters must be a JSON schema.", f"{path}.parameters")
    translated: Json = {"name": name, "input_schema": _FREE_TEXT if kind == "custom" else _input_schema(schema)}
    if description := _description(function):
        translated["description"] = description
    mark_last([translated], tool.get("cache_control") or function.get("cache_control"))
    return translated


def _description(function: Json) -> str:
    """The tool's own words, and the grammar that a custom tool's text must fit."""
    given, wanted = function.get("description"), function.get("format")
    words = [given] if isinstance(given, str) and given else []
    grammar = wanted.get("grammar", wanted) if isinstance(wanted, dict) else None
    if isinstance(grammar, dict) and isinstance(grammar.get("definition"), str):
        words.append(f"The text must fit this {grammar.get('syntax') or ''} grammar:\n{grammar['definition']}")
    return "\n\n".join(words)


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
    names = [_chosen(tool) for tool in listed] if isinstance(listed, list) else []
    return [tool for tool in tools if tool["name"] in names], allowed["mode"]


def _chosen(choice: object) -> str | None:
    match choice:
        case {"function": {"name": str(name)}} | {"custom": {"name": str(name)}} | {"name": str(name)}:
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
    name = _chosen(choice)
    if name is None:
        raise BadRequestError(
            "tool_choice must be none, auto, required, a named function or allowed_tools.", "tool_choice"
        )
    return {"type": "tool", "name": name} if name in names else None  # another service's


def _in_words(choice: Json, names: list[str]) -> str:
    if choice["type"] == "tool":
        return f"Answer by calling the tool {choice['name']}, not with text."
    return f"Answer by calling {'one of the tools' if len(names) > 1 else f'the tool {names[0]}'}, not with text."
