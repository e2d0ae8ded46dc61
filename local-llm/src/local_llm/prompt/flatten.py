"""Chat messages to what a small model can see: plain text, three roles, taking turns. Pure.

A session with tools, images and several system prompts becomes one system text and turns of user and assistant.
A turn begins with what the user said and holds everything up to the next time they speak, so that a tool exchange
is never torn apart when turns are dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from local_llm.dialects.errors import BadRequestError

CUT_MARK = "[… cut …]"
# The same in every turn, so that a conversation's beginning stays the same and in the cache.
_CALL_CHARACTERS = 300
_RESULT_CHARACTERS = 2000
# Claude Code's first system block: it changes with every request, and nothing behind it would ever be cached.
_ATTRIBUTION = re.compile(r"\Ax-anthropic-billing-header:[^\n]*\n*")

Role = Literal["system", "user", "assistant"]
_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",
    "function": "user",
}
_MARKERS = {
    "image_url": "[image]",
    "image": "[image]",
    "input_image": "[image]",
    "input_audio": "[audio]",
    "file": "[document]",
    "document": "[document]",
    "input_file": "[document]",
    "thinking": "[thinking]",  # another model's thoughts would only be taken for something said
    "redacted_thinking": "[thinking]",
    "reasoning": "[thinking]",
}


@dataclass(frozen=True)
class Message:
    """One message as the chat template gets it."""

    role: Role
    text: str


@dataclass(frozen=True)
class Conversation:
    """A flattened conversation.

    `system` is empty when the client gave none; `turns` holds at least one turn; `partial` is an answer already begun,
    to be gone on with, mostly empty.
    """

    system: str
    turns: tuple[tuple[Message, ...], ...]
    partial: str = ""


def flatten(messages: Sequence[Any]) -> Conversation:
    """Flatten OpenAI messages. Raises `BadRequestError` naming the field whose shape is unknown."""
    if not messages:
        raise BadRequestError("messages", "`messages` must hold at least one message.")
    systems: list[str] = []
    said: list[_Said] = []
    called: dict[str, str] = {}
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, Mapping):
            raise BadRequestError(where, f"`{where}` must be an object with `role` and `content`.")
        role = _ROLES.get(str(message.get("role")))
        if role is None:
            raise BadRequestError(f"{where}.role", f"`{where}.role` must be one of {', '.join(_ROLES)}.")
        text = _text(message.get("content"), f"{where}.content")
        if role == "system":
            systems.append(_ATTRIBUTION.sub("", text))
        elif message["role"] in ("tool", "function"):
            name = called.get(str(message.get("tool_call_id")), message.get("name"))
            name = name if isinstance(name, str) else "tool"
            said.append(_Said(role, f"[{name} returned: {_short(text, _RESULT_CHARACTERS)}]", opens=False))
        else:
            calls = _calls(message, where, called) if role == "assistant" else []
            refusal = message.get("refusal") if role == "assistant" else None
            parts = [text, refusal if isinstance(refusal, str) else "", *calls]
            said.append(_Said(role, "\n".join(filter(None, parts)), opens=role == "user"))
    partial = ""
    if said and said[-1].role == "assistant" and not _ends_in_call(messages[-1]):
        partial = said.pop().text.removeprefix("[thinking]").lstrip("\n")  # gone on with: no marks of ours in it
    system = "\n\n".join(filter(None, systems))
    if not any(each.role == "user" for each in said):
        # Nothing but instructions: they are what there is to be answered.
        said.append(_Said("user", system, opens=True))
        system = ""
    return Conversation(system, _turns(_merged(said)), partial)


@dataclass(frozen=True)
class _Said:
    role: Role
    text: str
    opens: bool  # whether a turn begins here: the user speaks, not a tool for them


def _ends_in_call(message: Mapping[str, Any]) -> bool:
    return bool(message.get("tool_calls") or message.get("function_call"))


def _merged(said: list[_Said]) -> list[_Said]:
    """Same-role neighbours as one: several templates refuse roles that do not alternate."""
    merged: list[_Said] = []
    for each in said:
        if not each.text:
            continue
        if merged and merged[-1].role == each.role:
            before = merged[-1]
            merged[-1] = _Said(each.role, f"{before.text}\n\n{each.text}", before.opens)
        else:
            merged.append(each)
    return merged


def _turns(said: list[_Said]) -> tuple[tuple[Message, ...], ...]:
    turns: list[list[Message]] = []
    for each in said:
        if each.opens or not turns:
            turns.append([])
        turns[-1].append(Message(each.role, each.text))
    return tuple(tuple(turn) for turn in turns) or ((Message("user", ""),),)


def _text(content: Any, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise BadRequestError(where, f"`{where}` must be a string or a list of parts.")
    return "\n".join(filter(None, (_part(part, f"{where}[{index}]") for index, part in enumerate(content))))


def _part(part: Any, where: str) -> str:
    if not isinstance(part, Mapping):
        raise BadRequestError(where, f"`{where}` must be an object with a `type`.")
    kind = str(part.get("type"))
    if kind in _MARKERS:
        return _MARKERS[kind]
    field = "refusal" if kind == "refusal" else "text"
    if isinstance(part.get(field), str):
        return str(part[field])
    if kind in ("text", "input_text", "output_text", "refusal"):
        raise BadRequestError(f"{where}.{field}", f"`{where}.{field}` must be a string.")
    return f"[{kind[:50].replace('_', ' ')}]"  # parts come and go: all the model needs to know is that there was one


def _short(text: str, limit_characters: int) -> str:
    """Both ends of a long text: they hold what matters."""
    if len(text) <= limit_characters:
        return text
    half = limit_characters // 2
    return f"{text[:half]}\n{CUT_MARK}\n{text[-half:]}"


def _calls(message: Mapping[str, Any], where: str, called: dict[str, str]) -> list[str]:
    """Tool calls as text the model can read; notes in `called` which id was which tool."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequestError(f"{where}.tool_calls", f"`{where}.tool_calls` must be a list.")
    texts = []
    for index, call in enumerate(calls):
        at = f"{where}.tool_calls[{index}]"
        if not isinstance(call, Mapping):
            raise BadRequestError(at, f"`{at}` must be an object.")
        function = call.get("function") or call.get("custom")
        name, text = _called(function, f"{at}.function")
        texts.append(text)
        called[str(call.get("id"))] = name
    if message.get("function_call"):
        texts.append(_called(message["function_call"], f"{where}.function_call")[1])
    return texts


def _called(function: Any, where: str) -> tuple[str, str]:
    """A call's tool and its text."""
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise BadRequestError(where, f"`{where}` must be an object with a `name`.")
    arguments = function.get("arguments", function.get("input", ""))
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return function["name"], f"[called {function['name']}({_short(text, _CALL_CHARACTERS)})]"
