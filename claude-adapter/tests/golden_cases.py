"""The files in `golden/`: a request and Claude's events as they were written by hand, and what we make of them.

`python claude-adapter/tests/golden_cases.py` writes anew what we make of them: on purpose only, and then `git diff`
shows what a change of the translation means for each case.
"""

from pathlib import Path
from typing import Any

import orjson

from claude_adapter.translation.chunks import ChunkedReply
from claude_adapter.translation.reply import WholeReply
from claude_adapter.translation.request import to_messages, wants_usage_chunk

Json = dict[str, Any]

FOLDER = Path(__file__).parent / "golden"
_DEFAULT_MODEL, _DEFAULT_MAX_TOKENS = "claude-sonnet-5-5", 8192
_REPLY_ID, _CREATED = "chatcmpl-golden", 1


def paths() -> list[Path]:
    """Every case, by name."""
    return sorted(FOLDER.glob("*.json"))


def read(path: Path) -> Json:
    """`why`, `request`, `events` (by hand), and `messages_request`, `chunks`, `reply` (ours)."""
    case: Json = orjson.loads(path.read_bytes())
    return case


def made_of(case: Json) -> Json:
    """What the translation makes of a case's request and events today."""
    request = case["request"]
    body = to_messages(request, _DEFAULT_MODEL, _DEFAULT_MAX_TOKENS)
    usage = wants_usage_chunk(request)
    chunked = ChunkedReply(_REPLY_ID, _CREATED, body["model"], include_usage=usage)
    whole = WholeReply(_REPLY_ID, _CREATED, body["model"])
    sent = b""
    for event in case["events"]:
        sent += chunked.feed(event)
        whole.feed(event)
    data = [line.removeprefix(b"data: ") for line in sent.split(b"\n\n") if line]
    chunks = [orjson.loads(line) if line != b"[DONE]" else "[DONE]" for line in data]
    return {"messages_request": body, "chunks": chunks, "reply": orjson.loads(whole.body())}


def _write_anew() -> None:
    for path in paths():
        case = read(path)
        by_hand = {name: case[name] for name in ("why", "request", "events")}
        path.write_bytes(orjson.dumps(by_hand | made_of(case), option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    _write_anew()
