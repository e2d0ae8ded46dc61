"""Tools on a model not made for them: a call that is forced by a grammar, and calls found in its text. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from local_llm.dialects.errors import BadRequestError

OPENING, CLOSING = "<tool_call>", "</tool_call>"  # as Hermes and Qwen models write them
_SHOWN_CHARACTERS = 1500  # the grammar holds the model to the rest
_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}


@dataclass(frozen=True)
class Tool:
    """A tool the client offers; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A call the model makes; `arguments` is a JSON object as text."""

    name: str
    arguments: str


Part = str | ToolCall


class Reader(Protocol):
    """Makes parts of an answer out of the model's text as it comes."""

    def feed(self, text: str) -> list[Part]:
        """What can go out now."""
        ...

    def finish(self) -> list[Part]:
        """What was held back."""
        ...


class PlainReader:
    """The text is the answer."""

    def feed(self, text: str) -> list[Part]:
        """All of it, at once."""
        return [text]

    def finish(self) -> list[Part]:
        """Nothing was held back."""
        return []


@dataclass(frozen=True)
class ForcedCall:
    """The client wants one of these tools called, and nothing else."""

    tools: tuple[Tool, ...]

    @property
    def instruction(self) -> str:
        """What the model is told, behind the last message."""
        which = self.tools[0].name if len(self.tools) == 1 else "one tool"
        return f"[Answer with JSON only: the arguments to call {which}. {'; '.join(map(_shown, self.tools))}]"


class ForcedCallReader:
    """The whole text is one call; nothing goes out before it is complete."""

    def __init__(self, forced: ForcedCall) -> None:
        self._tools = forced.tools
        self._text = ""

    def feed(self, text: str) -> list[Part]:
        """Nothing yet."""
        self._text += text
        return []

    def finish(self) -> list[Part]:
        """The call; nothing when the answer's length ended it in its middle."""
        try:
            said = orjson.loads(self._text)
        except orjson.JSONDecodeError:
            return []
        if not isinstance(said, dict):
            return []
        if len(self._tools) == 1:
            return [ToolCall(self._tools[0].name, self._text.strip())]
        name, arguments = said.get("name"), said.get("arguments")
        if not isinstance(arguments, dict) or name not in {tool.name for tool in self._tools}:
            return []
        return [ToolCall(name, orjson.dumps(arguments).decode())]


class CallFinder:
    """Text with calls between `<tool_call>` and `</tool_call>` in it, for a model that was shown its tools."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._names = {tool.name for tool in tools}
        self._held = ""

    def feed(self, text: str) -> list[Part]:
        """Text that is surely none of a call, and calls that are complete."""
        self._held += text
        parts: list[Part] = []
        while True:
            at = self._held.find(OPENING)
            if at < 0:
                safe = len(self._held) - _possible_opening_length(self._held)
                parts.append(self._held[:safe])
                self._held = self._held[safe:]
                break
            end = self._held.find(CLOSING, at)
            parts.append(self._held[:at])
            self._held = self._held[at:]
            if end < 0:
                break
            block, self._held = self._held[: end - at], self._held[end - at + len(CLOSING) :]
            parts.append(self._call(block.removeprefix(OPENING)) or block + CLOSING)
        return [part for part in parts if part]

    def finish(self) -> list[Part]:
        """A call whose closing mark is missing is one when its JSON is whole; anything else was text."""
        held, self._held = self._held, ""
        if not held:
            return []
        return [(self._call(held.removeprefix(OPENING)) if held.startswith(OPENING) else None) or held]

    def _call(self, text: str) -> ToolCall | None:
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(said, dict) or said.get("name") not in self._names:
            return None
        arguments = said.get("arguments")
        if not isinstance(arguments, dict):
            return None
        return ToolCall(said["name"], orjson.dumps(arguments).decode())


def offer(tools: Sequence[Tool]) -> str:
    """How a model is shown its tools: the words that Hermes and Qwen models were trained on."""
    shown = "\n".join(
        orjson.dumps(
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
        ).decode()
        for tool in tools
    )
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        f"You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{shown}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        f"{OPENING}{CLOSING} XML tags:\n{OPENING}\n"
        f'{{"name": <function-name>, "arguments": <args-json-object>}}\n{CLOSING}'
    )


def tools_in(tools: Sequence[Any]) -> tuple[Tool, ...]:
    """OpenAI's `tools`. Raises `BadRequestError`."""
    read = []
    for index, tool in enumerate(tools):
        where = f"tools[{index}]"
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            if isinstance(tool, Mapping) and isinstance(tool.get("type"), str) and tool["type"] != "function":
                continue  # custom tools take free text, and hosted ones run at OpenAI: not here
            raise BadRequestError(where, f"`{where}` must be an object with `function.name`.")
        parameters = function.get("parameters")
        description = function.get("description")
        read.append(
            Tool(
                function["name"],
                description if isinstance(description, str) else "",
                parameters if isinstance(parameters, Mapping) else _ANY_OBJECT,
            )
        )
    return tuple(read)


def allowed_tools(tools: tuple[Tool, ...], choice: Any) -> tuple[Tool, ...]:
    """The tools that OpenAI's `allowed_tools` leaves; all of them for any other choice."""
    allowed = choice.get("allowed_tools") if isinstance(choice, Mapping) else None
    if not isinstance(allowed, Mapping) or not isinstance(allowed.get("tools"), list):
        return tools
    names = {_chosen(each) for each in allowed["tools"]}
    return tuple(tool for tool in tools if tool.name in names)


def forced_call(tools: tuple[Tool, ...], choice: Any) -> ForcedCall | None:
    """What OpenAI's `tool_choice` forces; None when that is nothing, or a tool that only Claude's servers can call.

    In words is then the best answer there is.
    """
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        choice = allowed.get("mode") if isinstance(allowed, Mapping) else None
    if choice == "required":
        return ForcedCall(tools) if tools else None
    name = _chosen(choice)
    return next((ForcedCall((tool,)) for tool in tools if tool.name == name), None)


def _chosen(choice: Any) -> str | None:
    """The name in an object that names a tool, in each of OpenAI's forms."""
    if not isinstance(choice, Mapping):
        return None
    holder = choice.get("function", choice)
    name = holder.get("name") if isinstance(holder, Mapping) else None
    return name if isinstance(name, str) else None


def shown_schema(schema: Mapping[str, Any]) -> str:
    """A schema's text for the model to read: its beginning, and nothing of one that is nested too deeply to be text."""
    try:
        return orjson.dumps(schema).decode()[:_SHOWN_CHARACTERS]
    except orjson.JSONEncodeError:
        return ""


def _shown(tool: Tool) -> str:
    return f"{tool.name}: {tool.description[:_SHOWN_CHARACTERS]} {shown_schema(tool.parameters)}"


def _possible_opening_length(text: str) -> int:
    """Characters at the end that could be the beginning of `<tool_call>`."""
    return max((size for size in range(1, len(OPENING)) if text.endswith(OPENING[:size])), default=0)
