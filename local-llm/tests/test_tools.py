"""Tool calls out of a small model's text."""

import json
from typing import Any

import pytest

from local_llm.dialects.errors import BadRequestError
from local_llm.dialects.tools import (
    CallFinder,
    ForcedCall,
    ForcedCallReader,
    Part,
    Tool,
    ToolCall,
    allowed_tools,
    forced_call,
    offer,
    tools_in,
)

WEATHER = Tool("get_weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
TIME = Tool("get_time", "", {"type": "object"})
CALL = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
CALLED = ToolCall("get_weather", '{"city":"Paris"}')


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        (["It is ", "sunny."], ["It is ", "sunny."]),
        (["a < b"], ["a < b"]),
        ([f"<tool_call>\n{CALL}\n</tool_call>"], [CALLED]),
        (["Let me see. <tool", "_call>", CALL, "</tool_", "call>"], ["Let me see. ", CALLED]),
        ([f"<tool_call>{CALL}</tool_call><tool_call>{CALL}</tool_call> Done."], [CALLED, CALLED, " Done."]),
        ([f"<tool_call>{CALL}"], [CALLED]),
        (["<tool_call>no JSON</tool_call>"], ["<tool_call>no JSON</tool_call>"]),
        (['<tool_call>{"name": "rm", "arguments": {}}</tool_call>'], None),
        (["<tool_call>{"], ["<tool_call>{"]),
        (["wait <too"], ["wait ", "<too"]),
    ],
    ids=["text", "less than", "a call", "in pieces", "two", "unclosed", "no call", "unknown tool", "half", "held back"],
)
def test_calls_are_found_in_text(pieces: list[str], parts: list[Part] | None) -> None:
    """A call of a known tool becomes one; whatever else it looked like is text, and none of it is lost."""
    finder = CallFinder([WEATHER])
    found = [part for piece in pieces for part in finder.feed(piece)] + finder.finish()
    assert found == (pieces if parts is None else parts)


def test_one_forced_tool_is_its_arguments() -> None:
    """The text is the arguments, and nothing goes out before the call is whole."""
    forced = ForcedCall((WEATHER,))
    assert "get_weather" in forced.instruction
    reader = ForcedCallReader(forced)
    assert reader.feed('{"city":') == []
    reader.feed('"Paris"}')
    assert reader.finish() == [CALLED]


def test_one_of_several_forced_tools_is_named() -> None:
    """The answer says which."""
    reader = ForcedCallReader(ForcedCall((TIME, WEATHER)))
    reader.feed(CALL)
    assert reader.finish() == [CALLED]


@pytest.mark.parametrize("text", ['{"city": "Par', "7", "[]", ""])
def test_half_a_forced_call_is_none(text: str) -> None:
    """Cut off by its length: nobody may run it."""
    reader = ForcedCallReader(ForcedCall((WEATHER,)))
    reader.feed(text)
    assert reader.finish() == []


@pytest.mark.parametrize(
    "text", ['{"name": "rm", "arguments": {}}', '{"name": "get_time"}', '{"name": 1, "arguments": {}}']
)
def test_no_call_of_another_tool(text: str) -> None:
    """One of those that were forced, with arguments, or none."""
    reader = ForcedCallReader(ForcedCall((TIME, WEATHER)))
    reader.feed(text)
    assert reader.finish() == []


def test_a_schema_too_deep_to_be_shown() -> None:
    """The tool is named all the same."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(300):
        schema = {"items": schema}
    assert "deep" in ForcedCall((Tool("deep", "", schema),)).instruction


def test_tools_are_shown_as_models_know_them() -> None:
    """One JSON line each, between the marks they were trained on."""
    shown = offer([WEATHER]).partition("<tools>\n")[2].partition("\n</tools>")[0]
    assert json.loads(shown)["function"]["name"] == "get_weather"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("required", ["get_weather", "get_time"]),
        ({"type": "function", "function": {"name": "get_time"}}, ["get_time"]),
    ],
)
def test_what_is_forced(choice: Any, names: list[str]) -> None:
    """Any of them, or the one that is named."""
    assert [tool.name for tool in (forced_call((WEATHER, TIME), choice) or ForcedCall(())).tools] == names


@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        ((), "required"),
        ((WEATHER,), {"type": "function", "function": {"name": "rm"}}),
        ((WEATHER,), {"type": "web_search_20250305", "name": "web_search"}),
        ((WEATHER,), {"type": "allowed_tools"}),
        ((WEATHER,), {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}),
        ((WEATHER,), "sometimes"),
    ],
)
def test_what_cannot_be_forced_is_said_in_words(tools: tuple[Tool, ...], choice: Any) -> None:
    """A tool that only Claude's servers can call, above all: an answer in words is better than none."""
    assert forced_call(tools, choice) is None


ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"function": {"name": TIME.name}}]}}


def test_some_of_the_tools_are_allowed() -> None:
    """OpenAI's `allowed_tools`, which Claude's way takes, too."""
    assert allowed_tools((WEATHER, TIME), ALLOWED) == (TIME,)
    assert allowed_tools((WEATHER, TIME), "required") == (WEATHER, TIME)
    assert forced_call((TIME,), ALLOWED) == ForcedCall((TIME,))


def test_reading_tools() -> None:
    """A function's schema may be missing; tools of other kinds are not for here; nonsense is named."""
    function = {"type": "function", "function": {"name": "get_time"}}
    assert tools_in([function, {"type": "web_search"}]) == (TIME,)
    with pytest.raises(BadRequestError) as caught:
        tools_in([function, {"function": {}}])
    assert caught.value.param == "tools[1]"
