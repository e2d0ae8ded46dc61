"""Every scripted fault looks on the wire as it should, and the counts tell what happened."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_anthropic.process import FakeAnthropic

HEADERS = {"x-api-key": "sk-ant-test-4321", "anthropic-version": "2023-06-01"}
BODY = {"model": "claude-opus-5-5", "max_tokens": 500, "messages": [{"role": "user", "content": "one two three"}]}
STREAM = {**BODY, "stream": True}


@pytest.fixture
def http(fake: FakeAnthropic) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.base_url, headers=HEADERS, timeout=10, trust_env=False) as client:
        yield client


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited 10 s for: {what}"
        time.sleep(0.01)


def read_until_broken(http: httpx.Client) -> tuple[str, Exception | None]:
    """What a stream gave, and how it broke."""
    got = ""
    try:
        with http.stream("POST", "/v1/messages", json=STREAM) as reply:
            for piece in reply.iter_text():
                got += piece
    except httpx.HTTPError as error:
        return got, error
    return got, None


def test_stream_on_the_wire(http: httpx.Client) -> None:
    """Event names, their order, the content type and the request id are those of the real API."""
    reply = http.post("/v1/messages", json=STREAM)
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["request-id"].startswith("req_")
    names = [line.removeprefix("event: ") for line in reply.text.splitlines() if line.startswith("event: ")]
    deltas = ["content_block_delta"] * 7
    assert names == [
        *("message_start", "ping", "content_block_start"),
        *deltas,
        *("content_block_stop", "message_delta", "message_stop"),
    ]


def test_requests_are_kept_with_the_key_hidden(fake: FakeAnthropic, http: httpx.Client) -> None:
    """The journal shows what arrived, but of a key its last four characters only."""
    http.post("/v1/messages?beta=true", json=BODY, headers={"authorization": "Bearer sk-ant-secret"})
    (seen,) = fake.requests()
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/v1/messages?beta=true", BODY)
    assert (seen["status"], seen["outcome"]) == (200, "answered")
    assert (seen["headers"]["x-api-key"], seen["headers"]["authorization"]) == ("...4321", "...cret")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"stauts": 500}, "stauts: unknown field"),
        ({"status": "500"}, "status: must be an HTTP status"),
        ({"times": 0}, "times: must be"),
        ({"cut": "gently"}, "cut: must be one of"),
        ({"refuse": True, "times": 3}, "neither times nor paths"),
        ({"cut": "half_event"}, "half_event needs cut_after_events"),
        ({"headers": {"a": "b\r\nc: d"}}, "headers: must be"),
        ({"valid_keys": "sk-ant-1"}, "valid_keys: must be"),
    ],
)
def test_scripts_that_make_no_sense(fake: FakeAnthropic, fields: dict[str, Any], complaint: str) -> None:
    """A mistyped script is refused and names the field, instead of testing nothing."""
    with pytest.raises(ValueError, match=complaint):
        fake.script(**fields)


def test_one_script_after_another(fake: FakeAnthropic, http: httpx.Client) -> None:
    """Each for its times, then the default."""
    fake.scripts({"status": 529, "times": 1}, {"text": "So.", "times": 2}, {"status": 503, "times": 1})
    assert [http.post("/v1/messages", json=BODY).status_code for _ in range(5)] == [529, 200, 200, 503, 200]
    refused = httpx.post(f"{fake.control_url}/script", json=[{"status": 529}, {"text": "So."}], trust_env=False)
    assert refused.json() == {"error": "times: each script of a list needs it, but for the last"}


def test_paths_and_times(fake: FakeAnthropic, http: httpx.Client) -> None:
    """A script holds for the paths it names, for the number of requests it names."""
    fake.script(paths="messages", status=529, times=2)
    statuses = [http.get("/v1/models").status_code] + [http.post("/v1/messages", json=BODY).status_code for _ in "123"]
    assert statuses == [200, 529, 529, 200]


@pytest.mark.parametrize(
    ("fields", "status", "content_type", "body"),
    [
        (
            {"status": 503, "body": "<html>503</html>", "content_type": "text/html"},
            503,
            "text/html",
            "<html>503</html>",
        ),
        ({"status": 502, "body": ""}, 502, "application/json", ""),
        ({"body": "<html>log in</html>", "content_type": "text/html"}, 200, "text/html", "<html>log in</html>"),
        ({"body": '{"id": "msg_'}, 200, "application/json", '{"id": "msg_'),
    ],
)
def test_raw_bodies(
    fake: FakeAnthropic, http: httpx.Client, fields: dict[str, Any], status: int, content_type: str, body: str
) -> None:
    """A proxy's page, an empty body, a captive portal, truncated JSON; none of them has the API's headers."""
    fake.script(**fields)
    reply = http.post("/v1/messages", json=BODY)
    assert (reply.status_code, reply.headers["content-type"], reply.text) == (status, content_type, body)
    assert "request-id" not in reply.headers


@pytest.mark.parametrize("cut", ["close", "reset", "half_event"])
def test_stream_cut_after_two_texts(fake: FakeAnthropic, http: httpx.Client, cut: str) -> None:
    """What was sent arrives; then the connection breaks, at an event's edge or within it."""
    fake.script(cut=cut, cut_after_events=2)
    got, error = read_until_broken(http)
    assert isinstance(error, httpx.ReadError if cut == "reset" else httpx.RemoteProtocolError)
    assert got.count("text_delta") in ((2, 3) if cut == "half_event" else (2,))
    assert got.endswith("\n\n") is (cut != "half_event")
    assert fake.requests()[-1]["outcome"] == "cut"


@pytest.mark.parametrize("cut", ["close", "reset"])
@pytest.mark.parametrize("body", [BODY, STREAM])
def test_cut_instead_of_an_answer(fake: FakeAnthropic, http: httpx.Client, cut: str, body: dict[str, Any]) -> None:
    """`cut` alone ends the connection before the head."""
    fake.script(cut=cut)
    with pytest.raises(httpx.ReadError if cut == "reset" else httpx.RemoteProtocolError):
        http.post("/v1/messages", json=body)


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_kept_connections_are_cut_and_new_ones_are_not(fake: FakeAnthropic, http: httpx.Client, cut: str) -> None:
    """A connection that has brought a request before is cut at its next one; a new one is answered."""
    assert http.post("/v1/messages", json=BODY).status_code == 200
    fake.script(cut_reused=cut)
    with pytest.raises(httpx.TransportError):
        http.post("/v1/messages", json=BODY)
    assert http.post("/v1/messages", json=BODY).status_code == 200


def test_unary_body_cut(fake: FakeAnthropic, http: httpx.Client) -> None:
    """A unary answer is cut within its body."""
    fake.script(cut="close", cut_after_events=0)
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        http.post("/v1/messages", json=BODY)


def test_garbage(fake: FakeAnthropic, http: httpx.Client) -> None:
    """Bytes that are not HTTP."""
    fake.script(garbage=True)
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/v1/messages", json=BODY)


def test_refuse_and_reopen(fake: FakeAnthropic, http: httpx.Client) -> None:
    """Refusing resets what is open and refuses at once; the port is the same afterwards."""
    fake.script(chunks=100, chunk_interval_seconds=1)
    with http.stream("POST", "/v1/messages", json=STREAM) as reply:
        lines = reply.iter_lines()
        next(lines)
        fake.script(refuse=True)
        with pytest.raises(httpx.ReadError):
            list(lines)
    for _ in range(3):
        with pytest.raises(httpx.ConnectError):
            http.get("/v1/models")
    assert fake.stats()["connections_open"] == 0
    fake.script(refuse=False)
    assert http.get("/v1/models").status_code == 200


def test_black_hole(fake: FakeAnthropic, http: httpx.Client) -> None:
    """A connect gets no answer at all, not even a refusal; afterwards all is well."""
    fake.script(black_hole=True)
    with pytest.raises(httpx.ConnectTimeout):
        http.get("/v1/models", timeout=0.3)
    fake.reset()
    assert http.get("/v1/models").status_code == 200


def test_accept_but_silent(fake: FakeAnthropic, http: httpx.Client) -> None:
    """The request is taken and never answered; that the client gave up is counted."""
    before = fake.stats()["requests_aborted_by_client"]
    fake.script(accept_but_silent=True)
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/messages", json=BODY, timeout=0.2)
    until(lambda: fake.stats()["requests_aborted_by_client"] == before + 1, "the client's departure to be counted")


@pytest.mark.parametrize("pings", [False, True])
def test_silence_in_the_middle(fake: FakeAnthropic, http: httpx.Client, pings: bool) -> None:
    """After two texts nothing more, or pings only."""
    fake.script(silent_after_events=2, pings=pings, ping_interval_seconds=0.02)
    got = ""
    with (
        contextlib.suppress(httpx.ReadTimeout),
        http.stream("POST", "/v1/messages", json=STREAM, timeout=0.3) as reply,
    ):
        for piece in reply.iter_text():
            got += piece
            if got.count("event: ping") > 4:
                break
    assert got.count("text_delta") == 2
    assert (got.count("event: ping") > 4) is pings


def test_first_event_delay(fake: FakeAnthropic, http: httpx.Client) -> None:
    """The head, message_start and pings are there while the content is still to come."""
    fake.script(first_event_delay_seconds=0.3, pings=True, ping_interval_seconds=0.05)
    started = time.monotonic()
    got = ""
    with http.stream("POST", "/v1/messages", json=STREAM) as reply:
        for piece in reply.iter_text():
            got += piece
            if "text_delta" in got:
                break
    assert time.monotonic() - started >= 0.3
    assert got.index("message_start") < got.index("content_block_start")
    assert got.count("event: ping") >= 3


def test_delay_before_the_head(fake: FakeAnthropic, http: httpx.Client) -> None:
    """delay_seconds keeps the whole answer back."""
    fake.script(delay_seconds=0.2, status=503)
    started = time.monotonic()
    assert http.post("/v1/messages", json=BODY).status_code == 503
    assert time.monotonic() - started >= 0.2


def test_chunks_and_pace(fake: FakeAnthropic, http: httpx.Client) -> None:
    """The number of text deltas and the time between them are as scripted, and tokens are counted."""
    fake.script(chunks=20, chunk_interval_seconds=0.01)
    tokens = fake.stats()["tokens_written"]
    started = time.monotonic()
    text = http.post("/v1/messages", json=STREAM).text
    assert time.monotonic() - started >= 19 * 0.01
    assert text.count("text_delta") == 20
    assert fake.stats()["tokens_written"] == tokens + 20


def test_scripted_text_is_split_as_finely_as_asked(fake: FakeAnthropic, http: httpx.Client) -> None:
    """A scripted text arrives whole, in the number of deltas asked for, unary and streamed alike."""
    fake.script(text="Grüße, world", chunks=5, stop_reason="refusal")
    assert http.post("/v1/messages", json=STREAM).text.count("text_delta") == 5
    unary = http.post("/v1/messages", json=BODY).json()
    assert (unary["content"][0]["text"], unary["stop_reason"]) == ("Grüße, world", "refusal")


def test_client_that_leaves_is_noticed(fake: FakeAnthropic, http: httpx.Client) -> None:
    """A client that leaves mid-stream stops the work: no more tokens, and it is counted."""
    before = fake.stats()
    fake.script(chunks=1000, chunk_interval_seconds=0.01)
    with http.stream("POST", "/v1/messages", json=STREAM) as reply:
        got = ""
        for piece in reply.iter_text():
            got += piece
            if got.count("text_delta") >= 3:
                break
    aborted = before["streams_aborted_by_client"] + 1
    until(lambda: fake.stats()["streams_aborted_by_client"] == aborted, "the abort to be counted")
    after = fake.stats()
    assert after["tokens_written"] - before["tokens_written"] < 500
    assert (after["streams_open"], after["requests_in_flight"]) == (0, 0)
    assert after["streams_completed"] == before["streams_completed"]
    assert fake.requests()[-1]["outcome"] == "left"


def test_many_at_once(fake: FakeAnthropic) -> None:
    """Open connections are counted while they are open."""
    before = fake.stats()["connections_accepted"]
    with contextlib.ExitStack() as held:
        for _ in range(20):
            held.enter_context(socket.create_connection(("127.0.0.1", fake.port)))
        until(lambda: fake.stats()["connections_open"] >= 20, "20 connections")
    until(lambda: fake.stats()["connections_open"] == 0, "no connection")
    assert fake.stats()["connections_accepted"] == before + 20


def test_a_taken_port_is_said_in_one_line(fake: FakeAnthropic) -> None:
    """Started on a port that is in use it says so and ends; also when run as a folder."""
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).parent), "--port", str(fake.port)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("fake_anthropic cannot listen on 127.0.0.1")
    assert len(ended.stderr.splitlines()) == 1


def test_stops_within_its_streams() -> None:
    """`stop` ends the process at once, also while a stream is silent."""
    with FakeAnthropic() as own:
        own.script(silent_after_events=0)
        url = f"{own.base_url}/v1/messages"
        with (
            httpx.Client(headers=HEADERS, trust_env=False) as client,
            client.stream("POST", url, json=STREAM) as reply,
        ):
            assert reply.status_code == 200
            started = time.monotonic()
            own.stop()
    assert time.monotonic() - started < 4
    assert own._process.returncode in (0, -signal.SIGTERM)
