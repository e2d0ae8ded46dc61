"""OpenAI's Responses, on both brains, through OpenAI's own SDK."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import Stack

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


def client_of(stack: Stack) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0)


@pytest.fixture
def client(keyed: Stack) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK, on the stack with a key."""
    with client_of(keyed) as client:
        yield client


@pytest.fixture
def keyless_client(keyless: Stack) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK, on the stack without a key."""
    with client_of(keyless) as client:
        yield client


def test_claude_answers_a_response(client: openai.OpenAI) -> None:
    """Whole: the text, the true model, the tokens; instructions and items reach Claude."""
    answer = client.responses.create(
        model="claude-opus-5-5", instructions="Be brief.", input=[{"role": "user", "content": "Hello there"}]
    )
    assert answer.output_text == "Claude here. You said: Hello there"
    assert (answer.status, answer.model) == ("completed", "claude-opus-5-5")
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0


def test_claude_answers_a_streamed_response(client: openai.OpenAI) -> None:
    """The SDK's stream helper adds it up."""
    with client.responses.stream(model="pilot", input="Hello there") as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert deltas == final.output_text == "Claude here. You said: Hello there"


def test_a_tool_is_called_and_its_result_read_as_items(client: openai.OpenAI, anthropic: FakeAnthropic) -> None:
    """The round trip, streamed and then whole."""
    anthropic.script(tool_use={"name": "get_weather", "input": {"city": "Paris"}}, times=1)
    with client.responses.stream(model="pilot", input="Weather?", tools=[WEATHER]) as stream:
        asked = stream.get_final_response()
    call = asked.output[-1]
    assert call.type == "function_call"
    assert (call.name, call.arguments) == ("get_weather", '{"city":"Paris"}')
    items: Any = [
        {"role": "user", "content": "Weather?"},
        *(item.to_dict() for item in asked.output),
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny, 21 degrees"},
    ]
    told = client.responses.create(model="pilot", input=items, tools=[WEATHER])
    assert "sunny, 21 degrees" in told.output_text


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_local_answers_a_response_and_says_so(keyless_client: openai.OpenAI, streamed: bool) -> None:
    """In an outage: the notice first, then sense."""
    question = f"What is the capital of France? (responses, {streamed})"
    if streamed:
        with keyless_client.responses.stream(model="gpt-5", input=question, max_output_tokens=24) as stream:
            for event in stream:
                last = event
        assert last.type in ("response.completed", "response.incomplete")
        answer: Any = last.response
    else:
        answer = keyless_client.responses.create(model="gpt-5", input=question, max_output_tokens=24)
    notice, _, rest = answer.output_text.partition("\n\n")
    assert notice == NOTICE
    assert "Paris" in rest
    assert answer.model == "SmolLM2-135M-Instruct"


def test_what_leans_on_something_kept_is_refused(keyless_client: openai.OpenAI) -> None:
    """previous_response_id gets a clear 400."""
    with pytest.raises(openai.BadRequestError) as caught:
        keyless_client.responses.create(model="pilot", input="Hi", previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"
    assert "send the whole conversation" in caught.value.message


def test_the_document_describes_all_that_is_served(keyless: Stack) -> None:
    """Each operation is in the published OpenAPI document, and its page is there."""
    document = keyless.client.get("/openapi.json").json()
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"):
        assert {"200", "400", "415", "503"} <= set(document["paths"][path]["post"]["responses"])
    assert keyless.client.get("/docs").status_code == 200


@pytest.mark.parametrize("streamed", [False, True])
def test_a_local_answer_that_is_ended_is_incomplete(keyless_client: openai.OpenAI, streamed: bool) -> None:
    """Here because it repeats itself; whatever length the client allows."""
    schema: Any = {"type": "json_schema", "name": "laughter", "schema": {"const": "ha " * 1000}}
    asked: Any = {"model": "pilot", "input": "Laugh.", "text": {"format": schema}, "max_output_tokens": 128_000}
    if streamed:
        with keyless_client.responses.stream(**asked) as stream:
            for event in stream:
                last = event
        assert last.type == "response.incomplete"
        answer: Any = last.response
    else:
        answer = keyless_client.responses.create(**asked)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert 200 < answer.usage.output_tokens < 300
