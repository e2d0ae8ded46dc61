"""Reading a Chat Completions stream as it arrives, strictly."""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson


@dataclass
class Streamed:
    """A whole stream: head, chunks with their arrival times (seconds after the request), and how it ended."""

    status: int
    headers: httpx.Headers
    chunks: list[dict[str, Any]] = field(default_factory=list)
    arrived_seconds: list[float] = field(default_factory=list)
    done: int = 0

    @property
    def text(self) -> str:
        """All text deltas."""
        return "".join(
            choice["delta"].get("content") or "" for chunk in self.chunks for choice in chunk.get("choices", [])
        )

    @property
    def finish_reasons(self) -> list[str]:
        """Every finish_reason that came; one, in a good stream."""
        return [c["finish_reason"] for chunk in self.chunks for c in chunk["choices"] if c["finish_reason"]]


def stream(client: httpx.Client, **body: Any) -> Streamed:
    """Ask with `stream: true` and read to the end; anything after [DONE] or unparsable fails."""
    started = time.perf_counter()
    headers = body.pop("headers", None)
    question = body.pop("question", "What is the capital of France?")
    request = {"model": "pilot", "messages": [{"role": "user", "content": question}], "max_tokens": 24, **body}
    with client.stream("POST", "/v1/chat/completions", json={**request, "stream": True}, headers=headers) as response:
        streamed = Streamed(response.status_code, response.headers)
        if response.status_code != 200:
            response.read()
            return streamed
        for line in response.iter_lines():
            if line == "data: [DONE]":
                streamed.done += 1
            elif line.startswith("data: "):
                assert not streamed.done, "an event after [DONE]"
                streamed.chunks.append(orjson.loads(line[6:]))
                streamed.arrived_seconds.append(time.perf_counter() - started)
            else:
                assert line == "" or line.startswith(":"), f"not an SSE line: {line}"
    return streamed
