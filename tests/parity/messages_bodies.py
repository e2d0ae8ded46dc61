"""Messages bodies as clients really send them, by kind, and the status of both backends.

What Claude alone can judge (`CLAUDES_OWN`) stays the client's while it is well, and is answered in an outage.
"""

from typing import Any

from parity.chat_pieces import JPEG, PDF, PNG

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "What is the capital of France?"}
MODEL = "claude-haiku-5-5"
CACHED = {"type": "ephemeral"}


def said(*messages: Any, **fields: Any) -> Json:
    """A request with these messages, or a plain question."""
    return {"model": MODEL, "max_tokens": 64, "messages": list(messages) or [USER], **fields}


def blocks(*content: Any, **fields: Any) -> Json:
    """A request whose user sends these blocks."""
    return said({"role": "user", "content": list(content)}, **fields)


def text(words: str, **more: Any) -> Json:
    """A text block."""
    return {"type": "text", "text": words, **more}


def source(kind: str, **fields: Any) -> Json:
    """An image or a document."""
    return {"type": kind, "source": fields}


def tool(name: str = "look", **schema: Any) -> Json:
    """A tool of the client's own."""
    return {"name": name, "description": "Looks.", "input_schema": {"type": "object", **schema}}


def searching(**fields: Any) -> Json:
    """A request with a tool that Claude's servers run."""
    return said(tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}], **fields)


def loop(*content: Any, **fields: Any) -> Json:
    """A request with the result of a call."""
    called = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]}
    return said(USER, called, {"role": "user", "content": list(content)}, tools=[tool()], **fields)


def answered(*content: Any) -> Json:
    """A history with this answer of Claude's."""
    return said(USER, {"role": "assistant", "content": list(content)}, USER)


RESULT: Json = {"type": "tool_result", "tool_use_id": "t1", "content": "7"}
SEARCHED = (
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "url": "x"}]},
    text("Paris.", citations=[]),
)

ANSWERED: dict[str, Json] = {
    "plain": said(),
    "as the anthropic SDK": said(
        model="claude-sonnet-4-6", system="Be brief.", temperature=0.5, metadata={"user_id": "u1"}
    ),
    "as Claude Code": blocks(
        text("<system-reminder>"),
        text("Hi", cache_control=CACHED),
        system=[text("x-anthropic-billing-header: cc=1"), text("You are Claude Code.", cache_control=CACHED)],
        tools=[tool("Bash"), tool("Read")],
        thinking={"type": "adaptive"},
        output_config={"effort": "high"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        stream=True,
        metadata={"user_id": "user_1"},
        max_tokens=32000,
    ),
    "as Hermes": said(max_tokens=128000, stream=True, system=[text("Hermes", cache_control=CACHED)]),
    "alias": said(model="pilot"),
    "seven marks fewer three": blocks(*(text(word, cache_control=CACHED) for word in "abcd")),
    # numbers
    "no tokens": said(max_tokens=0),
    "a million tokens": said(max_tokens=10**6),
    "top_k": said(top_k=500, model="claude-sonnet-4-6"),
    "top_k below zero": said(top_k=-1, model="claude-sonnet-4-6"),
    "top_p": said(top_p=1.0, model="claude-sonnet-4-6"),
    "stops long and many": said(stop_sequences=["x" * 400, *(f"s{i}" for i in range(1200))]),
    "no stops": said(stop_sequences=[]),
    "fields of tomorrow": said(speed="fast", inference_geo="eu", service_tier="auto", fallbacks=[{"model": "x"}]),
    "nulls": said(system=None, tools=None, tool_choice=None, temperature=None, thinking=None),
    # content
    "image": blocks(source("image", type="base64", media_type="image/png", data=PNG), text("What is it?")),
    "image by address": blocks(source("image", type="url", url="https://x.example/a.png")),
    "image by id": blocks(source("image", type="file", file_id="file_1")),
    "document": blocks(source("document", type="base64", media_type="application/pdf", data=PDF)),
    "document of text": blocks(source("document", type="text", media_type="text/plain", data="Hi")),
    "document by address": blocks(source("document", type="url", url="https://x.example/a.pdf")),
    "search result": blocks({"type": "search_result", "source": "x", "title": "x", "content": [text("x")]}),
    "upload": blocks({"type": "container_upload", "file_id": "file_1"}, text("Hi")),
    # tools
    "result": loop(RESULT),
    "result of parts": loop(
        {**RESULT, "content": [text("7"), source("image", type="base64", media_type="image/png", data=PNG)]}
    ),
    "result of nothing": loop({"type": "tool_result", "tool_use_id": "t1"}),
    "result of found text": loop(
        {**RESULT, "content": [{"type": "search_result", "source": "x", "title": "x", "content": []}]}
    ),
    "result of a reference": loop({**RESULT, "content": [{"type": "tool_reference", "tool_name": "look"}]}),
    "failed": loop({**RESULT, "content": "No.", "is_error": True}),
    "result and words": loop(RESULT, text("And now?")),
    "free": said(tools=[tool()], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    "none": said(tools=[tool()], tool_choice={"type": "none"}),
    "any": said(tools=[tool()], tool_choice={"type": "any"}),
    "forced": said(tools=[tool()], tool_choice={"type": "tool", "name": "look"}),
    "forced with a pattern": said(
        tools=[tool(properties={"a": {"type": "string", "pattern": "[a-z]"}})],
        tool_choice={"type": "tool", "name": "look"},
    ),
    "no tools": said(tools=[]),
    "a custom tool by its type": said(tools=[{"type": "custom", **tool()}]),
    # tools and blocks that only Claude's servers know
    "search": searching(),
    "search forced": searching(tool_choice={"type": "tool", "name": "web_search"}),
    "search, any": searching(tool_choice={"type": "any"}),
    "search beside ours, forced": said(
        tools=[{"type": "web_search_20260209", "name": "web_search"}, tool()],
        tool_choice={"type": "tool", "name": "web_search"},
    ),
    "fetch": said(tools=[{"type": "web_fetch_20250910", "name": "web_fetch"}]),
    "code": said(tools=[{"type": "code_execution_20250825", "name": "code_execution"}], container={"skills": []}),
    "shell": said(tools=[{"type": "bash_20250124", "name": "bash"}], tool_choice={"type": "tool", "name": "bash"}),
    "editor": said(tools=[{"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}]),
    "computer": said(
        tools=[{"type": "computer_20250124", "name": "computer", "display_width_px": 1024, "display_height_px": 768}],
        tool_choice={"type": "any"},
    ),
    "memory": said(tools=[{"type": "memory_20250818", "name": "memory"}]),
    "tool search": said(tools=[{"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}, tool()]),
    "MCP": said(
        mcp_servers=[{"type": "url", "url": "https://x.example", "name": "x"}],
        tools=[{"type": "mcp_toolset", "mcp_server_name": "x"}],
    ),
    "MCP, any": said(
        mcp_servers=[{"type": "url", "url": "https://x.example", "name": "x"}],
        tools=[{"type": "mcp_toolset", "mcp_server_name": "x"}],
        tool_choice={"type": "any"},
    ),
    "searched": answered(*SEARCHED),
    "code ran": answered(
        {"type": "server_tool_use", "id": "s1", "name": "code_execution", "input": {"code": "1"}},
        {"type": "code_execution_tool_result", "tool_use_id": "s1", "content": {"type": "code_execution_result"}},
        text("1."),
    ),
    "MCP called": answered(
        {"type": "mcp_tool_use", "id": "m1", "name": "x", "server_name": "x", "input": {}},
        {"type": "mcp_tool_result", "tool_use_id": "m1", "is_error": False, "content": [text("7")]},
        text("7."),
    ),
    "compacted": answered({"type": "compaction", "content": "Earlier: x."}, text("Yes.")),
    "thought": answered({"type": "thinking", "thinking": "Hm.", "signature": "x"}, text("Yes.")),
    "thought in secret": answered({"type": "redacted_thinking", "data": "x"}, text("Yes.")),
    # JSON
    "a schema": said(
        output_config={"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}}
    ),
    "an effort": said(output_config={"effort": "low"}),
}

REFUSED: dict[str, Json] = {
    "no model": {"max_tokens": 5, "messages": [USER]},
    "no length": {"model": MODEL, "messages": [USER]},
    "no messages": {"model": MODEL, "max_tokens": 5},
    "messages empty": {"model": MODEL, "max_tokens": 5, "messages": []},
    "length in words": said(max_tokens="many"),
    "length below zero": said(max_tokens=-1),
    "a message in words": said("hi"),
    "content missing": said({"role": "user"}),
    "a role of nobody": said({"role": "robot", "content": "x"}),
    "content a number": said({"role": "user", "content": 5}),
    "a block in words": blocks("x"),
    "a block without type": blocks({"text": "x"}),
    "text missing": blocks({"type": "text"}),
    "text a number": blocks({"type": "text", "text": 5}),
    "system a number": said(system=5),
    "stream in words": said(stream="true"),
    "stops in words": said(stop_sequences="END"),
    "stops of numbers": said(stop_sequences=[1]),
    "tools an object": said(tools={}),
    "a tool in words": said(tools=["look"]),
    "a tool without a name": said(tools=[{"input_schema": {"type": "object"}}]),
    "a tool without a schema": said(tools=[{"name": "look"}]),
    "a tool's schema in words": said(tools=[{"name": "look", "input_schema": "object"}]),
    "a choice of nobody": said(tools=[tool()], tool_choice={"type": "maybe"}),
    "a choice without a name": said(tools=[tool()], tool_choice={"type": "tool"}),
    "a choice without tools": said(tool_choice={"type": "any"}),
    "forced to nobody": said(tools=[tool()], tool_choice={"type": "tool", "name": "gone"}),
    "a call without a name": answered({"type": "tool_use", "id": "t1", "input": {}}),
    "output_config in words": said(output_config="low"),
    "a schema missing": said(output_config={"format": {"type": "json_schema"}}),
}

CLAUDES_OWN: dict[str, Json] = {
    "hot": said(temperature=3, model="claude-sonnet-4-6"),
    "top_p above one": said(top_p=1.5, model="claude-sonnet-4-6"),
    "two tools of one name": said(tools=[tool(), tool()]),
    "a field that nobody knows": said(presence_penalty=1),
    "an image of another kind": blocks(source("image", type="base64", media_type="image/bmp", data=JPEG)),
    "an empty word": said({"role": "user", "content": ""}),
    "Claude's own words at the end": said(USER, {"role": "assistant", "content": "It is"}),
    "a result of nobody's call": blocks(RESULT),
    "a call without a result": said(
        USER, {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]}, USER
    ),
}
