"""A large body is read beside the event loop: nobody else waits for it."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.relay.conversation import Conversation, ConversationReader
from gateway_rig import LOCAL, Rig, chat, gateway_rig
from odd_service import response


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path) as rig:
        rig.nginx.answer = response(chat("Yes."), 200, "application/json", *LOCAL)
        yield rig


@pytest.mark.parametrize(("words", "beside"), [(1, False), (1_000_000, True)], ids=["small", "large"])
async def test_the_loop_is_free(rig: Rig, monkeypatch: pytest.MonkeyPatch, words: int, beside: bool) -> None:
    """A small body is not worth a thread; 300,000 messages took the loop two seconds."""
    read_on: list[threading.Thread] = []
    read = ConversationReader.read

    def noted(reader: ConversationReader, messages: Any) -> Conversation:
        read_on.append(threading.current_thread())
        return read(reader, messages)

    monkeypatch.setattr(ConversationReader, "read", noted)
    answer = await rig.ask(messages=[{"role": "user", "content": "x" * words}])
    assert answer.status_code == 200
    assert [thread is not threading.main_thread() for thread in read_on] == [beside]


async def test_a_mistake_in_a_large_body_is_told(rig: Rig) -> None:
    """In the dialect, as in a small one."""
    answer = await rig.ask(messages=[{"role": "user", "content": "x" * 1_000_000}, {"role": "nobody"}])
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "messages[1].role"
