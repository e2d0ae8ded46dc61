"""A stream in which nothing comes for a while is kept alive, and says what it waits for."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message

from local_llm.dialects.answer import Answer, Usage
from local_llm.dialects.chat_reply import ChatReply
from local_llm.dialects.interface import Reply
from local_llm.dialects.messages_reply import MessagesReply
from local_llm.endpoints import answering
from local_llm.engine.engine import Turn
from local_llm.prompt.prompter import Prompt

PROMPT = Prompt([1], 5, {}, None, [], None, continues=False, dropped_turns=0)
ANSWER = Answer("stop", None, Usage(prompt=1, cached=0, completion=1))


@pytest.mark.parametrize(
    ("reply", "signs"),
    [
        (ChatReply("1", "SmolLM2", 0), [b": waiting\n\n", b": reading\n\n"]),
        (MessagesReply("1", "SmolLM2"), [b'event: ping\ndata: {"type":"ping"}\n\n'] * 2),
    ],
    ids=["chat", "messages"],
)
async def test_signs_of_life(reply: Reply, signs: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the queue, then in prefill; after that the words."""
    monkeypatch.setattr(answering, "HEARTBEAT_SECONDS", 0.01)
    turn = Turn()
    turn.task = asyncio.create_task(_answer())
    sent: list[bytes] = []
    awaited: Iterator[bytes] = iter(signs)
    awaiting = next(awaited)

    async def send(message: Message) -> None:
        nonlocal awaiting
        sent.append(message.get("body", b""))
        if sent[-1] != awaiting:
            return
        if turn.state == "waiting":
            turn.state, awaiting = "reading", next(awaited)
        else:
            awaiting = b""
            turn.texts.put_nowait("Paris")
            turn.texts.put_nowait(None)

    async with asyncio.timeout(10):
        assert await answering.stream_answer(turn, PROMPT, reply, {}, send) == "ok"
    at = [sent.index(signs[0]), len(sent) - 1 - sent[::-1].index(signs[1])]
    assert at == sorted(at)
    assert b"Paris" in b"".join(sent[at[1] :])


async def _answer() -> Answer:
    return ANSWER
