"""The objects of the Responses API: items of an output, and the response itself. Pure.

Shapes: https://platform.openai.com/docs/api-reference/responses/object.
"""

from gateway.dialects.interface import Json

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}  # by Chat Completions' finish_reason
ARGUMENTS_OF = {"function_call": "arguments", "custom_tool_call": "input"}
_CALL_OF = {"function": "function_call", "custom": "custom_tool_call"}
_PREFIX_OF = {"function": "fc", "custom": "ctc"}


def own_id(completion_id: str) -> str:
    """What the ids of a response and its items share."""
    return completion_id.removeprefix("chatcmpl-")


def message(name: str, text: str) -> Json:
    """What was said."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def reasoning(name: str, text: str) -> Json:
    """What was thought."""
    part = {"type": "reasoning_text", "text": text}
    return {"id": f"rs_{name}", "type": "reasoning", "status": "completed", "summary": [], "content": [part]}


def call(name: str, index: int, given: Json, status: str = "completed") -> Json:
    """A call of a function or of a custom tool, `given` as in a message of Chat Completions."""
    kind = "custom" if given.get("type") == "custom" else "function"
    field = ARGUMENTS_OF[_CALL_OF[kind]]
    called = given.get(kind) or {}
    return {
        "id": f"{_PREFIX_OF[kind]}_{name}_{index}",
        "type": _CALL_OF[kind],
        "status": status,
        "call_id": given.get("id") or "",
        "name": called.get("name") or "",
        field: called.get(field) or "",
    }


def response(
    request: Json,
    name: str,
    created: int,
    model: str,
    *,
    output: list[Json],
    finish_reason: str | None,
    usage: Json | None,
    status: str | None = None,
) -> Json:
    """The response; it is over when no `status` is given."""
    why = INCOMPLETE.get(finish_reason or "")
    return {
        "id": f"resp_{name}",
        "object": "response",
        "created_at": created,
        "status": status or ("incomplete" if why else "completed"),
        "error": None,
        "incomplete_details": {"reason": why} if why and status is None else None,
        "instructions": request.get("instructions"),
        "max_output_tokens": request.get("max_output_tokens"),
        "metadata": request.get("metadata") or {},
        "model": model,
        "output": output,
        "parallel_tool_calls": request.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": (request.get("reasoning") or {}).get("effort"), "summary": None},
        "store": False,
        "temperature": request.get("temperature"),
        "text": request.get("text") or {"format": {"type": "text"}},
        "tool_choice": request.get("tool_choice") or "auto",
        "tools": request.get("tools") or [],
        "top_p": request.get("top_p"),
        "truncation": "disabled",
        "usage": None if status is not None or usage is None else _usage(usage),
        "user": request.get("user"),
    }


def _usage(usage: Json) -> Json:
    read, written = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": read.get("cached_tokens") or 0, "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": written.get("reasoning_tokens") or 0},
        "total_tokens": usage["total_tokens"],
    }
