"""Each room may die or hang, and people still get answers."""

import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import KEY, Stack, wait_for


@pytest.fixture(scope="module")
def stack(_anthropic: FakeAnthropic) -> Iterator[Stack]:
    """A stack of this file's own, for killing."""
    _anthropic.reset()
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=_anthropic.base_url) as stack:
        yield stack


def test_a_killed_adapter_is_replaced_by_local_and_restarted(stack: Stack) -> None:
    """The very next request is answered by the local model, with reason adapter_down; Claude is back by itself."""
    stack.wait_for_backend("claude")
    stack.room("claude-adapter").kill()
    response = stack.ask("Adapter killed.")
    assert response.status_code == 200
    assert (response.headers["X-Served-By"], response.headers["X-Fallback-Reason"]) == ("local", "adapter_down")
    wait_for("Claude answers again", lambda: stack.ask("Back?").headers["X-Served-By"] == "claude")


def test_a_hung_adapter_is_gone_around(stack: Stack) -> None:
    """A stopped adapter accepts connections and says nothing; after 3 s requests go around it, until it answers."""
    stack.wait_for_backend("claude")
    adapter = stack.room("claude-adapter")
    adapter.send_signal(signal.SIGSTOP)
    try:
        stack.wait_for_backend("local", 6)
        asked = time.monotonic()
        response = stack.ask("Adapter hung.")
        assert response.status_code == 200
        assert (response.headers["X-Served-By"], response.headers["X-Fallback-Reason"]) == ("local", "adapter_down")
        assert NOTICE in response.text
        assert time.monotonic() - asked < 20
    finally:
        adapter.send_signal(signal.SIGCONT)
    wait_for("Claude answers again", lambda: stack.ask("Back?").headers["X-Served-By"] == "claude")


def test_without_the_gateway_the_edge_serves_through(stack: Stack) -> None:
    """A killed gateway costs the notice, not the answer."""
    stack.wait_for_backend("claude")
    body = {"model": "pilot", "max_tokens": 9, "messages": [{"role": "user", "content": "Gateway killed."}]}
    stack.room("gateway").kill()
    assert stack.ask("Gateway killed.").headers["X-Served-By"] == "claude"
    for path in ("/v1/messages?beta=true", "/anthropic/v1/messages?beta=true", "/anthropic/v1/messages/count_tokens"):
        answer = stack.client.post(path, json=body, headers={"anthropic-version": "2023-06-01"})
        assert (answer.status_code, answer.headers["X-Served-By"]) == (200, "claude"), path
    wait_for("the gateway is back", lambda: stack.client.get("/status").status_code == 200)


def test_without_local_nobody_notices_but_the_status(stack: Stack) -> None:
    """With Claude up, a dead local model changes no answer; it is back by itself."""
    stack.wait_for_backend("claude")
    stack.room("local-llm").kill()
    assert stack.ask("Local killed.").headers["X-Served-By"] == "claude"
    wait_for("local is back", lambda: stack.status()["local"]["ready"], 40)


def test_a_killed_nginx_comes_back(stack: Stack) -> None:
    """Even when its master is killed and its workers are orphaned on the port."""
    master = stack.room("nginx")
    master.kill()

    def answers() -> bool:
        try:
            return stack.ask("nginx killed.").status_code == 200
        except httpx.TransportError:
            return False

    wait_for("nginx answers again", answers)
    wait_for("a new master", lambda: stack.room("nginx").pid != master.pid)


def test_when_nobody_can_answer_there_are_last_words(stack: Stack, anthropic: FakeAnthropic) -> None:
    """A 503 in OpenAI's shape with Retry-After that says what is wrong with both."""
    stack.wait_for_backend("claude")
    anthropic.script(refuse=True)
    local = stack.room("local-llm")
    local.kill()
    response = stack.ask("Anybody?")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    message = response.json()["error"]["message"]
    assert "Claude:" in message
    assert "local model" in message
    anthropic.reset()
    wait_for("Claude answers again", lambda: stack.ask("Back?").status_code == 200)
