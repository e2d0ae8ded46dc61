"""Reads the conversation in a request: refuses what the real API refuses, and sums up what an answer depends on."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from .errors import invalid
from .model_rules import refuses_prefill, takes_system_messages

OLD_VERSION, NEW_VERSION = "2023-06-01", "2026-10-21"
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")

_IMAGE_MARKS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif"}
_BLOCK_TYPES_BY_ROLE = {
    "user": frozenset(
        [
            "text",
            "image",
            "document",
            "tool_result",
            "search_result",
            "container_upload",
            "mid_conv_system",
            "browser_state",
        ]
    ),
    "assistant": frozenset(
        [
            "text",
            "thinking",
            "redacted_thinking",
            "tool_use",
            "server_tool_use",
            "web_search_tool_result",
            "web_fetch_tool_result",
            "code_execution_tool_result",
            "document",
            "image",
            "search_result",
            "compaction",
            "fallback",
            "mcp_tool_use",
            "mcp_tool_result",
        ]
    ),
    "system": frozenset(["text"]),
}


@dataclass(slots=True)
class Conversation:
    """What an answer depends on."""

    model: str
    max_tokens: int
    stream: bool
    stop_sequences: list[str] = field(default_factory=list)
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    tool_choice: dict[str, Any] | None = None
    thinking: bool = False
    thinking_omitted: bool = False
    json_schema: dict[str, Any] | None = None
    last_user_text: str = ""
    image_media_types: list[str] = field(default_factory=list)
    tool_results: list[str] = field(default_factory=list)
    input_tokens: int = 0


class MessageWalk:
    """One pass over system prompt and messages: refuses, counts characters, collects what the answer quotes."""

    def __init__(self, conversation: Conversation, version: str) -> None:
        self._conversation = conversation
        self._version = version
        self._takes_system = version == NEW_VERSION or takes_system_messages(conversation.model)
        self._call_ids: set[str] = set()
        self.characters = 0

    def system(self, system: object) -> None:
        if system is None:
            return
        if isinstance(system, str):
            self.characters += len(system)
            return
        if not isinstance(system, list):
            raise invalid("system: Input should be a valid list")
        for position, block in enumerate(system):
            if not isinstance(block, dict) or block.get("type") != "text":
                raise invalid(f"system.{position}.type: Input should be 'text'")
            self._text(block.get("text"), "system", f"system.{position}.text")

    def messages(self, messages: list[Any]) -> None:
        if not messages:
            raise invalid("messages: at least one message is required")
        open_calls: list[str] = []  # tool_use ids of the message just before
        last = len(messages) - 1
        for position, message in enumerate(messages):
            place = f"messages.{position}"
            role = self._role(message, position, place)
            calls, answered = self._content(message["content"], role, place, is_last=position == last)
            if open_calls and any(_follows_other_blocks(message["content"], at) for at in answered):
                answered = {}  # results that do not stand first count as missing
            if unanswered := [call for call in open_calls if call not in answered]:
                raise invalid(
                    f"messages.{position - 1}: `tool_use` ids were found without `tool_result` blocks immediately "
                    f"after: {', '.join(unanswered)}. Each `tool_use` block must have a corresponding `tool_result` "
                    "block in the next message."
                )
            for block_position, call in answered.items():
                if isinstance(block_position, int) and call not in open_calls:
                    raise invalid(
                        f"{place}.content.{block_position}: unexpected `tool_use_id` found in `tool_result` blocks: "
                        f"{call}. Each `tool_result` block must have a corresponding `tool_use` block in the previous "
                        "message."
                    )
            open_calls = calls
        if messages[-1]["role"] == "assistant":
            self._check_prefill(messages[-1]["content"])

    def _role(self, message: object, position: int, place: str) -> str:
        if not isinstance(message, dict):
            raise invalid(f"{place}: Input should be a valid dictionary")
        for name in ("role", "content"):
            if name not in message:
                raise invalid(f"{place}.{name}: Field required")
        role = message["role"]
        for name in message:
            if name not in ("role", "content") and (name, role) != ("output_config", "system"):  # of the next turn only
                raise invalid(f"{place}.{name}: Extra inputs are not permitted")
        if role == "system" and (position == 0 or not self._takes_system):
            raise invalid(
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not '
                '"system" as an input message role.'
            )
        if not isinstance(role, str) or role not in _BLOCK_TYPES_BY_ROLE:
            raise invalid(f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant"')
        if position == 0 and role != "user":
            raise invalid('messages: first message must use the "user" role')
        return role

    def _content(
        self, content: object, role: str, place: str, *, is_last: bool
    ) -> tuple[list[str], dict[int | str, str]]:
        """Returns the tool_use ids, and the tool_result ids keyed both by position and by id."""
        calls: list[str] = []
        answered: dict[int | str, str] = {}
        conversation = self._conversation
        may_be_empty = role == "system" or (
            is_last and role == "assistant"
        )  # a system message may bring settings alone
        if role == "user":
            conversation.tool_results = []
            conversation.last_user_text = ""
        if isinstance(content, str):
            if not content and not may_be_empty:
                raise invalid(
                    f"{place}: all messages must have non-empty content except for the optional final assistant message"
                )
            if content and not content.strip():
                raise invalid("messages: text content blocks must contain non-whitespace text")
            self.characters += len(content)
            if role == "user":
                conversation.last_user_text = content
            return calls, answered
        if not isinstance(content, list):
            raise invalid(f"{place}.content: Input should be a valid list")
        if not content and not may_be_empty:
            raise invalid(
                f"{place}: all messages must have non-empty content except for the optional final assistant message"
            )
        for position, block in enumerate(content):
            block_place = f"{place}.content.{position}"
            if not isinstance(block, dict):
                raise invalid(f"{block_place}: Input should be a valid dictionary")
            kind = block.get("type")
            if kind is None:
                raise invalid(f"{block_place}.type: Field required")
            if kind not in _BLOCK_TYPES_BY_ROLE[role]:
                raise invalid(
                    f"{block_place}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
                )
            if kind == "text":
                self._text(block.get("text"), "messages", f"{block_place}.text.text")
                if role == "user":
                    conversation.last_user_text = block["text"]
                    if block.get("citations") and self._version == NEW_VERSION:
                        raise invalid(f"{block_place}.text.citations: Extra inputs are not permitted")
            elif kind == "image":
                self._image(block.get("source"), f"{block_place}.image.source")
            elif kind == "document":
                if role == "assistant" and self._version == NEW_VERSION:
                    raise invalid(f"{block_place}: document blocks are not permitted in assistant messages")
                self._document(block.get("source"), f"{block_place}.document.source")
            elif kind == "tool_use":
                calls.append(self._tool_use(block, block_place))
            elif kind == "tool_result":
                call = self._tool_result(block, block_place)
                if call in answered:
                    raise invalid(
                        f"{block_place}: each tool_use must have a single result. Found multiple `tool_result` blocks "
                        f"with id: {call}"
                    )
                answered[position] = answered[call] = call
            elif kind == "thinking":
                if not isinstance(block.get("thinking"), str) or not isinstance(block.get("signature"), str):
                    raise invalid(f"{block_place}.thinking.signature: Field required")
                self.characters += len(block["thinking"])
        return calls, answered

    def _text(self, text: object, owner: str, place: str) -> None:
        if not isinstance(text, str):
            raise invalid(f"{place}: {'Field required' if text is None else 'Input should be a valid string'}")
        if not text:
            raise invalid(f"{owner}: text content blocks must be non-empty")
        if not text.strip():
            raise invalid(f"{owner}: text content blocks must contain non-whitespace text")
        self.characters += len(text)

    def _image(self, source: object, place: str) -> None:
        if not isinstance(source, dict):
            raise invalid(f"{place}: Field required")
        kind = source.get("type")
        if kind == "base64":
            if source.get("media_type") not in IMAGE_TYPES:
                raise invalid(f"{place}.base64.media_type: Input should be {', '.join(map(repr, IMAGE_TYPES))}")
            data = source.get("data")
            if not isinstance(data, str):
                raise invalid(f"{place}.base64.data: Field required")
            try:
                decoded = binascii.a2b_base64(data, strict_mode=True)
            except ValueError:
                raise invalid(f"{place}.base64.data: invalid base64 data") from None
            if not decoded:
                raise invalid(f"{place}.base64: image cannot be empty")
            true = next((kind for mark, kind in _IMAGE_MARKS.items() if decoded.startswith(mark)), source["media_type"])
            if true != source["media_type"]:
                raise invalid(
                    f"{place}.base64: The image was specified using the {source['media_type']} media type, but the "
                    f"image appears to be a {true} image"
                )
            self._conversation.image_media_types.append(source["media_type"])
        elif kind == "url":
            if not isinstance(source.get("url"), str) or not source["url"].startswith("https://"):
                raise invalid(f"{place}.url.url: Only HTTPS URLs are supported")
            self._conversation.image_media_types.append("url")
        elif kind == "file":
            self._conversation.image_media_types.append("file")
        else:
            raise invalid(f"{place}: Input tag should be one of 'base64', 'url', 'file'")

    def _document(self, source: object, place: str) -> None:
        kind = source.get("type") if isinstance(source, dict) else None
        if not isinstance(source, dict) or kind not in ("base64", "text", "url", "content", "file"):
            raise invalid(f"{place}: Input tag should be one of 'base64', 'text', 'url', 'content', 'file'")
        if kind == "url" and not str(source.get("url")).startswith("https://"):
            raise invalid(f"{place}.url.url: Only HTTPS URLs are supported")
        if kind == "text":
            if source.get("media_type") != "text/plain":
                raise invalid(f"{place}.text.media_type: Input should be 'text/plain'")
            self._text(source.get("data"), "messages", f"{place}.text.data")
        if kind == "base64":
            if source.get("media_type") != "application/pdf":
                raise invalid(f"{place}.base64.media_type: Input should be 'application/pdf'")
            try:
                decoded = binascii.a2b_base64(str(source.get("data")), strict_mode=True)
            except ValueError:
                raise invalid(f"{place}.base64.data: invalid base64 data") from None
            if not decoded.startswith(b"%PDF-"):
                raise invalid(f"{place}.base64.data: The PDF specified was not valid.")

    def _tool_use(self, block: dict[str, Any], place: str) -> str:
        for name, kind in (("id", str), ("name", str), ("input", dict)):
            if not isinstance(block.get(name), kind):
                wanted = "Field required" if name not in block else f"Input should be a valid {kind.__name__}"
                raise invalid(f"{place}.tool_use.{name}: {wanted}")
        if not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]):
            raise invalid(f"{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", block["name"]):
            raise invalid(f"{place}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if block["id"] in self._call_ids:
            raise invalid("messages: `tool_use` ids must be unique")
        self._call_ids.add(block["id"])
        self.characters += len(block["name"]) + len(orjson.dumps(block["input"]))
        return str(block["id"])

    def _tool_result(self, block: dict[str, Any], place: str) -> str:
        call = block.get("tool_use_id")
        if not isinstance(call, str):
            raise invalid(f"{place}.tool_result.tool_use_id: Field required")
        content = block.get("content")
        texts: list[str] = []
        if isinstance(content, str):
            self.characters += len(content)
            texts.append(content)
        elif isinstance(content, list):
            for position, part in enumerate(content):
                part_place = f"{place}.tool_result.content.{position}"
                if not isinstance(part, dict):
                    raise invalid(f"{part_place}: Input should be a valid dictionary")
                if part.get("type") == "text":
                    self._text(part.get("text"), "messages", f"{part_place}.text")
                    texts.append(part["text"])
                elif part.get("type") == "image":
                    self._image(part.get("source"), f"{part_place}.image.source")
                elif part.get("type") == "document":
                    self._document(part.get("source"), f"{part_place}.document.source")
                elif part.get("type") not in ("search_result", "tool_reference"):
                    raise invalid(
                        f"{part_place}: Input tag '{part.get('type')}' does not match any of the expected tags"
                    )
        elif content is not None:
            raise invalid(f"{place}.tool_result.content: Input should be a valid list")
        if block.get("is_error"):
            if not content:
                raise invalid(f"{place}.tool_result: content cannot be empty if `is_error` is true")
            if isinstance(content, list) and any(part["type"] != "text" for part in content):
                raise invalid(f"{place}.tool_result: all content must be type `text` if `is_error` is true")
        self._conversation.tool_results.append(" ".join(texts))
        return call

    def _check_prefill(self, content: object) -> None:
        if refuses_prefill(self._conversation.model):
            raise invalid(
                "This model does not support assistant message prefill. The conversation must end with a user message."
            )
        blocks: Any = content
        final = blocks if isinstance(blocks, str) else (blocks[-1].get("text") or "" if blocks else "")
        if final != final.rstrip():
            raise invalid("messages: final assistant content cannot end with trailing whitespace")


def _follows_other_blocks(content: object, position: int | str) -> bool:
    """Whether something other than a tool result stands before this position."""
    if not isinstance(content, list) or not isinstance(position, int):
        return False
    return any(block.get("type") != "tool_result" for block in content[:position])
