"""The pages of the dialects, field by field, are held to the fields that the code reads."""

import re
from typing import Any

from claude_adapter.translation.request import to_messages, wants_stream, wants_usage_chunk
from claude_adapter.translation.tools import custom_tools
from docs.pages import read, table
from gateway.dialects.responses.request import KEPT_ELSEWHERE, to_chat
from local_llm.dialects.chat_request import ChatRequest
from local_llm.dialects.messages_request import MessagesRequest

NOTHING = "\N{EN DASH}"


class Watched(dict[str, Any]):
    """A request that notes which of its fields are asked for."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(fields)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)


def names(cell: str) -> list[str]:
    return re.findall(r"`([a-z_]+)`", cell)


def read_for_claude() -> set[str]:
    request = Watched(
        messages=[{"role": "user", "content": "Hi"}],
        model="claude-haiku-4-5",
        tools=[{"type": "function", "function": {"name": "f"}}],
    )
    to_messages(request, "claude-haiku-4-5", 100)
    wants_stream(request)
    wants_usage_chunk(request)
    custom_tools(request)
    return request.asked


def test_chat_completions() -> None:
    """Each field that either backend reads is on the page, with what it is for both."""
    rows = table(read("docs/chat-completions.md"), "field")
    for_claude = {name for fields, claude, _ in rows if claude != NOTHING for name in names(fields)}
    for_local = {name for fields, _, local in rows if local != NOTHING for name in names(fields)}
    assert for_claude == read_for_claude()
    assert for_local == set(ChatRequest.model_fields)


def test_messages() -> None:
    """Each field that the local model reads is on the page."""
    rows = table(read("docs/messages.md"), "field")
    assert {name for fields, _ in rows for name in names(fields)} == set(MessagesRequest.model_fields)


def test_responses() -> None:
    """Each field that is translated or refused is on the page."""
    request = Watched(input="Hi", tools=[{"type": "function", "name": "f"}], tool_choice="auto")
    to_chat(request)
    rows = table(read("docs/responses.md"), "field")
    assert {name for fields, _ in rows for name in names(fields)} == request.asked | {*KEPT_ELSEWHERE, "background"}
