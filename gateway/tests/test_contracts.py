"""What the gateway reads from the services behind it: their real output, and whatever else may come."""

import time
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.requests import Request

from claude_adapter.availability.breaker import Breaker
from claude_adapter.availability.probe import Prober
from claude_adapter.availability.reasons import REASONS, Fallback, ProbeResult, Reason
from claude_adapter.state import state_document
from claude_adapter.upstream.key import ApiKey
from gateway.reasons import Words
from gateway.status.contracts import (
    ClaudeView,
    ContractError,
    LocalView,
    read_header,
    read_health,
    read_model_list,
    read_reason,
    read_retry_after,
    read_state,
)
from local_llm.endpoints.health import Health
from odd_service import HEALTH, NO_DOCUMENTS, STATE, without


def claude_adapter(key: str | None = "sk-test") -> tuple[Breaker, Any]:
    """A breaker, and a function that gives claude-adapter's `/state` as it is sent."""
    breaker = Breaker(time.monotonic, "claude-sonnet-4-6", lambda _: None, lambda: None)
    api_key = ApiKey(key, None, lambda: None)
    breaker.key_changed(api_key.problem)

    async def probe() -> ProbeResult:
        return "ok"

    prober = Prober(breaker, probe, 5, lambda _: None)
    return breaker, lambda: orjson.dumps(state_document(breaker, api_key, prober, "claude-sonnet-4-6"))


def test_what_claude_adapter_really_says_of_a_usable_claude() -> None:
    """Its own document for a closed breaker."""
    _, state = claude_adapter()
    words = Words("Claude answers.", "Nothing to do.")
    assert read_state(200, state()) == ClaudeView("closed", None, "Claude is usable.", "claude-sonnet-4-6", words=words)


@pytest.mark.parametrize("reason", REASONS)
def test_what_claude_adapter_really_says_of_each_reason(reason: Reason) -> None:
    """Its own document for a breaker that this reason has opened."""
    breaker, state = claude_adapter()
    breaker.failed("claude-sonnet-4-6", Fallback(reason, f"What {reason} means."), time.monotonic(), "somebody")
    view = read_state(200, state())
    assert (view.state, view.reason) == ("open", reason)
    assert view.detail.startswith(f"What {reason} means.")
    assert view.words == Words(*REASONS[reason].words)


def test_what_claude_adapter_really_says_without_a_key_and_in_a_drill() -> None:
    """Without a key nothing will be probed, so nobody needs to wait for it."""
    breaker, state = claude_adapter(key=None)
    view = read_state(200, state())
    assert (view.state, view.reason, view.probed) == ("open", "no_key", True)
    breaker.drill(60)
    assert read_state(200, state()).reason == "drill"


def test_what_claude_adapter_says_is_bounded_whatever_clients_ask_for() -> None:
    """A model's name may be as long as a body; the document is not."""
    breaker, state = claude_adapter()
    for number in range(100):
        unknown = Fallback("model_not_found", "There is no such model.")
        breaker.failed(f"claude-{number}-" + "x" * 100_000, unknown, time.monotonic(), "somebody")
    assert len(state()) < 100_000
    assert read_state(200, state()).state == "closed"


@pytest.mark.parametrize(
    ("warm", "stalled", "ready"), [(True, False, True), (False, False, False), (True, True, False)]
)
async def test_what_local_llm_really_says(warm: bool, stalled: bool, ready: bool) -> None:
    """Its own endpoint's answer: 200 when it is ready, 503 when it is not, or an answer has stalled."""
    model = SimpleNamespace(engine=SimpleNamespace(ready=warm), name="SmolLM2-135M", context_tokens=8192)
    serving: Any = SimpleNamespace(current=model, depth=3, passed_over={"a.gguf": "does not fit"})
    watch: Any = SimpleNamespace(stalled=stalled)
    answer = await Health(serving, watch).healthz(Request({"type": "http"}))
    assert read_health(answer.status_code, bytes(answer.body)) == LocalView(ready, "SmolLM2-135M", 8192, 3)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((200, body) for body in NO_DOCUMENTS),
        *(
            (200, orjson.dumps(without(STATE, name)))
            for name in ("state", "reason", "detail", "model", "key", "probe", "models")
        ),
        (200, orjson.dumps(STATE | {"state": "ajar"})),
        (200, orjson.dumps(STATE | {"state": "down"})),
        (200, orjson.dumps(STATE | {"state": True})),
        (200, orjson.dumps(STATE | {"state": "open"})),  # without a reason
        (200, orjson.dumps(STATE | {"state": "open", "reason": ""})),
        (200, orjson.dumps(STATE | {"state": "open", "reason": 7})),
        (200, orjson.dumps(STATE | {"state": "open", "reason": "two\r\nlines"})),
        (200, orjson.dumps(STATE | {"state": "open", "reason": "x" * 10_000})),
        (200, orjson.dumps(STATE | {"detail": None})),
        (200, orjson.dumps(STATE | {"detail": ["a"]})),
        (200, orjson.dumps(STATE | {"model": {}})),
        (200, orjson.dumps(STATE | {"key": "yes"})),
        (200, orjson.dumps(STATE | {"probe": None})),
        (200, orjson.dumps(STATE | {"probe": []})),
        (200, orjson.dumps(STATE | {"probe": {}})),
        (200, orjson.dumps(STATE | {"probe": {"result": 1}})),
        (500, orjson.dumps({"error": {"message": "It broke."}})),
        (500, b"Internal Server Error"),
        (503, orjson.dumps(STATE)),
        (204, b""),
    ],
)
def test_an_odd_state_is_no_state(status: int, body: bytes) -> None:
    """Whatever comes is either a view or a ContractError, and the error quotes nothing."""
    with pytest.raises(ContractError) as caught:
        read_state(status, body)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((200, body) for body in NO_DOCUMENTS),
        *((200, orjson.dumps(without(HEALTH, name))) for name in HEALTH),
        (200, orjson.dumps(HEALTH | {"ready": "yes"})),
        (200, orjson.dumps(HEALTH | {"ready": 1})),
        (200, orjson.dumps(HEALTH | {"ready": False})),  # which its status denies
        (503, orjson.dumps(HEALTH)),
        (200, orjson.dumps(HEALTH | {"model": None})),
        (200, orjson.dumps(HEALTH | {"model": "two\nlines"})),
        (200, orjson.dumps(HEALTH | {"context_tokens": "8192"})),
        (200, orjson.dumps(HEALTH | {"context_tokens": -1})),
        (200, orjson.dumps(HEALTH | {"context_tokens": True})),
        (200, orjson.dumps(HEALTH | {"queue_depth": 0.5})),
        (200, b'{"ready":true,"model":"m","context_tokens":1e999,"queue_depth":0}'),
        (500, orjson.dumps(HEALTH)),
        (404, orjson.dumps({"detail": "Not Found"})),
    ],
)
def test_an_odd_health_is_no_health(status: int, body: bytes) -> None:
    """Whatever comes is either a view or a ContractError."""
    with pytest.raises(ContractError):
        read_health(status, body)


@pytest.mark.parametrize("more", [{}, {"new": 1}, {"opens": "whatever"}, {"words": None}])
def test_what_is_not_read_may_be_anything(more: dict[str, Any]) -> None:
    """A newer service may say more."""
    assert read_state(200, orjson.dumps(STATE | more)).state == "closed"
    assert read_health(200, orjson.dumps(HEALTH | more)).ready


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ({"what": "It is so.", "do": "Do this."}, Words("It is so.", "Do this.")),
        ({"what": "It is so."}, None),
        ({"what": 1, "do": 2}, None),
        ("It is so.", None),
        (None, None),
    ],
)
def test_the_words_of_a_reason(words: Any, read: Words | None) -> None:
    """Without them the gateway has words of its own."""
    assert read_state(200, orjson.dumps(STATE | {"words": words})).words == read


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b'{"reason":"auth"}', "auth"),
        (200, b'{"reason":"something_new"}', "something_new"),
        (404, b"whatever", None),
    ],
)
def test_a_reason(status: int, body: bytes, reason: str | None) -> None:
    """By name, also one that only a newer claude-adapter knows; None when no failure is remembered."""
    assert read_reason(status, body) == reason


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((200, body) for body in NO_DOCUMENTS),
        (200, b'{"reason":null}'),
        (200, b'{"reason":""}'),
        (200, b'{"reason":["auth"]}'),
        (200, b'{"reason":"auth\\r\\nSet-Cookie: a=b"}'),
        (500, b'{"reason":"auth"}'),
        (302, b""),
    ],
)
def test_an_odd_reason_is_no_reason(status: int, body: bytes) -> None:
    """It would become a header and a label."""
    with pytest.raises(ContractError):
        read_reason(status, body)


@pytest.mark.parametrize("body", [*NO_DOCUMENTS, b'{"data":null}', b'{"data":5}', b'{"data":{"id":"a"}}'])
def test_an_odd_list_of_models_is_no_list(body: bytes) -> None:
    """What was known before stays."""
    with pytest.raises(ContractError):
        read_model_list(body)


def test_odd_models_are_left_out_and_odd_fields_of_others() -> None:
    """One odd entry does not hide the others."""
    listed = [
        None,
        5,
        {},
        {"id": None},
        {"id": ""},
        {"id": "a", "created_at": "yesterday", "max_input_tokens": "many", "display_name": None, "type": "model"},
        {"id": "b", "created_at": "99999-01-01T00:00:00Z", "max_input_tokens": 0},
        {"id": "c", "created_at": "2026-02-05T00:00:00Z", "max_input_tokens": 1_000_000, "display_name": "C"},
    ]
    assert read_model_list(orjson.dumps({"data": listed})) == [{"id": "a", "type": "model"}, {"id": "b"}, listed[-1]]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("0", 0), ("86400", 3600), (None, None), ("", None), ("²", None), ("-1", None), ("9" * 5000, None)],
)
def test_retry_after(value: str | None, seconds: int | None) -> None:
    """Seconds, at most an hour; what is no number of seconds counts as missing."""
    assert read_retry_after(value) == seconds


@pytest.mark.parametrize("value", [None, "", "two words", "ü", "a\r\nb", "x" * 300])
def test_an_odd_header_is_missing(value: str | None) -> None:
    """It would become a header, a label or JSON again."""
    assert read_header(value) is None
