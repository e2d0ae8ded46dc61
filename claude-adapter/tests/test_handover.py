"""What Claude is told of the answers that the local model gave in its place."""

from typing import Any

import orjson
import pytest
from claude_rig import Adapter, Upstream

from claude_adapter.endpoints.handover import LABEL, label_local_answers

Message = dict[str, Any]
LABELLED = f"{LABEL}\n\nParis."

USER: Message = {"role": "user", "content": "Hi"}
THOUGHT: Message = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
PARIS: Message = {"type": "text", "text": "Paris."}
CACHED: Message = {**PARIS, "cache_control": {"type": "ephemeral"}}
CALL: Message = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
CHAT_CALL: Message = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
LABEL_BLOCK: Message = {"type": "text", "text": LABEL}


def said(content: object) -> Message:
    return {"role": "assistant", "content": content}


CASES: list[tuple[str, Message, Message]] = [
    # why it exists, an assistant's message, the same with its label
    ("a text", said("Paris."), said(LABELLED)),
    ("a block", said([PARIS]), said([{"type": "text", "text": LABELLED}])),
    ("only the first words", said([PARIS, PARIS]), said([{"type": "text", "text": LABELLED}, PARIS])),
    (
        "the cache's mark stays",
        said([CACHED]),
        said([{"type": "text", "text": LABELLED, "cache_control": {"type": "ephemeral"}}]),
    ),
    ("after a thought", said([THOUGHT, PARIS]), said([THOUGHT, {"type": "text", "text": LABELLED}])),
    ("words before a call", said([PARIS, CALL]), said([{"type": "text", "text": LABELLED}, CALL])),
    ("a call alone", said([CALL]), said([LABEL_BLOCK, CALL])),
    ("a call after a thought", said([THOUGHT, CALL]), said([THOUGHT, LABEL_BLOCK, CALL])),
    ("a call alone in Chat Completions", CHAT_CALL, {**CHAT_CALL, "content": LABEL}),
    ("nothing", said([]), said([LABEL_BLOCK])),
    ("an empty text", said(""), said(LABEL)),
    (
        "a refusal's part",
        said([{"type": "refusal", "refusal": "Paris."}]),
        said([{"type": "refusal", "refusal": LABELLED}]),
    ),
]


@pytest.mark.parametrize(("why", "given", "labelled"), CASES, ids=[case[0] for case in CASES])
def test_the_label_stands_before_the_first_words(why: str, given: Message, labelled: Message) -> None:
    """In exactly the message that is named; all else stays."""
    request = orjson.loads(orjson.dumps({"messages": [USER, given, USER, given]}))
    assert label_local_answers(request, "3")
    assert request["messages"] == [USER, given, USER, labelled]


HEADERS: list[tuple[str, str, list[int]]] = [
    # why it exists, the header, the messages that are labelled
    ("one", "1", [1]),
    ("several", "1,3", [1, 3]),
    ("with spaces, twice", " 3 , 1,3", [1, 3]),
    ("none", "", []),
    ("a user's message", "0", []),
    ("beyond the end", "4,99999999999999999999", []),
    ("negative", "-1,-3", []),
    ("no numbers", "x,1.0,0x1,²,1;3", []),
    ("one good among bad ones", "x,,3,-", [3]),
]


@pytest.mark.parametrize(("why", "header", "indices"), HEADERS, ids=[case[0] for case in HEADERS])
def test_what_the_header_names(why: str, header: str, indices: list[int]) -> None:
    """What it names beside an assistant's message is ignored."""
    request = {"messages": [USER, said("Paris."), USER, said("Paris.")]}
    assert label_local_answers(request, header) is bool(indices)
    assert [at for at, message in enumerate(request["messages"]) if LABEL in message["content"]] == indices


@pytest.mark.parametrize("messages", [None, "x", {}, [1, None, "x"], [said(7), said({"a": 1}), said([1, None])]])
def test_an_odd_request_is_left_to_who_judges_it(messages: object) -> None:
    """No error, and no label where there is no text."""
    label_local_answers({"messages": messages}, "0,1,2,3")


HISTORY = [
    {"role": "assistant", "content": "Before."},  # translation puts a user's message in front of it
    {"role": "user", "content": "France's capital?"},
    {"role": "assistant", "content": "Lyon."},
    {"role": "assistant", "content": "No, Paris."},  # merged with the one before
    {"role": "system", "content": "Be brief."},  # taken out
    {"role": "user", "content": "And Spain's?"},
]


async def test_chat_completions(adapter: Adapter, upstream: Upstream) -> None:
    """The indices are those of the body that comes in, not of what translation makes of it; the header ends here."""
    sent = []
    for _ in range(2):
        await adapter.ask(messages=HISTORY, headers={"X-Pilot-Local-Answers": "3,0"})
        _, headers, body = upstream.seen[-1]
        assert "x-pilot-local-answers" not in headers
        sent.append(body["messages"])
    texts = [block["text"] for message in sent[0] for block in message["content"] if message["role"] == "assistant"]
    assert texts == [f"{LABEL}\n\nBefore.", "Lyon.", f"{LABEL}\n\nNo, Paris."]
    assert sent[0] == sent[1]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_messages(adapter: Adapter, upstream: Upstream, path: str) -> None:
    """The same in Messages, also where only tokens are counted; without the header the bytes stay as they came."""
    body = {"model": "claude-z", "max_tokens": 9, "stream": True, "messages": [USER, said([THOUGHT, CACHED]), USER]}
    for header in ({"X-Pilot-Local-Answers": "1"}, {}):
        await adapter.client.post(path, content=orjson.dumps(body), headers=header)
        _, headers, seen = upstream.seen[-1]
        assert "x-pilot-local-answers" not in headers
        first = seen["messages"][1]["content"][1]
        assert first == {**CACHED, "text": LABELLED if header else "Paris."}
