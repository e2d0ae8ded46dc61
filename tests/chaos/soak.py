"""The soak: people ask in every way while faults and kills are drawn at random, and every single fate is judged.

Bounded in time and seeded: the same seed draws the same strikes, though not at the same instants of the same requests.
"""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from chaos.exchange import DIALECTS, PATHS, Exchange, ask
from chaos.faults import SCRIPTED
from chaos.outages import Outages
from fake_anthropic.process import FakeAnthropic
from stack import Stack

PEOPLE = 6
GOOD_DAY = {"chunk_interval_seconds": 0.05}  # paced, so that strikes meet streams in the middle
BROKEN_STREAMS: list[dict[str, Any]] = [
    {"cut_after_events": 3, "cut": "close"},
    {"cut_after_events": 3, "cut": "reset"},
    {"cut_after_events": 3, "cut": "half_event"},
    {"error_after_events": 3, "error_type": "overloaded_error"},
    {"silent_after_events": 3, "pings": True},
]
SECRET = "xylophone-marmalade"  # noqa: S105  # said in every question; never to be found in a log


@dataclass
class Soak:
    """What came of it."""

    exchanges: list[Exchange] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    strikes: Counter[str] = field(default_factory=Counter)
    left: int = 0


def run_soak(stack: Stack, anthropic: FakeAnthropic, key_file: Path, *, seconds: float, seed: int) -> Soak:
    """Strike and ask for `seconds`, heal everything, wait for the last answers, judge."""
    soak = Soak()
    outages = Outages(stack)
    stop = threading.Event()
    anthropic.script(**GOOD_DAY)
    people = [threading.Thread(target=keep_asking, args=(stack, soak, stop, seed * 100 + i)) for i in range(PEOPLE)]
    strikers = [
        threading.Thread(target=keep_striking, args=(draws, seeded(f"{seed} {name}"), outages, soak, stop))
        for name, draws in {
            "anthropic": anthropic_strikes(anthropic, key_file),
            "rooms": room_strikes(stack),
        }.items()
    ]
    for thread in (*people, *strikers):
        thread.start()
    stop.wait(seconds)
    stop.set()
    for thread in (*people, *strikers):
        thread.join()
    deadline = time.monotonic() + 90
    while unwell := outages.still_on():
        with contextlib.suppress(httpx.TransportError):
            stack.ask("Are you back?", max_tokens=1)  # what is half open wants a request
        if time.monotonic() > deadline:
            soak.failures.append(f"90 s after the last strike not well again: {unwell}")
            break
        time.sleep(0.5)
    soak.failures += [problem for exchange in soak.exchanges if (problem := judge(exchange, outages))]
    outages.close()
    return soak


def judge(exchange: Exchange, outages: Outages) -> str | None:
    """What is wrong with an exchange, or None when it could not have gone better.

    A refusal needs both brains down. Who is in the middle of an answer when the gateway or nginx dies is cut off by it;
    who is connected to an nginx that dies, or asks it while it is down, gets nothing.
    """
    down = [part for part in ("claude", "local", "gateway", "nginx") if outages.during(part, exchange)]
    nobody = "claude" in down and "local" in down
    excused = {
        "claude": True,
        "local": True,
        "rescued": True,
        "refused": nobody,
        # Without the gateway nobody rescues; a rescue that comes through an nginx worker dies with it.
        "broken off": nobody or ("claude" in down and ("gateway" in down or "nginx" in down)),
        "cut": "gateway" in down or "nginx" in down,
        "lost": "nginx" in down,
    }.get(exchange.verdict, False)
    if excused:
        return None
    took = exchange.ended - exchange.began
    down_now = ", ".join(down) or "nothing"
    well_since = outages.latest_ends(exchange)
    return f"{exchange.verdict} after {took:.1f} s with {down_now} down (well since: {well_since}): {exchange.detail}"


def seeded(seed: int | str) -> random.Random:
    """Draws that come again with the same seed."""
    return random.Random(seed)  # noqa: S311  # a soak needs no secrets


def keep_asking(stack: Stack, soak: Soak, stop: threading.Event, seed: int) -> None:
    """One person: asks, reads, thinks a moment, and sometimes walks away in the middle."""
    draw = seeded(seed)
    with httpx.Client(base_url=stack.url, trust_env=False) as client:
        while not stop.is_set():
            dialect, streamed = draw.choice(DIALECTS), draw.random() < 0.6
            question = f"{SECRET}: tell me about the number {draw.randrange(1000)}."
            if draw.random() < 0.1:
                soak.left += 1
                walk_away(client, PATHS[dialect], question)
            else:
                soak.exchanges.append(ask(client, dialect, question, streamed=streamed, max_tokens=12))
            stop.wait(draw.uniform(0.05, 0.6))


def walk_away(client: httpx.Client, path: str, question: str) -> None:
    """Ask for a stream, read a little, hang up."""
    body = {"messages": [{"role": "user", "content": question}], "stream": True, "max_tokens": 200}
    with contextlib.suppress(httpx.TransportError), client.stream("POST", path, json=body, timeout=40) as response:
        for _ in zip(range(3), response.iter_lines(), strict=False):
            pass


Strike = tuple[str, str, Callable[[float], object], Callable[[], object]]
"""Its name, the part that it takes out, how it begins (given how long it will last, in seconds), and how it ends."""


def keep_striking(
    draws: Callable[[random.Random], Strike], draw: random.Random, outages: Outages, soak: Soak, stop: threading.Event
) -> None:
    """One strike after another, with pauses in which all may be well."""
    while not stop.wait(draw.uniform(1, 8)):
        name, part, begin, end = draws(draw)
        seconds = draw.uniform(0.5, 5)
        soak.strikes[name] += 1
        outages.begin(part)
        try:
            begin(seconds)
            stop.wait(seconds)
        finally:
            end()
            outages.end(part)


def anthropic_strikes(anthropic: FakeAnthropic, key_file: Path) -> Callable[[random.Random], Strike]:
    """Anthropic's own faults, streams that break in the middle, and a key that is no good."""
    good_key = key_file.read_text()

    def draws(draw: random.Random) -> Strike:
        kind = draw.choice(["fault", "fault", "broken stream", "broken stream", "key"])
        if kind == "key":
            return "bad key", "claude", lambda _: write_key(key_file, "nonsense"), lambda: write_key(key_file, good_key)
        fault = draw.choice(SCRIPTED)
        name, script = (fault.name, fault.script) if kind == "fault" else (kind, draw.choice(BROKEN_STREAMS))
        return (
            name,
            "claude",
            lambda _: anthropic.script(**GOOD_DAY | script),
            lambda: anthropic.script(**GOOD_DAY),
        )

    return draws


def write_key(key_file: Path, key: str) -> None:
    """As an editor saves: a new file takes the old one's place."""
    draft = key_file.with_suffix(".new")
    draft.write_text(key)
    draft.replace(key_file)


def room_strikes(stack: Stack) -> Callable[[random.Random], Strike]:
    """Each room killed, or frozen and later thawed, or frozen for good until the watchdog ends it."""
    parts = {"claude-adapter": "claude", "local-llm": "local", "gateway": "gateway", "nginx": "nginx"}

    def draws(draw: random.Random) -> Strike:
        room = draw.choice(list(parts))
        how = draw.choice(["killed", "frozen", "frozen for good"])
        process = stack.room(room)
        if room == "nginx":  # its master serves nobody; its workers do
            process = draw.choice(process.children())

        def strike(_: float) -> None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)

        def thaw() -> None:
            if how == "frozen":
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGCONT)
            elif how == "frozen for good":
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(30)

        return (f"{room} {how}", parts[room], strike, thaw)

    return draws


def summary(soak: Soak) -> str:
    """The counts, for people."""
    lines = ["strikes: " + ", ".join(f"{name} {count}" for name, count in sorted(soak.strikes.items()))]
    verdicts = Counter(exchange.verdict for exchange in soak.exchanges)
    for verdict, count in verdicts.most_common():
        seconds = sorted(e.ended - e.began for e in soak.exchanges if e.verdict == verdict)
        median = seconds[len(seconds) // 2]
        lines.append(f"{verdict:11} {count:6}   median {median:6.2f} s   worst {seconds[-1]:6.2f} s")
    lines.append(f"walked away {soak.left:6}")
    lines.append(f"failures    {len(soak.failures):6}")
    return "\n".join(lines)
