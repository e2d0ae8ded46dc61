"""Responses bodies as clients really send them, by kind, and the status of both backends."""

from typing import Any

from parity.chat_pieces import JPEG, PDF, PNG

Json = dict[str, Any]

ASKED: Json = {"role": "user", "content": "What is the capital of France?"}
FUNCTION: Json = {"type": "function", "name": "look", "parameters": {"type": "object"}}


def asked(*items: Any, **fields: Any) -> Json:
    """A request with these items, or a plain question."""
    return {"model": "pilot", "input": list(items) or [ASKED], **fields}


def parts(*content: Json) -> Json:
    """A request whose user sends these parts."""
    return asked({"role": "user", "content": list(content)})


def call(**fields: Any) -> Json:
    """A function call of an earlier response; a field of None is left out."""
    given = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}", **fields}
    return {name: value for name, value in given.items() if value is not None}


def output(**fields: Any) -> Json:
    """Its output."""
    given = {"type": "function_call_output", "call_id": "call_1", "output": "7", **fields}
    return {name: value for name, value in given.items() if value is not None}


def formatted(wanted: Any) -> Json:
    """A request for text of this form."""
    return asked(text={"format": wanted})


PATCH_CALL = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin Patch"}
PATCH_OUTPUT = {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done."}
CUSTOM = {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}

ANSWERED: dict[str, Json] = {
    "plain": {"model": "pilot", "input": "Hello"},
    "as the openai SDK": asked(instructions="Be brief.", max_output_tokens=64, temperature=0.2, store=False),
    "as Codex": asked(
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List the files."}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAA"},
        call(name="shell", arguments='{"command":["ls"]}'),
        output(output='{"output":"a.txt\\n","metadata":{"exit_code":0}}'),
        instructions="You are Codex.",
        tools=[FUNCTION, CUSTOM, {"type": "web_search", "external_web_access": False}],
        tool_choice="auto",
        parallel_tool_calls=False,
        reasoning={"effort": "medium", "summary": "auto"},
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="0199",
        text={"verbosity": "medium"},
    ),
    "as Vercel's SDK": asked(
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Hello."}], "id": "msg_1"},
        {"type": "item_reference", "id": "msg_1"},
        ASKED,
    ),
    "as LangChain": asked({"type": "message", "role": "user", "content": "Hi"}, include=[], top_p=1, stream=True),
    "instructions alone": asked({"role": "system", "content": "Greet."}),
    "nothing but thoughts": asked({"type": "reasoning", "summary": []}, instructions="Greet."),
    # numbers
    "hot": asked(temperature=3, top_p=1.5),
    "a whole number with a point": asked(max_output_tokens=24.0),
    "top_logprobs odd": asked(top_logprobs=-5, max_tool_calls="many", truncation="auto"),
    "effort unknown": asked(reasoning={"effort": "ultra"}),
    "effort a number": asked(reasoning={"effort": 5, "summary": 5}),
    "user a number": asked(user=5),
    "user an address": asked(user="ada@example.org", safety_identifier="x"),
    # histories
    "a call and its output": asked(ASKED, call(), output(), tools=[FUNCTION]),
    "arguments cut": asked(ASKED, call(arguments='{"q": "red pan'), output()),
    "arguments no object": asked(ASKED, call(arguments="[1]"), output()),
    "arguments missing": asked(ASKED, call(arguments=None), output()),
    "arguments an object": asked(ASKED, call(arguments={"q": 1}), output()),
    "a call without id": asked(ASKED, call(call_id=None), output(call_id=None)),
    "a call by its other id": asked(ASKED, call(call_id=None, id="fc_1"), output(call_id="fc_1")),
    "no output": asked(ASKED, call(), ASKED),
    "an output of nothing": asked(ASKED, call(), output(output=None)),
    "an output of an object": asked(ASKED, call(), output(output={"rows": 3})),
    "an output of parts": asked(ASKED, call(), output(output=[{"type": "input_text", "text": "7"}])),
    "an output with an image": asked(
        ASKED, call(), output(output=[{"type": "input_image", "image_url": f"data:image/png;base64,{JPEG}"}])
    ),
    "an output of nobody's call": asked(output()),
    "an answer of null": asked(ASKED, {"type": "message", "role": "assistant", "content": None}, ASKED),
    "an output of parts without words": asked(
        ASKED, call(), output(output=[{"type": "output_text"}, {"type": "input_text", "text": None}])
    ),
    "an output of a kept image": asked(ASKED, call(), output(output=[{"type": "input_image", "file_id": "file-1"}])),
    "an output of an odd type": asked(ASKED, call(), output(output=[{"type": 5}])),
    "instructions without input": {"model": "pilot", "instructions": "Greet."},
    "instructions and no items": {"model": "pilot", "instructions": "Greet.", "input": []},
    "nothing kept": asked(previous_response_id="", conversation=None, background=False),
    "an empty word": {"model": "pilot", "input": ""},
    # items
    "a custom tool's call": asked(ASKED, PATCH_CALL, PATCH_OUTPUT, tools=[CUSTOM]),
    "a custom tool's call without output": asked(ASKED, PATCH_CALL, ASKED),
    "a custom tool's output of parts": asked(
        ASKED, PATCH_CALL, PATCH_OUTPUT | {"output": [{"type": "input_text", "text": "Done."}]}
    ),
    "a custom tool's output alone": asked(PATCH_OUTPUT),
    "a shell's call": asked(
        ASKED,
        {"type": "local_shell_call", "id": "l1", "call_id": "c1", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "l1", "call_id": "c1", "output": "a.txt"},
    ),
    "a computer's call": asked(
        ASKED,
        {"type": "computer_call", "call_id": "c1", "action": {"type": "screenshot"}, "pending_safety_checks": []},
        {
            "type": "computer_call_output",
            "call_id": "c1",
            "output": {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PNG}"},
        },
    ),
    "a search": asked(ASKED, {"type": "web_search_call", "id": "w1", "status": "completed"}, ASKED),
    "a search in files": asked(ASKED, {"type": "file_search_call", "id": "f1", "queries": ["x"]}),
    "an interpreter": asked(ASKED, {"type": "code_interpreter_call", "id": "i1", "code": "1", "outputs": None}),
    "an image made": asked(ASKED, {"type": "image_generation_call", "id": "g1", "result": PNG}),
    "MCP": asked(
        {"type": "mcp_list_tools", "id": "m1", "server_label": "x", "tools": []},
        {"type": "mcp_approval_request", "id": "m2", "name": "x", "arguments": "{}", "server_label": "x"},
        {"type": "mcp_call", "id": "m3", "name": "x", "arguments": "{}", "output": "7", "server_label": "x"},
        ASKED,
    ),
    "a compaction": asked({"type": "compaction", "encrypted_content": "gAAA"}, ASKED),
    "a reference": asked({"type": "item_reference", "id": "msg_1"}, ASKED),
    "a bare reference": asked({"id": "msg_1"}, ASKED),
    "an item of tomorrow": asked(ASKED, {"type": "telepathy", "content": []}),
    "nothing but an item of tomorrow": asked({"type": "telepathy"}),
    # parts
    "http image": parts({"type": "input_image", "image_url": "http://x.example/a.png"}),
    "image of another type": parts(
        {"type": "input_image", "image_url": f"data:image/png;base64,{JPEG}", "detail": "low"}
    ),
    "image as in chat": parts({"type": "input_image", "image_url": {"url": f"data:image/png;base64,{PNG}"}}),
    "a file by address": parts({"type": "input_file", "file_url": "https://x.example/a.pdf"}),
    "a file by http": parts({"type": "input_file", "file_url": "http://x.example/a.pdf"}),
    "a file": parts({"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}),
    "sound": parts({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
    "a part of tomorrow": parts({"type": "input_text", "text": "Hi"}, {"type": "input_hologram"}),
    "a refusal": asked(ASKED, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, ASKED),
    "a mark for the cache": parts({"type": "input_text", "text": "Hi", "cache_control": {"type": "ephemeral"}}),
    # tools
    "a server's tools": asked(tools=[{"type": "web_search_preview"}, {"type": "code_interpreter", "container": {}}]),
    "a server's tools, forced": asked(tools=[{"type": "web_search"}], tool_choice="required"),
    "a server's tool, forced by name": asked(
        tools=[{"type": "file_search"}, FUNCTION], tool_choice={"type": "file_search"}
    ),
    "forced": asked(tools=[FUNCTION], tool_choice="required"),
    "forced by name": asked(tools=[FUNCTION], tool_choice={"type": "function", "name": "look"}),
    "forced to a custom tool": asked(tools=[CUSTOM, FUNCTION], tool_choice={"type": "custom", "name": "apply_patch"}),
    "forced among some": asked(
        tools=[FUNCTION, {**FUNCTION, "name": "other"}],
        tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]},
    ),
    "two tools of one name": asked(tools=[FUNCTION, FUNCTION]),
    "allowed oddly": asked(tools=[FUNCTION], tool_choice={"type": "allowed_tools", "mode": "auto", "tools": []}),
    "no tools": asked(tools=[], tool_choice="required"),
    # JSON
    "a pattern": formatted(
        {"type": "json_schema", "name": "x", "schema": {"type": "object", "properties": {"a": {"pattern": "[A-Z]{3}"}}}}
    ),
    "JSON": formatted({"type": "json_object"}),
    "text": formatted({"type": "text"}),
    "text in a word": formatted("text"),
    "a format of nothing": asked(text={}),
}

REFUSED: dict[str, Json] = {
    "no input": {"model": "pilot"},
    "input a number": {"model": "pilot", "input": 5},
    "input empty": {"model": "pilot", "input": []},
    "an item in words": asked("Hi"),
    "a role of nobody": asked({"role": "robot", "content": "x"}),
    "a type of no words": asked({"type": {}, "id": "msg_1"}),
    "a reference of no words": asked({"id": {}}),
    "neither type nor role": asked({"content": "x"}),
    "content a number": asked({"role": "user", "content": 5}),
    "text missing": parts({"type": "input_text"}),
    "an image of nothing": parts({"type": "input_image"}),
    "a file in OpenAI's store": parts({"type": "input_file", "file_id": "file-1"}),
    "a call without a name": asked(ASKED, call(name=None)),
    "the last response": asked(previous_response_id="resp_1"),
    "a conversation kept": asked(conversation="conv_1"),
    "in the background": asked(background=True),
    "temperature in words": asked(temperature="hot"),
    "no tokens": asked(max_output_tokens=0),
    "stream in words": asked(stream="true"),
    "a tool without a name": asked(tools=[{"type": "function"}]),
    "forced to nobody": asked(tools=[FUNCTION], tool_choice={"type": "function", "name": "gone"}),
    "a choice of nobody": asked(tools=[FUNCTION], tool_choice="maybe"),
    "allowed in no list": asked(tools=[FUNCTION], tool_choice={"type": "allowed_tools", "mode": "auto", "tools": 5}),
    "a format of nobody": formatted({"type": "yaml"}),
    "a schema missing": formatted({"type": "json_schema", "name": "x"}),
}
