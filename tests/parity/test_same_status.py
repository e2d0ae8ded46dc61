"""One decides whether a request is well-formed, the gateway: what it lets in, both backends answer."""

from typing import Any

import pytest

from parity import chat_bodies, messages_bodies, responses_bodies
from parity.both_ways import CHAT, COUNT, MESSAGES, RESPONSES, statuses

Json = dict[str, Any]

TABLES = ((CHAT, chat_bodies), (MESSAGES, messages_bodies), (RESPONSES, responses_bodies))
ROWS = [
    pytest.param(dialect, body, status, id=f"{dialect.name}-{status}-{why}")
    for dialect, table in TABLES
    for status, bodies in ((200, table.ANSWERED), (400, table.REFUSED))
    for why, body in bodies.items()
]


@pytest.mark.parametrize(("dialect", "body", "status"), ROWS)
def test_both_backends_give_the_same_status(dialect: Any, body: Json, status: int) -> None:
    """Neither an outage nor its end breaks a conversation."""
    assert statuses(dialect, body) == (status, status)


@pytest.mark.parametrize("body", messages_bodies.ANSWERED.values(), ids=messages_bodies.ANSWERED)
def test_what_is_answered_is_counted(body: Json) -> None:
    """A number from both, forced tools of Claude's own included."""
    counted = {name: value for name, value in body.items() if name not in ("max_tokens", "stream")}
    assert statuses(COUNT, counted) == (200, 200)


@pytest.mark.parametrize("body", messages_bodies.CLAUDES_OWN.values(), ids=messages_bodies.CLAUDES_OWN)
def test_what_claude_alone_can_judge_is_answered_in_an_outage(body: Json) -> None:
    """Its refusal is the client's to read while it is well; the local model makes the best of it."""
    assert statuses(MESSAGES, body) == (400, 200)


@pytest.mark.parametrize(("dialect", "table"), TABLES, ids=[dialect.name for dialect, _ in TABLES])
def test_there_are_enough_bodies(dialect: Any, table: Any) -> None:
    """A table that is lost does not pass for one where all is well."""
    assert len(table.ANSWERED) + len(table.REFUSED) >= 60
