"""Chat Completions bodies with histories and parts as models, servers and clients leave them: all are answered."""

from parity.chat_pieces import (
    CACHED,
    JPEG,
    PDF,
    PNG,
    USER,
    WAV,
    WEBP,
    Json,
    call,
    history,
    image,
    parts,
    said,
    text,
    tool,
    without,
)

HISTORIES: dict[str, Json] = {
    # histories
    "arguments cut": history(call('{"q": "red pan')),
    "arguments a list": history(call("[1, 2]")),
    "arguments a word": history(call("paris")),
    "arguments null in words": history(call("null")),
    "arguments empty": history(call("")),
    "arguments missing": history({"id": "call_1", "type": "function", "function": {"name": "look"}}),
    "arguments an object": history(call({"q": "x"})),
    "arguments a number": history(call(5)),
    "arguments deep": history(call("[" * 400 + "]" * 400)),
    "arguments with half a character": history(call('{"q": "\\ud83d"}')),
    "a call without id": history(without("id")),
    "a call with an id of null": history(call() | {"id": None}),
    "a call with a number for id": history(
        call() | {"id": 7}, results=({"role": "tool", "tool_call_id": 7, "content": "x"},)
    ),
    "a call without type": history(without("type")),
    "two calls without ids": history(
        without("id"), without("id"), results=({"role": "tool", "content": "a"}, {"role": "tool", "content": "b"})
    ),
    "a result without id": history(call(), results=({"role": "tool", "content": "7"},)),
    "a result without content": history(call(), results=({"role": "tool", "tool_call_id": "call_1"},)),
    "a result of nobody's call": said({"role": "tool", "tool_call_id": "x", "content": "7"}),
    "no result": history(call(), results=()),
    "calls of null": said(USER, {"role": "assistant", "content": "Hi", "tool_calls": None}, USER),
    "a name that no tool may have": history(call() | {"function": {"name": "fs.read file", "arguments": "{}"}}),
    "a call of a custom tool": history({"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "***"}}),
    "of before tools": said(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": '{"a": 1}'}},
        {"role": "function", "name": "look", "content": "7"},
    ),
    "of before tools, cut": said(USER, {"role": "assistant", "function_call": {"name": "look", "arguments": '{"a'}}),
    "a function's word alone": said({"role": "function", "name": "look", "content": "7"}),
    "a function's silence": said(USER, {"role": "function", "name": "look", "content": None}),
    "functions of before tools": said(functions=[{"name": "look"}], function_call="auto"),
    "instructions alone": said({"role": "system", "content": "Greet."}),
    "a developer alone": said({"role": "developer", "content": [text("Greet.")]}),
    "an assistant alone": said({"role": "assistant", "content": "Hello."}),
    "instructions behind an answer": said(
        {"role": "assistant", "content": "Hello."}, {"role": "system", "content": "Go on."}
    ),
    "an empty word": said({"role": "user", "content": ""}),
    "white space": said({"role": "user", "content": " \n"}),
    "no parts": said({"role": "user", "content": []}),
    "empty instructions alone": said({"role": "system", "content": ""}),
    "an assistant without a word": said(USER, {"role": "assistant"}, USER),
    "a refusal": said(USER, {"role": "assistant", "content": None, "refusal": "No."}, USER),
    "a name beside the words": said({**USER, "name": "Ada Lovelace"}),
}

PARTS: dict[str, Json] = {
    # parts
    "part of Responses": parts({"type": "input_text", "text": "Hi"}),
    "answer's part of Responses": said(
        USER, {"role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}, USER
    ),
    "image of Responses": parts({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}),
    "file of Responses": parts({"type": "input_file", "file_data": f"data:application/pdf;base64,{PDF}"}),
    "https image": parts(image({"url": "https://x.example/a.png"})),
    "http image": parts(text("What is it?"), image({"url": "http://x.example/a.png"})),
    "image by a path": parts(image({"url": "/tmp/a.png"})),
    "image in bare base64": parts(image({"url": PNG})),
    "image without a name": parts(image(f"data:;base64,{PNG}")),
    "image of another type": parts(image({"url": f"data:image/png;base64,{JPEG}"})),
    "image of no type": parts(image({"url": f"data:application/octet-stream;base64,{WEBP}"})),
    "a bitmap": parts(image({"url": "data:image/bmp;base64,Qk0eAAAAAAAAABoAAAAMAAAA"})),
    "a drawing": parts(image({"url": "data:image/svg+xml;utf8,<svg/>"})),
    "image of nothing": parts(image({"url": "data:image/png;base64,"})),
    "image of no base64": parts(image({"url": "data:image/png;base64,???"})),
    "image of nobody": parts(image({})),
    "image in a result": history(
        call(),
        results=(
            {"role": "tool", "tool_call_id": "call_1", "content": [image({"url": f"data:image/gif;base64,{JPEG}"})]},
        ),
    ),
    "image in an answer": said(
        USER, {"role": "assistant", "content": [image({"url": f"data:image/png;base64,{PNG}"})]}, USER
    ),
    "image in instructions": said(
        {"role": "system", "content": [image({"url": f"data:image/png;base64,{PNG}"})]}, USER
    ),
    "sound": parts({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}),
    "a film": parts({"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}}),
    "a part of tomorrow": parts(text("Hi"), {"type": "hologram", "hologram": {}}),
    "Anthropic's image": parts({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}),
    "Anthropic's result": parts({"type": "tool_result", "tool_use_id": "x", "content": "7"}),
    "file": parts({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}),
    "file of another type": parts({"type": "file", "file": {"file_data": f"data:text/plain;base64,{PDF}"}}),
    "file in zip": parts({"type": "file", "file": {"file_data": "data:application/zip;base64,UEsDBAoAAAAAAA=="}}),
    "file of no UTF-8": parts({"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}),
    "file by address": parts({"type": "file", "file": {"file_url": "https://x.example/a.pdf"}}),
    "file by http": parts({"type": "file", "file": {"file_data": "http://x.example/a.pdf"}}),
    "thoughts": said(
        USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}, text("Hi")]}, USER
    ),
    # marks for the cache
    "a mark on the instructions": said({"role": "system", "content": [text("Long", cache_control=CACHED)]}, USER),
    "a mark on a word": parts(text("Long", cache_control=CACHED)),
    "a mark on an image": parts(image({"url": "https://x.example/a.png"}) | {"cache_control": CACHED}),
    "a mark on a message": said({**USER, "cache_control": CACHED}),
    "a mark on a tool": said(tools=[tool() | {"cache_control": CACHED}]),
    "a mark in a function": said(tools=[tool(cache_control=CACHED)]),
    "a mark in a result": history(
        call(), results=({"role": "tool", "tool_call_id": "call_1", "content": [text("7", cache_control=CACHED)]},)
    ),
    "a mark on white space": parts(text("Hi"), text(" ", cache_control=CACHED)),
    "six marks": parts(*(text(f"{i}", cache_control=CACHED) for i in range(6))),
    "marks of an hour behind five minutes": parts(
        text("a", cache_control=CACHED), text("b", cache_control={**CACHED, "ttl": "1h"})
    ),
    "a mark of another kind": parts(
        text("a", cache_control="yes"), text("b", cache_control={"type": "for ever", "ttl": 5})
    ),
}
