"""One request in either dialect, whole or streamed, read strictly and judged: what became of it?"""

import time
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import orjson

from gateway.relay.rescue import RESCUE_LINE

Dialect = Literal["openai", "anthropic"]
Verdict = Literal["claude", "local", "rescued", "refused", "broken off", "cut", "lost", "hung", "malformed"]
"""claude, local, rescued: a whole answer. refused: a proper error, with Retry-After. broken off: a stream that ended
with a proper error event. cut: the connection ended in the middle of an answer. lost: it ended without one. hung:
nothing came for SILENCE_SECONDS, or not all by the deadline. malformed: it broke the dialect's own rules."""

DIALECTS: tuple[Dialect, ...] = ("openai", "anthropic")
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
SILENCE_SECONDS = 40.0
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Exchange:
    """What became of one request. Times are seconds of the monotonic clock."""

    verdict: Verdict
    began: float
    ended: float
    detail: str = ""
    reason: str = ""
    text: str = ""
    first_words_seconds: float | None = None


class MalformedError(Exception):
    """An answer that breaks the rules of its dialect."""


def check(held: bool, what: str) -> None:
    """Raise MalformedError unless it held."""
    if not held:
        raise MalformedError(what)


def ask(
    client: httpx.Client, dialect: Dialect, question: str, *, streamed: bool, max_tokens: int = 16, **fields: Any
) -> Exchange:
    """Send one request and read its answer to the end."""
    body = {"model": "pilot", "messages": [{"role": "user", "content": question}], "max_tokens": max_tokens, **fields}
    headers = {"anthropic-version": "2023-06-01"} if dialect == "anthropic" else {}
    began = time.monotonic()
    words: list[str] = []
    first_words: float | None = None
    reason = ""
    verdict: Verdict
    started = False
    try:
        with client.stream(
            "POST", PATHS[dialect], json={**body, "stream": streamed}, headers=headers, timeout=SILENCE_SECONDS
        ) as response:
            started = True
            reason = response.headers.get("X-Fallback-Reason", "")
            if response.status_code != 200 or not streamed:
                response.read()
                if response.status_code != 200:
                    check_refusal(response, dialect)
                    verdict, detail = "refused", f"{response.status_code} {response.text[:300]}"
                else:
                    words.append(read_whole(response, dialect))
                    first_words = time.monotonic() - began
                    verdict, detail = served_by(response), ""
            else:
                reader = ChatReader() if dialect == "openai" else MessagesReader()
                for line in response.iter_lines():
                    if time.monotonic() - began > DEADLINE_SECONDS:
                        return Exchange("hung", began, time.monotonic(), "not all by the deadline", reason)
                    if word := reader.read(line):
                        first_words = first_words or time.monotonic() - began
                        words.append(word)
                verdict, detail = reader.verdict(served_by(response), "".join(words))
    except MalformedError as error:
        verdict, detail = "malformed", str(error)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        verdict, detail = "malformed", repr(error)
    except httpx.TimeoutException as error:
        verdict, detail = "hung", repr(error)
    except httpx.TransportError as error:
        verdict, detail = "cut" if started else "lost", repr(error)
    return Exchange(verdict, began, time.monotonic(), detail, reason, "".join(words), first_words)


def served_by(response: httpx.Response) -> Verdict:
    """Whose answer it is."""
    name = response.headers["X-Served-By"]
    check(name in ("claude", "local"), f"served by {name}")
    return "claude" if name == "claude" else "local"


def check_refusal(response: httpx.Response, dialect: Dialect) -> None:
    """An error in the dialect's own shape, and for 429 and 503 when to try again."""
    body = response.json()
    check(isinstance(body["error"]["message"], str) and bool(body["error"]["message"]), "an error without a message")
    check(isinstance(body["error"]["type"], str), "an error without a type")
    if dialect == "anthropic":
        check(body["type"] == "error", "not Anthropic's shape of an error")
    if response.status_code in (429, 503, 529):
        check(int(response.headers["Retry-After"]) > 0, "no Retry-After")


def read_whole(response: httpx.Response, dialect: Dialect) -> str:
    """The text of a unary answer."""
    body = response.json()
    if dialect == "openai":
        (choice,) = body["choices"]
        check(choice["finish_reason"] in ("stop", "length"), f"finish_reason {choice['finish_reason']}")
        check(body["usage"]["completion_tokens"] >= 0, "usage")
        text: str = choice["message"]["content"]
    else:
        check(body["type"] == "message" and body["role"] == "assistant", "not a message")
        check(body["stop_reason"] in ("end_turn", "max_tokens", "stop_sequence"), f"stop_reason {body['stop_reason']}")
        check(body["usage"]["output_tokens"] >= 0, "usage")
        text = "".join(block["text"] for block in body["content"] if block["type"] == "text")
    check(bool(text), "an empty answer")
    return text


class ChatReader:
    """A Chat Completions stream, line by line."""

    def __init__(self) -> None:
        self._finish_reasons = 0
        self._done = 0
        self._roles = 0
        self._ids: set[str] = set()
        self._error = ""

    def read(self, line: str) -> str:
        """The words in this line, if any."""
        if line == "" or line.startswith(":"):
            return ""
        check(line.startswith("data: "), f"not an event: {line[:80]}")
        check(not self._done and not self._error, "something after the end")
        if line == "data: [DONE]":
            self._done += 1
            return ""
        chunk = orjson.loads(line[6:])
        if "error" in chunk:
            check(bool(chunk["error"]["message"]), "an error without a message")
            self._error = chunk["error"]["message"]
            return ""
        self._ids.add(chunk["id"])
        words = ""
        for choice in chunk["choices"]:
            self._finish_reasons += choice["finish_reason"] is not None
            self._roles += "role" in choice["delta"]
            words += choice["delta"].get("content") or ""
        return words

    def verdict(self, served_by: Verdict, text: str) -> tuple[Verdict, str]:
        """After the last line."""
        if self._error:
            return "broken off", self._error
        check(self._done == 1, f"[DONE] {self._done} times")
        check(self._finish_reasons == 1, f"finish_reason {self._finish_reasons} times")
        check(self._roles == 1, f"role {self._roles} times")
        check(len(self._ids) == 1, f"{len(self._ids)} ids")
        check(bool(text), "an empty answer")
        return ("rescued", "") if RESCUE_LINE in text else (served_by, "")


class MessagesReader:
    """A Messages stream, line by line."""

    def __init__(self) -> None:
        self._name = ""
        self._blocks = 0
        self._open: int | None = None
        self._last = ""
        self._stop_reasons = 0
        self._error = ""

    def read(self, line: str) -> str:
        """The words in this line, if any."""
        if line == "" or line.startswith(":"):
            return ""
        if line.startswith("event: "):
            self._name = line[7:]
            return ""
        check(line.startswith("data: "), f"not an event: {line[:80]}")
        check(self._last != "message_stop" and not self._error, "something after the end")
        event = orjson.loads(line[6:])
        check(event["type"] == self._name, "an event by another name")
        if event["type"] == "ping":
            return ""
        words = ""
        match event["type"]:
            case "message_start":
                check(self._last == "", "message_start in the middle")
            case "error":
                check(bool(event["error"]["message"]), "an error without a message")
                self._error = event["error"]["message"]
            case "content_block_start":
                check(self._open is None and event["index"] == self._blocks, "a block out of place")
                self._open, self._blocks = event["index"], self._blocks + 1
            case "content_block_delta":
                check(event["index"] == self._open, "a delta out of place")
                words = event["delta"].get("text", "")
            case "content_block_stop":
                check(event["index"] == self._open, "a stop out of place")
                self._open = None
            case "message_delta":
                check(self._open is None, "message_delta inside a block")
                check(event["usage"]["output_tokens"] >= 0, "usage")
                self._stop_reasons += event["delta"]["stop_reason"] is not None
            case "message_stop":
                check(self._last == "message_delta", "message_stop out of place")
        if event["type"] != "message_start" and event["type"] != "error":
            check(self._last != "", "something before message_start")
        self._last = event["type"]
        return words

    def verdict(self, served_by: Verdict, text: str) -> tuple[Verdict, str]:
        """After the last line."""
        if self._error:
            return "broken off", self._error
        check(self._last == "message_stop", f"ended with {self._last or 'nothing'}")
        check(self._stop_reasons == 1, f"stop_reason {self._stop_reasons} times")
        check(bool(text), "an empty answer")
        return ("rescued", "") if RESCUE_LINE.strip() in text else (served_by, "")
