"""How much of a history is looked at."""

from typing import Any

import orjson
import pytest

from local_llm.dialects.chat_request import ChatRequest, parse
from local_llm.dialects.history import NEWEST_MESSAGES, newest
from local_llm.dialects.messages_request import parse_messages

LONG = [{"role": role, "content": str(index)} for index in range(150_000) for role in ("user", "assistant")]


@pytest.mark.parametrize("read", [parse, parse_messages], ids=["chat", "messages"])
def test_only_the_newest_are_read(read: Any) -> None:
    """Of 300,001 messages a few thousand, with the instructions among the others, in both dialects."""
    system = {"role": "system", "content": "Be brief."}
    body = {"max_tokens": 4, "messages": [system, *LONG, {"role": "user", "content": "And now?"}]}
    request: ChatRequest = read(orjson.dumps(body))
    assert len(request.messages) <= 2 * NEWEST_MESSAGES
    assert "Be brief." in str(request.messages[0])
    assert "And now?" in str(request.messages[-1])


def test_the_next_request_begins_the_same() -> None:
    """Or nothing of it would be in the cache."""
    begins = [newest(LONG[: 50_000 + said])[0]["content"] for said in range(0, NEWEST_MESSAGES, 512)]
    assert len(set(begins)) <= 2


@pytest.mark.parametrize("count", [1, NEWEST_MESSAGES, 2 * NEWEST_MESSAGES - 1])
def test_what_is_not_so_long_is_read_whole(count: int) -> None:
    """Up to twice the block."""
    assert newest(LONG[:count]) == LONG[:count]
