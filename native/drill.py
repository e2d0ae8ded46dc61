"""`make drill`: a fire drill on the running stack. Claude is made unusable for a while; does everybody get an answer?

Asks real questions throughout, by the same door as everyone, and ends with a verdict. Exit code 0 when it is good.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from run import edge_url, key_header, read_environment, say

ASK_EVERY_SECONDS = 1.0
FAILBACK_BUDGET_SECONDS = 5.0
PATIENCE_SECONDS = 15.0  # for Claude to come back after the drill
QUESTIONS = (
    "What is the capital of France?",
    "Who wrote Hamlet?",
    "How many days are in a week?",
    "What color is the sky?",
)
# Inside the container, where the socket is and httpx may not be.
_IN_CONTAINER = """
import http.client, socket, sys
class Local(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/run/pilot-light/claude.sock")
drill = Local("claude-adapter")
drill.request("POST", "/drill", sys.argv[1], {"Content-Type": "application/json"})
sys.exit(drill.getresponse().status != 200)
"""


@dataclass(frozen=True)
class Answer:
    """One question's fate. Times are seconds; `at` is since the drill began."""

    at: float
    backend: str
    reason: str
    first_words_seconds: float
    text: str
    whole: bool


def main() -> int:
    """Drill, show every answer, judge; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="how long Claude stays unusable")
    seconds: float = parser.parse_args().seconds

    environment = read_environment()
    client = httpx.Client(base_url=edge_url(environment), headers=key_header(environment), timeout=120, trust_env=False)
    try:
        status = client.get("/status").raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        say(f"Pilot Light does not answer at {client.base_url}. Start it with make run or make up, then drill again.")
        return 1
    if status["active_backend"] != "claude":
        say(f"Claude is not on, so there is nothing to lose in a drill. {status['detail']}")
        return 1
    if not order_outage(Path(environment["PILOT_RUN_DIR"]), seconds):
        say("claude-adapter cannot be reached, neither here nor in a container: no drill was begun.")
        return 1
    say(f"{'time':>6}  {'backend':<7} {'reason':<13} {'first words':>11}  answer")
    return judge(list(ask_throughout(client, seconds)), status["notice"], seconds)


def order_outage(run_dir: Path, seconds: float) -> bool:
    """Tell claude-adapter to refuse for so many seconds: by its socket here, or inside its container."""
    order = orjson.dumps({"seconds": seconds})
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(run_dir / "claude.sock"))) as adapter:
            return adapter.post("http://claude-adapter/drill", content=order).status_code == 200
    except httpx.TransportError:
        command = ["docker", "compose", "exec", "-T", "claude-adapter", "python3", "-c", _IN_CONTAINER, order.decode()]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False


def ask_throughout(client: httpx.Client, seconds: float) -> Iterator[Answer]:
    """Ask until Claude answers again, or until patience ends."""
    began = time.monotonic()
    asked = 0
    while time.monotonic() - began < seconds + PATIENCE_SECONDS:
        started = time.monotonic()
        answer = ask(client, QUESTIONS[asked % len(QUESTIONS)], began)
        asked += 1
        say(
            f"{answer.at:5.1f}s  {answer.backend:<7} {answer.reason:<13} {answer.first_words_seconds:>9.2f} s  "
            f"{' '.join(answer.text.split())[:70]}"
        )
        yield answer
        if answer.backend == "claude" and answer.at > seconds:
            return
        time.sleep(max(0.0, ASK_EVERY_SECONDS - (time.monotonic() - started)))


def ask(client: httpx.Client, question: str, began: float) -> Answer:
    """One streamed question. A refusal or a broken connection is an answer that is not whole."""
    at = time.monotonic()
    first_words_seconds = 0.0
    backend = reason = "-"
    text: list[str] = []
    done = False
    # A system prompt of its own makes the drill one conversation, told once, and nobody else's.
    messages = [{"role": "system", "content": f"You are a helpful AI assistant. (drill {began})"}]
    messages.append({"role": "user", "content": question})
    try:
        body = {"model": "pilot", "messages": messages, "stream": True, "max_tokens": 40}
        with client.stream("POST", "/v1/chat/completions", json=body) as response:
            backend = response.headers.get("X-Served-By", "nobody")
            reason = response.headers.get("X-Fallback-Reason", "-")
            for line in response.iter_lines():
                done = done or line == "data: [DONE]"
                if not line.startswith("data: {"):
                    continue
                choices = orjson.loads(line[6:]).get("choices", ())
                text.extend(choice["delta"].get("content") or "" for choice in choices)
                if text and not first_words_seconds and text[-1]:
                    first_words_seconds = time.monotonic() - at
    except httpx.HTTPError as error:
        text.append(f"({type(error).__name__})")
    return Answer(at - began, backend, reason, first_words_seconds, "".join(text), done)


def judge(answers: list[Answer], notice: str, seconds: float) -> int:
    """Say what the drill showed; 0 when all of it is good."""
    degraded = [answer for answer in answers if answer.backend == "local"]
    told = sum(answer.text.startswith(notice) for answer in degraded)
    lost = [answer for answer in answers if not answer.whole]
    back = answers[-1].at - seconds if answers and answers[-1].backend == "claude" else None
    verdicts = [
        (bool(degraded), f"the local model answered {len(degraded)} of {len(answers)} questions"),
        (told > 0, f"the notice was {'seen' if told else 'NOT seen'}"),
        (not lost, f"{len(lost) or 'no'} answers were lost"),
        (
            back is not None and back <= FAILBACK_BUDGET_SECONDS,
            "Claude is NOT back" if back is None else f"Claude was back {back:.1f} s after the outage",
        ),
    ]
    good = all(passed for passed, _ in verdicts)
    say(f"{'Passed' if good else 'FAILED'}: {', '.join(sentence for _, sentence in verdicts)}.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
