"""Requests recorded from the real clients, in `side_tasks/`, are known for what they are; a person's own words are not.

The records' texts are cut to what tells one from another (`[…]`), and their tools to one.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.dialects.chat_completions.dialect import ChatCompletions
from gateway.dialects.interface import Dialect
from gateway.dialects.messages.dialect import Messages
from gateway.dialects.responses.dialect import Responses
from gateway.side_tasks import SideTask, SideTasks

FILES = sorted((Path(__file__).parent / "side_tasks").glob("*.json"))
RECORDED: list[dict[str, Any]] = [each for file in FILES for each in orjson.loads(file.read_bytes())]
TABLE = SideTasks.load()
CLAUDE_CODE = {"user-agent": "claude-cli/2.1.331 (external, cli)"}
HERMES = {"user-agent": "Anthropic/Python 0.87.0"}


def recognised(path: str, body: dict[str, Any], headers: dict[str, str]) -> SideTask | None:
    """What the table says of a request."""
    dialect: Dialect = Messages() if "/messages" in path else Responses() if "/responses" in path else ChatCompletions()
    request = dialect.read(orjson.dumps(body), "application/json")
    return TABLE.recognise(request, {name.encode(): value.encode() for name, value in headers.items()})


def named(record: dict[str, Any]) -> str:
    """For the test's name."""
    return f"{record['client']} {record['task']} {record['path']}"


@pytest.mark.parametrize("record", RECORDED, ids=named)
def test_a_recorded_request_is_its_row(record: dict[str, Any]) -> None:
    """Client and task; the clients' ordinary requests (task null) are nothing of the kind."""
    found = recognised(record["path"], record["body"], record["headers"])
    assert (found and (found.client, found.task)) == (record["task"] and (record["client"], record["task"]))


@pytest.mark.parametrize(
    "record", [each for each in RECORDED if each["client"] == "hermes" and each["task"]], ids=named
)
def test_hermes_is_told_403(record: dict[str, Any]) -> None:
    """After any other status that it might get here its compaction loses the conversation, or it waits."""
    found = recognised(record["path"], record["body"], record["headers"])
    assert found is not None
    assert found.answer == 403


def texts(record: dict[str, Any]) -> list[str]:
    """The texts that a person could have seen and pasted."""
    body = record["body"]
    found = [body.get("system")] + [message["content"] for message in body["messages"]]
    parts = [part for each in found for part in (each if isinstance(each, list) else [each]) if part]
    return [part if isinstance(part, str) else part.get("text", "") for part in parts]


PASTED = sorted({text for record in RECORDED if record["task"] for text in texts(record) if len(text) > 60})


@pytest.mark.parametrize("prompt", PASTED, ids=lambda prompt: prompt[:60])
@pytest.mark.parametrize("words", ["Why does it send this? {}", "{}\n\nIs that a good prompt?", "I found this: «{}»"])
@pytest.mark.parametrize("headers", [HERMES, CLAUDE_CODE], ids=["sdk", "claude-cli"])
def test_a_person_who_quotes_a_prompt_is_answered(prompt: str, words: str, headers: dict[str, str]) -> None:
    """Within words of their own, in a chat that has its own system prompt, or none."""
    question = {"role": "user", "content": words.format(prompt)}
    chat = {"model": "pilot", "max_tokens": 500, "stream": True, "messages": [question]}
    assert recognised("/v1/messages", chat | {"system": "You are Timmy."}, headers) is None
    assert recognised("/v1/chat/completions", chat, headers) is None
    whole = {"role": "user", "content": prompt}  # alone, but in the middle of a conversation that offers tools
    tool = {"name": "search", "input_schema": {"type": "object"}}
    later = {"messages": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello!"}, whole]}
    timmy = {"system": "You are Timmy.", "tools": [tool]}
    if headers is not CLAUDE_CODE:
        assert recognised("/v1/messages", chat | later | timmy, headers) is None or prompt.startswith("Review the")


OWN_WORDS = [
    "Please summarise our conversation.",
    "You are a summarization agent. Summarise this: we went to Lisbon.",
    "Give me a title for my essay about Lisbon.",
    "Generate a short, descriptive title (3-7 words) for my poem.",
    "Is it safe to run `rm -rf ./build`? Answer APPROVE, DENY or ESCALATE.",
    "Judge whether I have achieved my goal: I ran ten kilometres.",
    "Review the conversation above and tell me what you think.",
    "### Task:\nGenerate a concise title for my talk.",
    "### Task:\nSuggest three questions that I could ask next.",
    "Suggest 3-5 relevant follow-up questions or prompts for my survey.",
    "Write search queries for me: cheap flights to Lisbon.",
    "Which emoji would fit «I am so tired»?",
    "CRITICAL: Respond with TEXT ONLY. What is the capital of France?",
    "Your task is to create a detailed summary of the conversation so far.",
    "/compact",
    "What should I type next into Claude Code?",
    "Remember that I live in Lisbon.",
]


@pytest.mark.parametrize("words", OWN_WORDS)
@pytest.mark.parametrize("headers", [HERMES, CLAUDE_CODE, {"user-agent": "Python/3.12 aiohttp/3.14"}], ids=str)
@pytest.mark.parametrize("stream", [True, False])
def test_own_words_about_the_same_are_answered(words: str, headers: dict[str, str], *, stream: bool) -> None:
    """In all three dialects, alone and in a conversation."""
    ours: dict[str, Any] = {"model": "pilot", "stream": stream}
    talk = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello!"}]
    asked = {"role": "user", "content": words}
    for messages in ([asked], [*talk, asked]):
        assert recognised("/v1/messages", ours | {"max_tokens": 16, "messages": messages}, headers) is None
        assert recognised("/v1/chat/completions", ours | {"messages": messages}, headers) is None
        assert recognised("/v1/responses", ours | {"input": messages}, headers) is None
