"""What happens at twice the load that the stack can carry? Part of `make bench`.

The capacity is measured first, by as many people as there are places asking one request after the other. Then requests
come at twice that rate, whether or not the earlier ones are answered.
"""

import asyncio
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack

PLACES = 64  # the default of PILOT_CONCURRENCY
SECONDS = 10.0
ANSWER_SECONDS = 0.25  # how long the stand-in takes, so that places and not the client's own CPU are what runs out
BODY = {"model": "pilot", "messages": [{"role": "user", "content": "ping"}], "max_tokens": 64}


async def ask(session: aiohttp.ClientSession, url: str, fates: list[tuple[str, float]]) -> None:
    """One request; what became of it, and after how many seconds."""
    began = time.perf_counter()
    try:
        async with session.post(url, json=BODY) as response:
            await response.read()
            fate = response.headers.get("X-Served-By", str(response.status))
    except (aiohttp.ClientError, TimeoutError) as error:
        fate = type(error).__name__
    fates.append((fate, time.perf_counter() - began))


async def capacity(session: aiohttp.ClientSession, url: str) -> float:
    """Requests per second that are answered when every place is always taken."""
    fates: list[tuple[str, float]] = []
    end = time.perf_counter() + SECONDS

    async def person() -> None:
        while time.perf_counter() < end:
            await ask(session, url, fates)

    await asyncio.gather(*(person() for _ in range(PLACES)))
    return sum(fate == "claude" for fate, _ in fates) / SECONDS


async def overload(session: aiohttp.ClientSession, url: str, per_second: float) -> list[tuple[str, float]]:
    """Requests at this rate, come what may."""
    fates: list[tuple[str, float]] = []
    began = time.perf_counter()
    async with asyncio.TaskGroup() as crowd:
        for i in range(int(per_second * SECONDS)):
            await asyncio.sleep(max(0.0, began + i / per_second - time.perf_counter()))
            crowd.create_task(ask(session, url, fates))
    return fates


async def measure(url: str) -> None:
    """Both, printed."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        carried = await capacity(session, url)
        fates = await overload(session, url, 2 * carried)
    counts = Counter(fate for fate, _ in fates)
    print(f"carried: {carried:.0f} requests/s by {PLACES} people; offered: {2 * carried:.0f}/s for {SECONDS:g} s")
    for fate, count in counts.most_common():
        seconds = sorted(seconds for each, seconds in fates if each == fate)
        p99 = seconds[int(len(seconds) * 0.99)]
        print(f"  {fate:8} {count:6}  median {statistics.median(seconds):.3f} s  p99 {p99:.3f} s")


def main() -> None:
    """Start the stack and the stand-in, measure, stop."""
    with FakeAnthropic() as fake:
        fake.script(first_event_delay_seconds=ANSWER_SECONDS)
        with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=fake.base_url) as stack:
            stack.wait_for_backend("claude", 30)
            asyncio.run(measure(f"{stack.url}/v1/chat/completions"))


if __name__ == "__main__":
    main()
