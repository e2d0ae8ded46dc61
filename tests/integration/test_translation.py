"""OpenAI's SDK talks Chat Completions, Claude hears Messages: what only the whole stack can show."""

import base64
from collections.abc import Iterator
from typing import Any

import openai
import orjson
import pytest

from fake_anthropic.process import FakeAnthropic
from stack import Stack

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
PDF = base64.b64encode(b"%PDF-1.4 a small one").decode()
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PERSON: Any = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"], "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture
def client(keyed: Stack) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK, on the stack with a key."""
    with openai.OpenAI(base_url=f"{keyed.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_a_streamed_tool_round_trip(client: openai.OpenAI, anthropic: FakeAnthropic) -> None:
    """The SDK's stream helper adds the pieces up; the call and its failed result go back as they came."""
    asked: Any = [{"role": "user", "content": 'Please use tool get_weather with {"city": "Æro"}'}]
    with client.chat.completions.stream(model="pilot", messages=asked, tools=[WEATHER]) as stream:
        pieces = [event.arguments_delta for event in stream if event.type == "tool_calls.function.arguments.delta"]
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert orjson.loads(call.function.arguments) == {"city": "Æro"} == orjson.loads("".join(pieces))
    assert len([piece for piece in pieces if piece]) > 1

    history: Any = [
        *asked,
        choice.message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "no such city", "is_error": True},
    ]
    told = client.chat.completions.create(model="pilot", messages=history, tools=[WEATHER])
    assert told.choices[0].message.content == "Claude here. The tool said: no such city"
    sent = anthropic.requests()[-1]["body"]
    mark = {"cache_control": {"type": "ephemeral"}}  # ours, as this client makes none
    assert sent["messages"][-1]["content"] == [
        {"type": "tool_result", "tool_use_id": call.id, "content": "no such city", "is_error": True, **mark}
    ]
    assert [mark.items() <= tool.items() for tool in sent["tools"]] == [True]


def test_an_image_and_a_document_reach_claude(client: openai.OpenAI, anthropic: FakeAnthropic) -> None:
    """Data URLs become blocks; a file that lies in OpenAI's store is refused with the field's name."""
    content: Any = [
        {"type": "text", "text": "Compare."},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
    ]
    answer = client.chat.completions.create(model="pilot", messages=[{"role": "user", "content": content}])
    assert answer.model.startswith("claude-")
    blocks = anthropic.requests()[-1]["body"]["messages"][0]["content"]
    assert [block["type"] for block in blocks] == ["text", "image", "document"]
    assert blocks[2]["source"] == {"type": "base64", "media_type": "application/pdf", "data": PDF}

    content[2] = {"type": "file", "file": {"file_id": "file-1"}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="pilot", messages=[{"role": "user", "content": content}])
    assert refused.value.param == "messages[0].content[2].file"
    assert "file_data" in str(refused.value)


def test_an_answer_that_fits_a_schema(client: openai.OpenAI, anthropic: FakeAnthropic) -> None:
    """The schema reaches Claude as one that it is held to, and the answer is JSON of that shape."""
    form: Any = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}
    answer = client.chat.completions.create(
        model="pilot", messages=[{"role": "user", "content": "Bo"}], response_format=form
    )
    said = orjson.loads(answer.choices[0].message.content or "")
    assert said["name"] == "Bo"
    assert set(said) == {"name", "age"}
    sent = anthropic.requests()[-1]["body"]
    assert sent["output_config"]["format"]["schema"]["required"] == ["name", "age"]
    assert "system" not in sent


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-haiku-4-5"], ids=["adaptive", "on a budget"])
def test_reasoning(client: openai.OpenAI, anthropic: FakeAnthropic, model: str) -> None:
    """An effort makes Claude think in its model's form; its thoughts come beside the answer, streamed and whole."""
    asked: Any = {"model": model, "messages": [{"role": "user", "content": "17 times 23?"}], "reasoning_effort": "low"}
    anthropic.script(thinking="Let me see.", text="391", times=2)
    whole = client.chat.completions.create(**asked, temperature=0.2)
    message: Any = whole.choices[0].message
    assert (message.reasoning_content, message.content) == ("Let me see.", "391")
    assert whole.usage is not None
    assert whole.usage.completion_tokens_details is not None
    assert whole.usage.completion_tokens_details.reasoning_tokens

    deltas: list[Any] = [
        chunk.choices[0].delta for chunk in client.chat.completions.create(**asked, stream=True) if chunk.choices
    ]
    thoughts = [getattr(delta, "reasoning_content", None) or "" for delta in deltas]
    assert ("".join(thoughts), "".join(delta.content or "" for delta in deltas)) == ("Let me see.", "391")
    assert len([thought for thought in thoughts if thought]) > 1


def test_what_the_newest_models_refuse_is_no_error(client: openai.OpenAI) -> None:
    """A temperature, a forced tool and an assistant's last word are fine with OpenAI, and so they are here."""
    answer = client.chat.completions.create(
        model="claude-sonnet-5-5",
        messages=[{"role": "user", "content": "Go"}, {"role": "assistant", "content": "So "}],
        tools=[WEATHER],
        tool_choice="required",
        temperature=0.2,
        top_p=0.9,
    )
    assert answer.model == "claude-sonnet-5-5"
