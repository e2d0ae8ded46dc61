"""What one request, one sentence of Anthropic's or one address meets: the whole stack judges it rightly."""

import httpx
import pytest

from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import KEY, Stack, wait_for

DISABLED = "This organization has been disabled."


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_disabled_organization_falls_back(keyed: Stack, anthropic: FakeAnthropic, path: str, streamed: bool) -> None:
    """Anthropic says it as if it were the client's mistake: local answers with the notice, and /status what to do."""
    anthropic.script(status=400, message=DISABLED, paths="messages")
    question = {"role": "user", "content": f"Hello? {path} {streamed}"}
    body = {"model": "pilot", "max_tokens": 24, "messages": [question], "stream": streamed}
    response = keyed.client.post(path, json=body, headers={"anthropic-version": "2023-06-01"})
    assert (response.status_code, response.headers["X-Served-By"]) == (200, "local")
    assert response.headers["X-Fallback-Reason"] == "permission"
    assert NOTICE[:20] in response.text
    status = wait_for("/status says so", lambda: (s := keyed.status())["reason"] == "permission" and s)
    assert "support" in status["detail"]


def test_what_one_client_meets_no_other_does(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """A request that Anthropic answers with 403 leaves Claude to everybody else, also right after it."""
    for number in range(4):
        anthropic.script(status=403, times=1, paths="messages")
        assert keyed.ask(f"What I may not have ({number})").headers["X-Fallback-Reason"] == "permission"
        assert keyed.ask("What anybody may").headers["X-Served-By"] == "claude"
    anthropic.script(status=403, times=1, paths="messages")
    keyed.ask("What I may not have")
    wait_for("/status says it", lambda: "the last request has failed" in keyed.status()["detail"])
    assert keyed.status()["active_backend"] == "claude"


def test_an_address_with_v1_at_its_end(anthropic: FakeAnthropic) -> None:
    """It is taken as it was meant; and that the key works is only said where a probe has proved it."""
    anthropic.script(status=404, paths="models")
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=f"{anthropic.base_url}/v1") as stack:
        assert "no list of models" in stack.announcement
        assert stack.ask().headers["X-Served-By"] == "claude"


def test_a_wrong_address_is_said(anthropic: FakeAnthropic) -> None:
    """Everything is a 404 there: local answers, and /status says what to set."""
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=f"{anthropic.base_url}/wrong") as stack:
        for number in range(3):
            response: httpx.Response = stack.ask(f"Hello? {number}")
            assert (response.status_code, response.headers["X-Fallback-Reason"]) == (200, "protocol")
        assert (
            "ANTHROPIC_BASE_URL"
            in wait_for("/status says so", lambda: stack.status()["reason"] and stack.status())["detail"]
        )
