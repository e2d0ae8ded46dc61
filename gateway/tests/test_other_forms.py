"""Tools and choices of other APIs' forms, as some clients send them to Chat Completions."""

from typing import Any

import orjson
import pytest

from gateway.dialects.chat_completions.request import read_chat_request

SCHEMA = {"type": "object"}
CACHED = {"type": "ephemeral"}
OWN = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}

FORMS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # why it exists, fields as they come, fields for the backends
    ("of Responses", {"tools": [{"type": "function", **OWN["function"]}]}, {"tools": [OWN]}),  # type: ignore[dict-item]
    (
        "of Messages",
        {"tools": [{"name": "look", "description": "Looks.", "input_schema": SCHEMA}], "tool_choice": {"type": "any"}},
        {"tools": [OWN], "tool_choice": "required"},
    ),
    (
        "of Messages by its type, with a mark",
        {"tools": [{"type": "custom", "name": "look", "input_schema": SCHEMA, "cache_control": CACHED}]},
        {"tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}, "cache_control": CACHED}]},
    ),
    (
        "a custom tool of Responses",
        {"tools": [{"type": "custom", "name": "patch", "format": {"type": "text"}}]},
        {"tools": [{"type": "custom", "custom": {"name": "patch", "format": {"type": "text"}}}]},
    ),
    (
        "one call at a time",
        {"tools": [OWN], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tools": [OWN], "tool_choice": "auto", "parallel_tool_calls": False},
    ),
    ("no call", {"tools": [OWN], "tool_choice": {"type": "none"}}, {"tools": [OWN], "tool_choice": "none"}),
    ("any in a word", {"tools": [OWN], "tool_choice": "any"}, {"tools": [OWN], "tool_choice": "required"}),
    ("its own form", {"tools": [OWN], "tool_choice": OWN}, {"tools": [OWN], "tool_choice": OWN}),
    ("a server's tool", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, {}),
    ("nothing", {"tools": None, "tool_choice": None}, {}),
]


@pytest.mark.parametrize(("why", "given", "wanted"), FORMS, ids=[case[0] for case in FORMS])
def test_the_backends_get_one_form(why: str, given: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Whatever form a tool has; what needs no change goes on byte for byte."""
    raw = orjson.dumps({"messages": [{"role": "user", "content": "Hi"}], **given})
    request = read_chat_request(raw, "application/json")
    assert request.body == orjson.loads(raw) | wanted
    assert request.raw == (raw if request.body == orjson.loads(raw) else b"")
