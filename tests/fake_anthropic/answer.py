"""What the stand-in says: a pure function from conversation and script to content blocks."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

import orjson

from .messages import Conversation
from .script import Script

QUOTE_LIMIT_CHARACTERS = 2000  # an echo of a whole code base would measure our own JSON, not the stack
THINKING = "The user wrote something. I will say it back, so that it can be recognised."
SIGNATURE = "EqoBCkgIARABGAIiQ3N0YW5kLWluIHNpZ25hdHVyZSBvZiBubyB2YWx1ZQ=="

_WORD = re.compile(r"\s*\S+\s*$|\s*\S+")
_USE_TOOL = re.compile(r"use tool ([\w-]+)(?:\s+with\s+(\{.*\}))?", re.DOTALL)
_FILLER = ("and", "so", "the", "story", "goes", "on,", "word", "by", "word,")
_tool_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Block:
    """One content block. `pieces` are what its deltas carry; one piece counts as `tokens / len(pieces)` tokens."""

    kind: str  # text | thinking | tool_use
    pieces: list[str]
    tokens: int
    tool_id: str = ""
    tool_name: str = ""
    tool_input: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    model: str
    blocks: list[Block]
    stop_reason: str
    stop_sequence: str | None
    input_tokens: int

    @property
    def output_tokens(self) -> int:
        """At least 1: the real API never bills nothing."""
        return max(1, sum(block.tokens for block in self.blocks))

    @property
    def thinking_tokens(self) -> int:
        return sum(block.tokens for block in self.blocks if block.kind == "thinking")


def compose(conversation: Conversation, script: Script) -> Answer:
    """The answer to a valid conversation under a script."""
    blocks: list[Block] = []
    left = conversation.max_tokens
    stop_reason, stop_sequence = "end_turn", None
    if (conversation.thinking or script.thinking is not None) and left:
        words = _words(script.thinking or THINKING)[:left]
        left -= len(words)
        blocks.append(Block("thinking", [] if conversation.thinking_omitted else words, len(words)))

    call = _tool_call(conversation, script)
    if call is None or script.text is not None:
        text = script.text if script.text is not None else _default_text(conversation)
    else:  # a forced call comes without words, as from the real API
        forced = conversation.tool_choice is not None and conversation.tool_choice["type"] in ("any", "tool")
        text = "" if forced else f"I will use {call[0]}."
    text, stop_sequence = _until_stop_sequence(text, conversation.stop_sequences)
    words = _words(text)
    if script.chunks is not None and call is None:
        words = _exactly(script.chunks, words, padded=script.text is None and stop_sequence is None)
    if len(words) > left or not left:
        words, call, stop_reason, stop_sequence = words[:left], None, "max_tokens", None
    elif stop_sequence is not None:
        call, stop_reason = None, "stop_sequence"
    left -= len(words)
    if words or (call is None and conversation.max_tokens):
        pieces = words if script.chunks is None or call is not None else _grouped(words, script.chunks)
        blocks.append(Block("text", pieces, len(words)))

    if call is not None:
        name, tool_input = call
        encoded = orjson.dumps(tool_input).decode()
        blocks.append(
            Block(
                "tool_use",
                _slices(encoded, script.chunks or 4),
                tokens=8 + len(encoded) // 4,
                tool_id=f"toolu_01StandIn{next(_tool_ids):014d}",
                tool_name=name,
                tool_input=tool_input,
            )
        )
        stop_reason = "tool_use"
    return Answer(
        model=conversation.model,
        blocks=blocks,
        stop_reason=script.stop_reason or stop_reason,
        stop_sequence=stop_sequence,
        input_tokens=conversation.input_tokens,
    )


def _default_text(conversation: Conversation) -> str:
    if conversation.json_schema is not None:
        return orjson.dumps(example_of(conversation.json_schema, conversation.last_user_text)).decode()
    if conversation.tool_results:
        text = f"Claude here. The tool said: {' | '.join(conversation.tool_results)[:QUOTE_LIMIT_CHARACTERS]}"
    else:
        text = f"Claude here. You said: {conversation.last_user_text[:QUOTE_LIMIT_CHARACTERS]}"
    if kinds := conversation.image_media_types:
        text += f" [I saw {len(kinds)} image{'s' if len(kinds) > 1 else ''}: {', '.join(kinds)}]"
    return text


def _tool_call(conversation: Conversation, script: Script) -> tuple[str, dict[str, Any]] | None:
    if script.tool_use is not None:
        return script.tool_use["name"], script.tool_use["input"]
    choice = conversation.tool_choice or {"type": "auto"}
    if not conversation.tools or choice["type"] == "none":
        return None
    # A result may ask for the next call, so that a loop can have many steps.
    asked = _USE_TOOL.search("\n".join(conversation.tool_results) or conversation.last_user_text)
    if conversation.tool_results and not asked:
        return None
    if choice["type"] == "tool":
        name = choice["name"]
    elif asked and asked[1] in conversation.tools:
        name = asked[1]
    elif choice["type"] == "any":
        name = next(iter(conversation.tools))
    else:
        return None
    if asked and asked[2]:
        try:
            given = orjson.loads(asked[2])
        except orjson.JSONDecodeError:
            pass
        else:
            return name, given
    schema = conversation.tools[name].get("input_schema") or {}
    example = example_of(schema, conversation.last_user_text)
    return name, example if isinstance(example, dict) else {}


def example_of(schema: object, text: str, depth: int = 0) -> Any:
    """A value that fits a JSON schema, with `text` for strings. Knows what tools commonly use; no `$ref`."""
    if not isinstance(schema, dict) or depth > 8:
        return {}
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return example_of(schema[name][0], text, depth + 1)
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0] if kind else "object"
    if kind == "object":
        properties = schema.get("properties") or {}
        return {name: example_of(part, text, depth + 1) for name, part in properties.items()}
    if kind == "array":
        return [example_of(schema["items"], text, depth + 1)] if isinstance(schema.get("items"), dict) else []
    plain: dict[object, Any] = {"string": text[:80], "integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(kind)


def _until_stop_sequence(text: str, stop_sequences: list[str]) -> tuple[str, str | None]:
    found = [(position, stop) for stop in stop_sequences if (position := text.find(stop)) >= 0]
    if not found:
        return text, None
    position, stop = min(found)
    return text[:position], stop


def _words(text: str) -> list[str]:
    """Words with the space before them; joined they give the text. One word stands for one token."""
    return _WORD.findall(text) if text.strip() else [text] if text else []


def _exactly(count: int, words: list[str], *, padded: bool) -> list[str]:
    """At least `count` words: filler after the default text; a scripted text is split finer instead."""
    if len(words) >= count:
        return words
    if padded:
        return words + [f" {_FILLER[number % len(_FILLER)]}" for number in range(count - len(words))]
    return _slices("".join(words), count)


def _grouped(words: list[str], count: int) -> list[str]:
    """Words joined into at most `count` pieces."""
    if len(words) <= count:
        return words
    edges = [position * len(words) // count for position in range(count + 1)]
    return ["".join(words[start:end]) for start, end in itertools.pairwise(edges)]


def _slices(text: str, count: int) -> list[str]:
    """`text` in at most `count` pieces of about equal length, none empty."""
    count = max(1, min(count, len(text)))
    edges = [position * len(text) // count for position in range(count + 1)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]
