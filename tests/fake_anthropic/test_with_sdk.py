"""The vendor's SDK takes the stand-in for the real API."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from fake_anthropic.process import FakeAnthropic

MODEL = "claude-opus-5-5"
OLDER_MODEL = "claude-haiku-4-5"  # takes a forced tool and a thinking budget
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "Weather in a town",
    "input_schema": {
        "type": "object",
        "properties": {"town": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["town"],
    },
}


def said(text: str) -> list[MessageParam]:
    return [{"role": "user", "content": text}]


def text_of(message: anthropic.types.Message) -> str:
    block = message.content[0]
    assert block.type == "text"
    return block.text


def test_unary_answer_echoes_and_counts(claude: anthropic.Anthropic) -> None:
    """A unary answer says the user's words back, with usage and a request id."""
    message = claude.messages.create(model=MODEL, max_tokens=100, messages=said("hello there"))
    assert message.content[0].to_dict() == {"type": "text", "text": "Claude here. You said: hello there"}
    assert (message.model, message.role, message.stop_reason) == (MODEL, "assistant", "end_turn")
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens == 6
    assert message._request_id is not None
    assert message._request_id.startswith("req_")


def test_stream_helper_accepts_the_events(claude: anthropic.Anthropic) -> None:
    """The SDK's stream helper accumulates the same message that a unary request gets."""
    with claude.messages.stream(model=MODEL, max_tokens=100, messages=said("one two three")) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) == 7
    assert "".join(pieces) == "Claude here. You said: one two three"
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 7)


@pytest.mark.parametrize("streamed", [False, True])
def test_max_tokens_and_stop_sequences_are_honoured(claude: anthropic.Anthropic, streamed: bool) -> None:
    """Both end the answer early and say so, in either mode."""

    def ask(**options: Any) -> anthropic.types.Message:
        if not streamed:
            whole: anthropic.types.Message = claude.messages.create(model=MODEL, messages=said("a b c d"), **options)
            return whole
        with claude.messages.stream(model=MODEL, messages=said("a b c d"), **options) as stream:
            return stream.get_final_message()

    short = ask(max_tokens=3)
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 3)
    assert text_of(short) == "Claude here. You"
    stopped = ask(max_tokens=50, stop_sequences=[" c", "zzz"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", " c")
    assert text_of(stopped) == "Claude here. You said: a b"


@pytest.mark.parametrize("streamed", [False, True])
def test_forced_tool_is_called_and_its_result_quoted(claude: anthropic.Anthropic, streamed: bool) -> None:
    """tool_choice gives a tool_use that fits the schema; the result that comes back is quoted."""
    options: dict[str, Any] = {"model": OLDER_MODEL, "max_tokens": 500, "tools": [WEATHER]}
    choice: Any = {"type": "tool", "name": "get_weather"}
    if streamed:
        with claude.messages.stream(messages=said("Oslo"), tool_choice=choice, **options) as stream:
            parts = [event.partial_json for event in stream if event.type == "input_json"]
            call = stream.get_final_message()
        assert len(parts) > 2
        assert json.loads("".join(parts)) == {"town": "Oslo", "days": 1}
    else:
        call = claude.messages.create(messages=said("Oslo"), tool_choice=choice, **options)
    assert call.stop_reason == "tool_use"
    block = call.content[0]
    assert block.type == "tool_use"
    assert (block.name, block.input) == ("get_weather", {"town": "Oslo", "days": 1})
    history: list[MessageParam] = [
        *said("Oslo"),
        {"role": "assistant", "content": call.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block.id, "content": "rain, 7 degrees"}]},
    ]
    reply = claude.messages.create(messages=history, **options)
    assert reply.stop_reason == "end_turn"
    assert "rain, 7 degrees" in text_of(reply)


def test_tool_asked_for_in_words(claude: anthropic.Anthropic) -> None:
    """`use tool <name> with {...}` calls it, after a sentence; the index of each block is its position."""
    with claude.messages.stream(
        model=MODEL, max_tokens=500, tools=[WEATHER], messages=said('use tool get_weather with {"town": "Æro"}')
    ) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["text", "tool_use"]
    assert final.content[1].to_dict()["input"] == {"town": "Æro"}


def test_scripted_tool_use(fake: FakeAnthropic, claude: anthropic.Anthropic) -> None:
    """A script decides the call and the words before it."""
    fake.script(tool_use={"name": "get_weather", "input": {"town": "Bern"}}, text="Let me look.")
    final = claude.messages.create(model=MODEL, max_tokens=500, tools=[WEATHER], messages=said("hi"))
    assert [block.type for block in final.content] == ["text", "tool_use"]
    assert final.content[1].to_dict()["input"] == {"town": "Bern"}


@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_comes_before_text(claude: anthropic.Anthropic, streamed: bool) -> None:
    """With thinking enabled the first block is thinking, signed."""
    options: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
    if streamed:
        with claude.messages.stream(model=OLDER_MODEL, messages=said("hm"), **options) as stream:
            message: anthropic.types.Message = stream.get_final_message()
    else:
        message = claude.messages.create(model=OLDER_MODEL, messages=said("hm"), **options)
    assert [block.type for block in message.content] == ["thinking", "text"]
    thought = message.content[0]
    assert thought.type == "thinking"
    assert thought.thinking
    assert thought.signature


def test_images_are_counted_and_named(claude: anthropic.Anthropic) -> None:
    """The answer says how many images arrived and of which type."""
    source: Any = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    message = claude.messages.create(
        model=MODEL,
        max_tokens=100,
        messages=[
            {"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "what is it?"}]}
        ],
    )
    assert "[I saw 1 image: image/png]" in text_of(message)


def test_json_schema_answers_fit_the_schema(claude: anthropic.Anthropic) -> None:
    """Structured output: the text is JSON with the schema's properties."""
    schema: dict[str, object] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"name": {"type": "string"}, "ok": {"type": "boolean"}},
    }
    message = claude.messages.create(
        model=MODEL,
        max_tokens=100,
        messages=said("Bo"),
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    assert json.loads(text_of(message)) == {"name": "Bo", "ok": True}


@pytest.mark.parametrize(
    ("status", "error_class", "error_type"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (402, anthropic.PaymentRequiredError, "billing_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (408, anthropic.RequestTimeoutError, "timeout_error"),
        (413, anthropic.ContentTooLargeError, "request_too_large"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (504, anthropic.GatewayTimeoutError, "timeout_error"),
        (529, anthropic.OverloadedError, "overloaded_error"),
    ],
)
def test_scripted_errors_raise_the_sdks_classes(
    fake: FakeAnthropic,
    claude: anthropic.Anthropic,
    status: int,
    error_class: type[anthropic.APIStatusError],
    error_type: str,
) -> None:
    """A status alone gives the error type that belongs to it."""
    fake.script(status=status)
    with pytest.raises(error_class) as caught:
        claude.messages.create(model=MODEL, max_tokens=10, messages=said("hi"))
    assert (caught.value.status_code, caught.value.type) == (status, error_type)
    assert caught.value.request_id is not None


def test_rate_limit_and_monthly_limit(fake: FakeAnthropic, claude: anthropic.Anthropic) -> None:
    """The two kinds of 429: one has retry-after, the other an error code; each for as many requests as scripted."""
    fake.script(status=429, headers={"retry-after": "17"}, times=1)
    with pytest.raises(anthropic.RateLimitError) as caught:
        claude.messages.create(model=MODEL, max_tokens=10, messages=said("hi"))
    assert caught.value.response.headers["retry-after"] == "17"
    assert claude.messages.create(model=MODEL, max_tokens=10, messages=said("hi")).stop_reason == "end_turn"
    fake.script(status=429, details={"error_code": "enforced_spend_limit_reached"})
    with pytest.raises(anthropic.RateLimitError) as caught:
        claude.messages.create(model=MODEL, max_tokens=10, messages=said("hi"))
    assert caught.value.error_code == "enforced_spend_limit_reached"


def test_keys(fake: FakeAnthropic) -> None:
    """Keys can be set while it runs; a script that names only keys leaves the behaviour as it is."""
    fake.script(text="scripted")
    fake.script(valid_keys=["new"])
    with anthropic.Anthropic(api_key="sk-ant-old", base_url=fake.base_url, max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError):
            client.models.list()
        client.api_key = "new"
        reply = client.messages.create(model=MODEL, max_tokens=10, messages=said("hi"))
    assert text_of(reply) == "scripted"


@pytest.mark.parametrize("after", [-1, 0, 2])
def test_in_stream_error(fake: FakeAnthropic, claude: anthropic.Anthropic, after: int) -> None:
    """An error event raises with its type, after as many texts as scripted."""
    fake.script(error_after_events=after, error_type="overloaded_error")
    texts: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        claude.messages.stream(model=MODEL, max_tokens=50, messages=said("a b c")) as stream,
    ):
        texts.extend(stream.text_stream)
    assert caught.value.type == "overloaded_error"
    assert len(texts) == max(after, 0)


def test_models_and_count_tokens(claude: anthropic.Anthropic) -> None:
    """The catalogue pages; one model can be read; counting agrees with what a message then costs."""
    page = claude.models.list(limit=2)
    assert [model.id for model in page.data] == ["claude-opus-5-5", "claude-sonnet-5-5"]
    assert page.has_more
    assert len(list(page)) > 5
    assert claude.models.retrieve(MODEL).display_name == "Claude Opus 5.5"
    with pytest.raises(anthropic.NotFoundError, match="model: claude-none"):
        claude.models.retrieve("claude-none")
    counted = claude.messages.count_tokens(model=MODEL, system="Be brief.", messages=said("hello"))
    message = claude.messages.create(model=MODEL, max_tokens=9, system="Be brief.", messages=said("hello"))
    assert counted.input_tokens == message.usage.input_tokens
