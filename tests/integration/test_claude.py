"""With a key Claude answers, in full and at once."""

import base64
import json

from chat_stream import stream
from fake_anthropic.process import FakeAnthropic
from stack import Stack, wait_for

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()


def test_claude_answers(keyed: Stack) -> None:
    """Headers and body name Claude and the model that answered; no notice, no fallback reason."""
    response = keyed.ask("Hello there")
    assert response.status_code == 200
    assert response.headers["X-Served-By"] == "claude"
    assert "X-Fallback-Reason" not in response.headers
    body = response.json()
    assert body["model"] == response.headers["X-Model"]
    assert body["model"].startswith("claude-")
    assert "Hello there" in body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] == "stop"


def test_the_asked_for_model_goes_through(keyed: Stack) -> None:
    """Any claude-* name is passed on unchanged."""
    assert keyed.ask(model="claude-opus-5-5").headers["X-Model"] == "claude-opus-5-5"


def test_each_token_is_here_before_the_next_is_made(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Nothing on the way waits for more: at each arrival the stand-in has not yet written the next delta."""
    anthropic.script(chunks=5, chunk_interval_seconds=0.4)
    streamed = stream(keyed.client, max_tokens=100)
    text_chunks = [
        at
        for chunk, at in zip(streamed.chunks, streamed.arrived_seconds, strict=True)
        if chunk["choices"] and chunk["choices"][0]["delta"].get("content")
    ]
    assert len(text_chunks) == 5
    assert text_chunks[-1] - text_chunks[0] > 3 * 0.4, text_chunks  # kept back, they would all come with the last
    assert streamed.done == 1


def test_a_tool_is_called_and_its_result_read(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """The round trip: tool_calls out, tool message in, streamed and not."""
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    anthropic.script(tool_use={"name": "get_weather", "input": {"city": "Paris"}}, times=2)
    asked = keyed.ask("Weather in Paris?", tools=[tool]).json()
    call = asked["choices"][0]["message"]["tool_calls"][0]
    assert asked["choices"][0]["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}

    streamed = stream(keyed.client, question="Weather in Paris?", tools=[tool])
    deltas = [d for c in streamed.chunks for choice in c["choices"] for d in choice["delta"].get("tool_calls", [])]
    assert deltas[0]["function"]["name"] == "get_weather"
    assert json.loads("".join(d["function"].get("arguments", "") for d in deltas)) == {"city": "Paris"}
    assert streamed.finish_reasons == ["tool_calls"]

    messages = [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny, 21 degrees"},
    ]
    told = keyed.ask(messages=messages, tools=[tool], max_tokens=200)
    assert told.status_code == 200, told.text
    assert "sunny, 21 degrees" in told.json()["choices"][0]["message"]["content"]


def test_an_image_reaches_claude(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """A data URL becomes a base64 image block."""
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    assert keyed.ask(messages=[{"role": "user", "content": content}]).headers["X-Served-By"] == "claude"
    sent = anthropic.requests()[-1]["body"]["messages"][0]["content"]
    image = {key: value for key, value in sent[-1].items() if key != "cache_control"}  # our mark for the prompt cache
    assert image == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


def test_the_clients_own_mistake_stays_its_own(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """A 400 of Claude's is passed on in OpenAI's shape and does not switch backends."""
    anthropic.script(status=400, message="max_tokens: 999 is too many.", times=1)
    response = keyed.ask()
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.headers["X-Served-By"] == "claude"
    assert "X-Fallback-Reason" not in response.headers
    assert keyed.ask().headers["X-Served-By"] == "claude"


def test_a_client_that_leaves_stops_the_work(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Closing the connection closes it all the way up to Claude."""
    anthropic.script(chunks=1000, chunk_interval_seconds=0.05)
    aborted = anthropic.stats()["streams_aborted_by_client"]
    body = {"messages": [{"role": "user", "content": "go on"}], "stream": True}
    with keyed.client.stream("POST", "/v1/chat/completions", json=body) as response:
        next(response.iter_lines())
    wait_for("the stand-in sees the client gone", lambda: anthropic.stats()["streams_aborted_by_client"] > aborted, 3)
