"""A hiccup of Claude's is nobody's business, and a tool loop comes to its end though Claude was away in the middle."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from fake_anthropic.process import FakeAnthropic
from stack import Stack, wait_for

STEPS = 10
OUTAGE_SECONDS = 8.0
VERSION = {"anthropic-version": "2023-06-01"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
QUESTION = {"role": "user", "content": "Weather everywhere, please: use tool weather"}

Json = dict[str, Any]


class Loop:
    """An agent's loop: each step brings the result of the call before it, and the last one is an answer in words."""

    path: str

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.history: list[Json] = [QUESTION]
        self.backends: list[str] = []

    def run(self, before: Callable[[int], None] = lambda step: None) -> str:
        """All steps; gives the last one's words. `before(step)` is called before each."""
        for step in range(STEPS):
            before(step)
            reply = self._ask()
            if step < STEPS - 1:
                self.read_call(reply, "Rain. Next, use tool weather" if step < STEPS - 2 else "Sun.")
        return self.read_words(reply)

    def _ask(self) -> Json:
        response = self._client.post(self.path, json=self.body(), headers=VERSION)
        assert response.status_code == 200, response.text
        self.backends.append(response.headers["X-Served-By"])
        reply: Json = response.json()
        return reply

    def body(self) -> Json:
        raise NotImplementedError

    def read_call(self, reply: Json, result: str) -> None:
        """Take the call into the history, and its result."""
        raise NotImplementedError

    def read_words(self, reply: Json) -> str:
        raise NotImplementedError


class ChatLoop(Loop):
    """In Chat Completions."""

    path = "/v1/chat/completions"

    def body(self) -> Json:
        tool = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
        return {"model": "pilot", "messages": self.history, "tools": [tool]}

    def read_call(self, reply: Json, result: str) -> None:
        message = reply["choices"][0]["message"]
        call_id = message["tool_calls"][0]["id"]
        self.history += [message, {"role": "tool", "tool_call_id": call_id, "content": result}]

    def read_words(self, reply: Json) -> str:
        return str(reply["choices"][0]["message"]["content"])


class MessagesLoop(Loop):
    """In Messages."""

    path = "/v1/messages"

    def body(self) -> Json:
        tool = {"name": "weather", "input_schema": SCHEMA}
        return {"model": "pilot", "max_tokens": 500, "messages": self.history, "tools": [tool]}

    def read_call(self, reply: Json, result: str) -> None:
        (call,) = [block for block in reply["content"] if block["type"] == "tool_use"]
        answer = {"type": "tool_result", "tool_use_id": call["id"], "content": result}
        self.history += [{"role": "assistant", "content": reply["content"]}, {"role": "user", "content": [answer]}]

    def read_words(self, reply: Json) -> str:
        return "".join(block["text"] for block in reply["content"] if block["type"] == "text")


class ResponsesLoop(Loop):
    """In Responses, which the gateway translates."""

    path = "/v1/responses"

    def body(self) -> Json:
        tool = {"type": "function", "name": "weather", "parameters": SCHEMA}
        return {"model": "pilot", "input": self.history, "tools": [tool]}

    def read_call(self, reply: Json, result: str) -> None:
        (call,) = [item for item in reply["output"] if item["type"] == "function_call"]
        self.history += [call, {"type": "function_call_output", "call_id": call["call_id"], "output": result}]

    def read_words(self, reply: Json) -> str:
        (message,) = [item for item in reply["output"] if item["type"] == "message"]
        return "".join(part["text"] for part in message["content"])


LOOPS: list[type[Loop]] = [ChatLoop, MessagesLoop, ResponsesLoop]


def local_requests(stack: Stack) -> float:
    """How many requests the local model has had."""
    lines = stack.metrics("local-llm").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("pilotlight_local_requests_total"))


def retries(stack: Stack, reason: str) -> float:
    """How many requests were sent again for this reason."""
    series = f'pilotlight_claude_retries_total{{reason="{reason}"}} '
    lines = stack.metrics("claude-adapter").splitlines()
    return next(float(line.removeprefix(series)) for line in lines if line.startswith(series))


@pytest.fixture
def well(keyed: Stack) -> Stack:
    """A stack whose Claude has just answered, so that a failure is news."""
    assert keyed.ask("Are you well?").headers["X-Served-By"] == "claude"
    return keyed


@pytest.mark.parametrize("loop", LOOPS)
def test_a_tool_loop_with_a_hiccup_at_each_step(well: Stack, anthropic: FakeAnthropic, loop: type[Loop]) -> None:
    """It ends as it does without any, and the local model is not asked."""
    undisturbed = loop(well.client).run()
    asked, before = local_requests(well), retries(well, "overloaded")
    disturbed = loop(well.client)
    assert disturbed.run(lambda _: void(anthropic.script(status=529, times=1, paths="messages"))) == undisturbed
    assert disturbed.backends == ["claude"] * STEPS
    assert local_requests(well) == asked
    assert retries(well, "overloaded") == before + STEPS


def test_a_tool_loop_through_an_outage(well: Stack, anthropic: FakeAnthropic) -> None:
    """Claude refuses connections in the middle of loops in all dialects: they wait, and end as without it."""
    middle = threading.Barrier(len(LOOPS) + 1)

    def pause(step: int) -> None:
        if step == STEPS // 2:
            middle.wait(60)  # all are here
            middle.wait(60)  # Claude is gone

    undisturbed = [loop(well.client).run() for loop in LOOPS]
    asked = local_requests(well)
    disturbed = [loop(well.client) for loop in LOOPS]
    with ThreadPoolExecutor(len(LOOPS)) as pool:
        ends = [pool.submit(loop.run, pause) for loop in disturbed]
        middle.wait(60)
        anthropic.script(refuse=True)
        middle.wait(60)
        wait_for("the outage is known", lambda: well.adapter_state() == "open")
        time.sleep(OUTAGE_SECONDS)  # how long it lasts is what is tried here
        anthropic.reset()
        assert [end.result(60) for end in ends] == undisturbed
    assert [loop.backends for loop in disturbed] == [["claude"] * STEPS] * len(LOOPS)
    assert local_requests(well) == asked


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_words_outlive_a_hiccup(well: Stack, anthropic: FakeAnthropic, streamed: bool) -> None:
    """One 529, one 500, one reset: Claude answers, and the status never says otherwise."""
    asked = local_requests(well)
    for fault in ({"status": 529}, {"status": 500}, {"cut": "reset"}):
        anthropic.script(times=1, **fault)
        assert well.ask("Still you?", stream=streamed).headers["X-Served-By"] == "claude", fault
    assert local_requests(well) == asked
    assert well.adapter_state() == "closed"


def void(_: object) -> None:
    """For a callback that has nothing to say."""
