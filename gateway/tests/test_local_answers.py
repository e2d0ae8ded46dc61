"""Who wrote which answer, through whole conversations: what people read, and what the next backend is given."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.dialects import sse
from gateway.relay.rescue import RESCUE_LINE
from gateway.settings import DEFAULT_MARK as MARK
from gateway.settings import DEFAULT_NOTICE as NOTICE
from gateway_rig import BODIES, CLAUDE, LOCAL, Rig, chat, chunk, gateway_rig, stream, streamed, whole
from odd_service import response

Json = dict[str, Any]


class Talk:
    """A client's conversation, with a gateway after the other."""

    def __init__(self, path: str, *rigs: Rig, streams: bool = False) -> None:
        self._path, self._rigs, self._streams = path, rigs, streams
        self._turns = 0
        self.history: list[Json] = []

    async def turn(self, backend: tuple[str, str], says: str, **more: Any) -> str:
        """The next question, which this backend answers; gives what the person reads."""
        rig = self._rigs[self._turns % len(self._rigs)]
        self._turns += 1
        make = streamed(self._path, says, backend) if self._streams else None
        rig.nginx.answer = make or response(whole(self._path, says), 200, "application/json", *backend)
        self.history.append({"role": "user", "content": f"Question {self._turns}"})
        field = "input" if self._path == "/v1/responses" else "messages"
        answer = await rig.ask(self._path, **{field: self.history, "stream": self._streams}, **more)
        assert answer.status_code == 200
        text = text_of_stream(answer.text) if self._streams else text_of(self._path, answer)
        self.history.append({"role": "assistant", "content": text})
        return text


def text_of(path: str, answer: httpx.Response) -> str:
    """What a whole answer says."""
    body = answer.json()
    match path:
        case "/v1/responses":
            return str(body["output"][-1]["content"][0]["text"])
        case "/v1/messages":
            return str(body["content"][0]["text"])
    return str(body["choices"][0]["message"]["content"])


def text_of_stream(events: str) -> str:
    """What a stream says, in any dialect; its last events say the same."""
    text, done = "", None
    for event in sse.split(events.encode()):
        document = sse.document(event)
        delta = document.get("delta")
        match document.get("type"):
            case "content_block_delta" if isinstance(delta, dict):
                text += delta["text"]
            case "response.output_text.delta":
                text += str(delta)
            case "response.completed":
                done = document["response"]["output"][-1]["content"][0]["text"]
        for choice in document.get("choices", ()):
            text += choice["delta"].get("content") or ""
    assert done in (None, text)
    return text


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A gateway as it comes."""
    async with gateway_rig(tmp_path) as rig:
        yield rig


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", BODIES)
async def test_two_gateways_in_turn_tell_once_in_each_outage(tmp_path: Path, path: str, streams: bool) -> None:
    """Each later local answer has the mark, Claude's have neither; nothing is kept where the request has been."""
    async with contextlib.AsyncExitStack() as stack:
        rigs = []
        for name in "ab":
            (tmp_path / name).mkdir()
            rigs.append(await stack.enter_async_context(gateway_rig(tmp_path / name)))
        talk = Talk(path, *rigs, streams=streams)
        for _ in range(3):
            assert await talk.turn(CLAUDE, "Mine.") == "Mine."
            assert await talk.turn(LOCAL, "Small.") == f"{NOTICE}\n\nSmall."
            assert await talk.turn(LOCAL, "Small.") == f"Small. {MARK}"
            assert await talk.turn(LOCAL, "Small.") == f"Small. {MARK}"
        again = Talk(path, *rigs, streams=streams)
        assert await again.turn(LOCAL, "Small.") == f"{NOTICE}\n\nSmall."


@pytest.mark.parametrize("path", BODIES)
async def test_claude_is_named_the_local_answers(rig: Rig, path: str) -> None:
    """Those of the outage and no others, by their places in the body that goes on; the body holds no addition."""
    talk = Talk(path, rig)
    for backend in (CLAUDE, LOCAL, LOCAL, LOCAL, CLAUDE):
        await talk.turn(backend, "Words.")
    headers, body = rig.nginx.requests[-1]
    messages = orjson.loads(body)["messages"]
    assert headers["x-pilot-local-answers"] == "3,5,7"
    assert {messages[place]["role"] for place in (3, 5, 7)} == {"assistant"}
    assert NOTICE.encode() not in body
    assert MARK.encode() not in body


async def test_instructions_move_the_places(rig: Rig) -> None:
    """In Responses they become the first message."""
    talk = Talk("/v1/responses", rig)
    await talk.turn(LOCAL, "Words.", instructions="Be brief.")
    await talk.turn(CLAUDE, "Words.", instructions="Be brief.")
    assert rig.nginx.requests[-1][0]["x-pilot-local-answers"] == "2"


async def test_so_many_answers_are_named(rig: Rig) -> None:
    """The newest: a header has a limit."""
    rig.nginx.answer = response(chat("Hi."), 200, "application/json", *CLAUDE)
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": f"A {MARK}"}] * 300
    await rig.ask(messages=[*turns, {"role": "user", "content": "Q"}])
    places = rig.nginx.requests[-1][0]["x-pilot-local-answers"].split(",")
    assert (len(places), places[0], places[-1]) == (200, "201", "599")


@pytest.mark.parametrize("path", BODIES)
async def test_only_the_gateway_names_local_answers(rig: Rig, path: str) -> None:
    """A client's own header goes no further."""
    rig.nginx.answer = response(whole(path, "Hi."), 200, "application/json", *CLAUDE)
    await rig.client.post(path, json=BODIES[path], headers={"X-Pilot-Local-Answers": "0"})
    assert "x-pilot-local-answers" not in rig.nginx.requests[-1][0]


async def test_the_handover_can_be_off(tmp_path: Path) -> None:
    """What was added is taken out all the same."""
    async with gateway_rig(tmp_path, pilot_handover="off") as rig:
        talk = Talk("/v1/chat/completions", rig)
        for backend in (LOCAL, LOCAL, CLAUDE):
            await talk.turn(backend, "Words.")
        headers, body = rig.nginx.requests[-1]
        assert "x-pilot-local-answers" not in headers
        assert MARK.encode() not in body


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({"pilot_mark": "off"}, [f"{NOTICE}\n\nA", "B", f"{NOTICE}\n\nC"]),
        ({"pilot_mark": "(small)"}, [f"{NOTICE}\n\nA", "B (small)", "C (small)"]),
        ({"pilot_notice_policy": "always"}, [f"{NOTICE}\n\nA", f"{NOTICE}\n\nB", f"{NOTICE}\n\nC"]),
        ({"pilot_notice_policy": "never"}, [f"A {MARK}", f"B {MARK}", f"C {MARK}"]),
        ({"pilot_notice_policy": "never", "pilot_mark": "off"}, ["A", "B", "C"]),
    ],
    ids=["no marks", "a mark of one's own", "always", "never", "nothing at all"],
)
async def test_what_settings_make_of_three_local_answers(tmp_path: Path, settings: Json, read: list[str]) -> None:
    """Without marks the gateway cannot know that it has told: it tells every second time."""
    async with gateway_rig(tmp_path, **settings) as rig:
        talk = Talk("/v1/chat/completions", rig)
        assert [await talk.turn(LOCAL, words) for words in "ABC"] == read


TOLD = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": f"Hello. {MARK}"},
    {"role": "user", "content": "{"},
]
LOOK = {"type": "function", "function": {"name": "look"}}
SPOILED: list[tuple[str, str, Json, Json]] = [
    # why it exists, path, fields of the body, headers
    ("by name", "/v1/chat/completions", {"model": "local"}, {}),
    ("JSON", "/v1/chat/completions", {"response_format": {"type": "json_object"}}, {}),
    ("a call that must be", "/v1/chat/completions", {"tools": [LOOK], "tool_choice": "required"}, {}),
    ("asked not to", "/v1/chat/completions", {}, {"X-Pilot-Notice": "off"}),
    ("an answer begun", "/v1/chat/completions", {"messages": [*TOLD, {"role": "assistant", "content": "{"}]}, {}),
    ("by name", "/v1/messages", {"model": "local"}, {}),
    ("JSON", "/v1/messages", {"output_config": {"format": {}}}, {}),
    (
        "a call that must be",
        "/v1/messages",
        {"tools": [{"name": "look", "input_schema": {}}], "tool_choice": {"type": "any"}},
        {},
    ),
    ("asked not to", "/v1/messages", {}, {"X-Pilot-Notice": "off"}),
    ("an answer begun", "/v1/messages", {"messages": [*TOLD, {"role": "assistant", "content": "{"}]}, {}),
    ("JSON", "/v1/responses", {"text": {"format": {"type": "json_object"}}}, {}),
    ("asked not to", "/v1/responses", {}, {"X-Pilot-Notice": "off"}),
]


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("why", "path", "fields", "headers"), SPOILED, ids=[f"{c[1]}-{c[0]}" for c in SPOILED])
async def test_nothing_is_added_where_it_would_spoil_the_answer(
    rig: Rig, why: str, path: str, fields: Json, headers: dict[str, str], streams: bool, first: bool
) -> None:
    """Neither the notice nor the mark."""
    field = "input" if path == "/v1/responses" else "messages"
    fields = ({} if first else {field: TOLD}) | fields | {"stream": streams}
    rig.nginx.answer = (
        streamed(path, "Words.", LOCAL) if streams else response(whole(path, "Words."), 200, "application/json", *LOCAL)
    )
    answer = await rig.client.post(path, json=BODIES[path] | fields, headers=headers)
    assert (text_of_stream(answer.text) if streams else text_of(path, answer)) == "Words."


@pytest.mark.parametrize(
    ("settings", "between", "end"),
    [({}, RESCUE_LINE, ""), ({"pilot_notice_policy": "never"}, "", f" {MARK}")],
    ids=["line", "mark"],
)
@pytest.mark.parametrize("path", BODIES)
async def test_a_rescued_answer_is_recognisable(
    tmp_path: Path, path: str, settings: Json, between: str, end: str
) -> None:
    """By its line, or by the mark where that is not wanted; the next request names it."""
    async with gateway_rig(tmp_path, **settings) as rig:
        complete = streamed(path, "The cap", CLAUDE)
        end_of_text = b"event: content_block_stop" if path == "/v1/messages" else chunk("", "stop")
        body = complete.partition(b"\r\n\r\n")[2].partition(end_of_text)[0]
        backend_path = "/v1/messages" if path == "/v1/messages" else "/v1/chat/completions"
        rig.nginx.answers = {backend_path: stream(body, cut=True)}
        rig.nginx.answer = streamed(path, "ital.", LOCAL)
        answer = await rig.ask(path, stream=True)
        text = text_of_stream(answer.text)
        assert text == f"The cap{between}ital.{end}"
        rig.nginx.answers = {}
        rig.nginx.answer = response(whole(path, "Hi."), 200, "application/json", *CLAUDE)
        history = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": text}]
        await rig.ask(path, **{"input" if path == "/v1/responses" else "messages": [*history, history[0]]})
        headers, sent = rig.nginx.requests[-1]
        assert headers["x-pilot-local-answers"] == "1"
        assert orjson.loads(sent)["messages"][1]["content"] == "The capital."
