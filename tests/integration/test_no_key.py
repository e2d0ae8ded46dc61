"""With no key at all there is an answer, and it says whose it is."""

import httpx
import openai
import pytest

from chat_stream import stream
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import Stack

LOCAL_MODEL = "SmolLM2-135M-Instruct"


def client_of(stack: Stack) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0)


def test_the_last_line_of_make_run_says_url_brain_and_why(keyless: Stack) -> None:
    """A newcomer reads where it is, who answers and what to do about it."""
    assert f"{keyless.url}/v1" in keyless.announcement
    assert LOCAL_MODEL in keyless.announcement
    assert "key" in keyless.announcement


def test_a_question_is_answered_with_the_notice_first(keyless: Stack) -> None:
    """200, the notice as first paragraph, true headers, the true model, sense in the answer."""
    response = keyless.ask("What is the capital of France? (unary)", temperature=0)
    assert response.status_code == 200
    assert response.headers["X-Served-By"] == "local"
    assert response.headers["X-Fallback-Reason"] == "no_key"
    assert response.headers["X-Model"] == LOCAL_MODEL
    body = response.json()
    assert body["model"] == LOCAL_MODEL
    notice, _, answer = body["choices"][0]["message"]["content"].partition("\n\n")
    assert notice == NOTICE
    assert "Paris" in answer
    assert body["choices"][0]["finish_reason"] in ("stop", "length")
    assert body["usage"]["completion_tokens"] > 0


def test_a_stream_begins_with_the_notice(keyless: Stack) -> None:
    """Role, then the notice, then the model's words; one id and model throughout; usage and one [DONE] at the end."""
    streamed = stream(keyless.client, question="Capital of France? (stream)", stream_options={"include_usage": True})
    assert streamed.status == 200
    assert streamed.headers["X-Fallback-Reason"] == "no_key"
    assert streamed.chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert streamed.chunks[1]["choices"][0]["delta"]["content"] == f"{NOTICE}\n\n"
    assert len(streamed.text) > len(NOTICE) + 2
    assert {chunk["model"] for chunk in streamed.chunks} == {LOCAL_MODEL}
    assert len({chunk["id"] for chunk in streamed.chunks}) == 1
    assert len(streamed.finish_reasons) == 1
    assert streamed.chunks[-1]["choices"] == []
    assert streamed.chunks[-1]["usage"]["completion_tokens"] > 0
    assert streamed.done == 1


def test_the_notice_does_not_wait_for_the_prompt_to_be_read(keyless: Stack) -> None:
    """With a prompt that takes long to read the notice still comes first, long before the model's first word."""
    question = "Tell me about the sea. " * 600
    streamed = stream(keyless.client, question=question, max_tokens=4)
    assert NOTICE in streamed.chunks[1]["choices"][0]["delta"]["content"]
    notice_seconds, first_word_seconds = streamed.arrived_seconds[1], streamed.arrived_seconds[2]
    assert first_word_seconds > 2 * notice_seconds


def test_the_openai_sdk_reads_it(keyless: Stack) -> None:
    """Unary and stream, through the SDK's own parsing."""
    client = client_of(keyless)
    answer = client.chat.completions.create(
        model="pilot", messages=[{"role": "user", "content": "Say hello. (sdk)"}], max_tokens=16
    )
    assert (answer.choices[0].message.content or "").startswith(NOTICE)
    chunks = list(
        client.chat.completions.create(
            model="pilot",
            messages=[{"role": "user", "content": "Say hello. (sdk stream)"}],
            max_tokens=16,
            stream=True,
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas).startswith(NOTICE)
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    assert {model.id for model in client.models.list()} >= {"pilot", "local", LOCAL_MODEL}


def test_a_conversation_is_told_once(keyless: Stack) -> None:
    """Further turns carry no notice, and the small model does not see the first one in its prompt."""
    first = keyless.ask("Name a colour. (told once)").json()
    reply = first["choices"][0]["message"]["content"]
    assert reply.startswith(NOTICE)
    turns = [{"role": "user", "content": "Name a colour. (told once)"}, {"role": "user", "content": "Another."}]
    with_notice = [turns[0], {"role": "assistant", "content": reply}, turns[1]]
    without = [turns[0], {"role": "assistant", "content": reply.removeprefix(f"{NOTICE}\n\n")}, turns[1]]
    second = keyless.ask(messages=with_notice).json()
    assert NOTICE not in second["choices"][0]["message"]["content"]
    third = keyless.ask(messages=without).json()
    assert second["usage"]["prompt_tokens"] == third["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "json_object"}},
        {"headers": {"X-Pilot-Notice": "off"}},
        {"model": "local"},
        {"model": LOCAL_MODEL},
    ],
    ids=["json mode", "switched off", "asked for by name", "asked for by its true name"],
)
def test_when_no_notice_is_said(keyless: Stack, fields: dict[str, object]) -> None:
    """Where it would break the output, or nobody needs it; the headers still tell."""
    response = keyless.ask(f"List a colour as JSON. {fields}", max_tokens=40, **fields)
    assert response.status_code == 200
    assert NOTICE not in response.json()["choices"][0]["message"]["content"]
    assert response.headers["X-Served-By"] == "local"
    assert ("X-Fallback-Reason" in response.headers) == ("model" not in fields)


BAD = [
    # why, method, path, headers, body, status, param
    ("broken JSON", "POST", "/v1/chat/completions", {}, b'{"messages": ', 400, None),
    ("wrong content type", "POST", "/v1/chat/completions", {"Content-Type": "text/plain"}, b"{}", 415, None),
    ("too large", "POST", "/v1/chat/completions", {}, b" " * (33 << 20), 413, None),
    ("missing messages", "POST", "/v1/chat/completions", {}, b"{}", 400, "messages"),
    ("wrong type", "POST", "/v1/chat/completions", {}, b'{"messages": 5}', 400, "messages"),
    ("unknown path", "POST", "/v1/nothing", {}, b"{}", 404, None),
    ("wrong method", "GET", "/v1/chat/completions", {}, b"", 405, None),
    ("wrong method elsewhere", "DELETE", "/v1/models", {}, b"", 405, None),
]


@pytest.mark.parametrize(("why", "method", "path", "headers", "body", "status", "param"), BAD, ids=[b[0] for b in BAD])
def test_bad_input_gets_the_right_error(
    keyless: Stack,
    why: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    param: str | None,
) -> None:
    """The right 4xx, OpenAI-shaped, naming the field; never a 500, never a hang."""
    response = httpx.request(
        method,
        f"{keyless.url}{path}",
        content=body,
        headers={"Content-Type": "application/json", **headers},
        timeout=20,
        trust_env=False,
    )
    assert response.status_code == status
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert error["message"]
