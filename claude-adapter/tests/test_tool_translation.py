"""Tools and the choice among them."""

from typing import Any

import pytest

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.model_traits import traits_of
from claude_adapter.translation.tools import tool_fields

TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"properties": {}}, "strict": True},
}
OTHER = {"type": "function", "function": {"name": "g"}}
CLAUDE_TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}
CLAUDE_OTHER = {"name": "g", "input_schema": {"type": "object"}}
CUSTOM = {"type": "custom", "custom": {"name": "c", "description": "d"}}
CLAUDE_CUSTOM = {
    "name": "c",
    "description": "d",
    "input_schema": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
}
HOSTED = {"type": "web_search_20250305", "name": "web_search"}
NAMED = {"type": "function", "function": {"name": "f"}}


def allowed(mode: object, *names: str) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def fields(model: str = "claude-haiku-5-5", **request: Any) -> tuple[dict[str, Any], list[str]]:
    return tool_fields(request, traits_of(model))


@pytest.mark.parametrize(
    ("request_fields", "expected"),
    [
        ({"tools": []}, {}),
        ({"tools": None, "tool_choice": "none"}, {}),
        ({"tool_choice": "auto"}, {}),
        ({"tools": [TOOL]}, {"tools": [CLAUDE_TOOL]}),
        ({"tools": [OTHER]}, {"tools": [CLAUDE_OTHER]}),
        # of two with one name the first counts; what another service would run is left out, and so is a choice of it
        ({"tools": [TOOL, OTHER, {**TOOL, "function": {"name": "f"}}]}, {"tools": [CLAUDE_TOOL, CLAUDE_OTHER]}),
        ({"tools": [HOSTED, TOOL]}, {"tools": [CLAUDE_TOOL]}),
        ({"tools": [HOSTED], "tool_choice": "required"}, {}),
        ({"tools": [HOSTED, TOOL], "tool_choice": HOSTED}, {"tools": [CLAUDE_TOOL]}),
        ({"tools": [HOSTED, TOOL], "tool_choice": allowed("required", "web_search")}, {}),
        (
            {"tools": [CUSTOM], "tool_choice": CUSTOM},
            {"tools": [CLAUDE_CUSTOM], "tool_choice": {"type": "tool", "name": "c"}},
        ),
        ({"tools": [TOOL], "tool_choice": "none"}, {"tools": [CLAUDE_TOOL], "tool_choice": {"type": "none"}}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [CLAUDE_TOOL], "tool_choice": {"type": "auto"}}),
        ({"tools": [TOOL], "tool_choice": "required"}, {"tools": [CLAUDE_TOOL], "tool_choice": {"type": "any"}}),
        (
            {"tools": [TOOL], "tool_choice": NAMED},
            {"tools": [CLAUDE_TOOL], "tool_choice": {"type": "tool", "name": "f"}},
        ),
        (
            {"tools": [TOOL, OTHER], "tool_choice": allowed("auto", "g")},
            {"tools": [CLAUDE_OTHER], "tool_choice": {"type": "auto"}},
        ),
        (
            {"tools": [TOOL, OTHER], "tool_choice": allowed("required", "g", "f")},
            {"tools": [CLAUDE_TOOL, CLAUDE_OTHER], "tool_choice": {"type": "any"}},
        ),
        (
            {"tools": [TOOL], "parallel_tool_calls": False},
            {"tools": [CLAUDE_TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (
            {"tools": [TOOL], "parallel_tool_calls": False, "tool_choice": "required"},
            {"tools": [CLAUDE_TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        ),
        (
            {"tools": [TOOL], "parallel_tool_calls": False, "tool_choice": "none"},
            {"tools": [CLAUDE_TOOL], "tool_choice": {"type": "none"}},
        ),
    ],
)
def test_tools(request_fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every form of tools and choice has its counterpart."""
    assert fields(**request_fields) == (expected, [])


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-1", "claude-next"])
@pytest.mark.parametrize("choice", [NAMED, "required", allowed("required", "f")])
def test_a_choice_that_the_model_takes_in_words_only(model: str, choice: object) -> None:
    """The newest models refuse a forced choice: it becomes `auto` and a sentence that names the tool."""
    translated, words = fields(model, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)
    assert translated["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert words == ["Answer by calling the tool f, not with text."]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (None, {"type": "object"}),
        ({"type": None, "properties": None, "required": None}, {"type": "object"}),
        ({"type": "string"}, {"type": "object"}),
        ({"type": ["object", "null"], "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        # one of several shapes: all properties, and what each of them requires
        (
            {
                "anyOf": [
                    {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
                    {"properties": {"c": {}}, "required": ["b"]},
                ]
            },
            {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "required": ["b"]},
        ),
        # all of several shapes at once
        (
            {
                "type": "object",
                "properties": {"z": {}},
                "required": ["z"],
                "allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"required": ["b"]}, True],
            },
            {"type": "object", "properties": {"a": {}, "z": {}}, "required": ["a", "b", "z"]},
        ),
        ({"oneOf": [{"properties": 5, "required": 7}]}, {"type": "object"}),
    ],
)
def test_a_schema_is_made_valid(schema: object, expected: dict[str, Any]) -> None:
    """Claude wants an object without branches at the top."""
    translated, _ = fields(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
    assert translated["tools"][0]["input_schema"] == expected


@pytest.mark.parametrize(
    ("request_fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": ["x"]}, "tools[0]"),
        ({"tools": [{"function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"function": {"name": "a.b"}}]}, "tools[0].function.name"),
        ({"tools": [{"function": {"name": "a" * 129}}]}, "tools[0].function.name"),
        ({"tools": [{"function": {"name": "a", "parameters": [1]}}]}, "tools[0].function.parameters"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": NAMED}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": allowed("maybe", "f")}, "tool_choice.allowed_tools.mode"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools.mode"),
    ],
)
def test_bad_field_is_named(request_fields: dict[str, Any], param: str) -> None:
    """What Claude cannot do is refused with the path of the field."""
    with pytest.raises(BadRequestError) as caught:
        fields(**request_fields)
    assert caught.value.param == param


@pytest.mark.parametrize("nested", [True, False])
def test_the_grammar_of_a_custom_tool_is_told(nested: bool) -> None:
    """Claude cannot be held to it, but may follow it: as Chat Completions writes it, and as Responses does."""
    grammar = {"syntax": "lark", "definition": "start: /x+/"}
    wanted = {"type": "grammar", **({"grammar": grammar} if nested else grammar)}
    translated, _ = fields(tools=[{"type": "custom", "custom": {"name": "c", "description": "d", "format": wanted}}])
    assert translated["tools"][0]["description"] == "d\n\nThe text must fit this lark grammar:\nstart: /x+/"
