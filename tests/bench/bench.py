"""`make bench`: what the stack costs against a fast stand-in for Claude, beside the budgets of the design.

CPU seconds are the kernel's, over all our processes and without the client and the stand-in: they say more than wall
time on a shared machine. What the stack burns when nobody asks is measured too and stays in the figures.
"""

import asyncio
import functools
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.local_speed import measure_local_speed
from fake_anthropic.process import FakeAnthropic
from local_llm.models.weights import locate
from local_llm.settings import Settings
from stack import Stack

UNARY_REQUESTS = 2000
STREAMS = {1: 10, 50: 100}  # at once: how many in all
CHUNKS = 100
CHUNK_INTERVAL_SECONDS = 0.01
LATENCY_REQUESTS = 500
OUTAGES = 5

BODY = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "ping"}], "max_tokens": 256}
Row = tuple[str, str, str]


def cpu_seconds(stack: Stack) -> float:
    """User and system time of all our processes, and of children they have reaped."""
    return sum(sum(process.cpu_times()[:2]) for process in stack.processes())


async def ask(session: aiohttp.ClientSession, url: str, body: dict[str, object]) -> float:
    """One request, read to its end; returns seconds. Fails on anything but a 200."""
    started = time.perf_counter()
    async with session.post(url, json=body) as response:
        await response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status} from {url}: {await response.text()}")
    return time.perf_counter() - started


async def cpu_of(stack: Stack, count: int, work: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds of CPU per item while `work` runs `count` of them."""
    before = cpu_seconds(stack)
    await work()
    return (cpu_seconds(stack) - before) / count * 1000


async def measure_cpu(stack: Stack, fake: FakeAnthropic, session: aiohttp.ClientSession) -> list[Row]:
    """CPU per unary request and per paced stream, on Claude's path."""
    url = f"{stack.url}/v1/chat/completions"

    async def unary() -> None:
        for _ in range(UNARY_REQUESTS):
            await ask(session, url, BODY)

    async def streams(at_once: int, count: int) -> None:
        places = asyncio.Semaphore(at_once)

        async def one() -> None:
            async with places:
                await ask(session, url, {**BODY, "stream": True})

        await asyncio.gather(*(one() for _ in range(count)))

    async def idle() -> None:
        await asyncio.sleep(10)

    fake.script(chunks=1)
    for _ in range(100):  # warm connections and caches
        await ask(session, url, BODY)
    unary_ms = await cpu_of(stack, UNARY_REQUESTS, unary)
    fake.script(chunks=CHUNKS, chunk_interval_seconds=CHUNK_INTERVAL_SECONDS)
    stream_ms = {
        at_once: await cpu_of(stack, count, functools.partial(streams, at_once, count))
        for at_once, count in STREAMS.items()
    }
    fake.reset()
    idle_ms = await cpu_of(stack, 10, idle)
    return [
        ("CPU per unary request, Claude", f"{unary_ms:.2f} ms", "<= 1.1 ms"),
        *(
            (f"CPU per {CHUNKS}-chunk stream, 10 ms apart, {at_once} at once", f"{ms:.2f} ms", "<= 4 ms")
            for at_once, ms in stream_ms.items()
        ),
        ("CPU per idle second", f"{idle_ms:.2f} ms", "-"),
    ]


async def measure_latency(stack: Stack, fake: FakeAnthropic, session: aiohttp.ClientSession) -> list[Row]:
    """What the stack adds for one client: the same request straight to the stand-in and through the stack, in turn."""
    direct_url = f"{fake.base_url}/v1/messages"
    direct_body = {**BODY, "stream": True}
    headers = {"x-api-key": "sk-ant-bench", "anthropic-version": "2023-06-01"}
    direct, through = [], []
    async with aiohttp.ClientSession(headers=headers) as anthropic:
        for _ in range(LATENCY_REQUESTS):
            direct.append(await ask(anthropic, direct_url, direct_body))
            through.append(await ask(session, f"{stack.url}/v1/chat/completions", BODY))

    def added_ms(percent: int) -> float:
        def at(values: list[float]) -> float:
            return statistics.quantiles(values, n=100)[percent - 1]

        return (at(through) - at(direct)) * 1000

    return [(f"latency added, p{p}", f"{added_ms(p):.2f} ms", "-") for p in (50, 99)]


async def measure_outage(stack: Stack, fake: FakeAnthropic, session: aiohttp.ClientSession) -> list[Row]:
    """First byte of the notice with the breaker open, and the time until Claude answers again."""
    url = f"{stack.url}/v1/chat/completions"
    notices, failbacks = [], []
    for outage in range(OUTAGES):
        fake.script(refuse=True)
        await ask(session, url, BODY)
        body = {**BODY, "stream": True, "max_tokens": 4, "messages": [{"role": "user", "content": f"ping {outage}"}]}
        started = time.perf_counter()
        async with session.post(url, json=body) as response:
            seen = b""
            while b"smaller brain" not in seen:
                seen += await response.content.readany()
            notices.append(time.perf_counter() - started)
            await response.read()
        fake.reset()
        started = time.perf_counter()
        while True:
            async with session.post(url, json={**BODY, "max_tokens": 1}) as response:
                await response.read()
                if response.headers["X-Served-By"] == "claude":
                    break
            await asyncio.sleep(0.1)
        failbacks.append(time.perf_counter() - started)
    return [
        ("first byte of the notice, breaker open, worst", f"{max(notices) * 1000:.1f} ms", "<= 100 ms"),
        ("Claude back after recovery, worst", f"{max(failbacks):.2f} s", "<= 5 s"),
    ]


def measure_memory(stack: Stack) -> list[Row]:
    """Resident memory per process, and without the model: its weights, read from their file, and its KV cache.

    Resident size counts a page that processes share once for each of them; the proportional size counts it once.
    """
    rows: list[Row] = []
    resident = proportional = 0
    for process in stack.processes():
        memory = process.memory_full_info()
        resident += memory.rss
        proportional += memory.pss
        words = process.cmdline()
        name = next((w for i, w in enumerate(words) if i and words[i - 1] == "-m"), " ".join(words[:3]).strip())
        rows.append((f"memory: {Path(name).name}", f"{memory.rss / 2**20:.0f} MB", "-"))
    model = locate(Settings()).path.stat().st_size + kv_cache_bytes(stack)
    return [
        *rows,
        ("memory: weights and KV cache in local_llm", f"{model / 2**20:.0f} MB", "-"),
        ("memory without the model, resident", f"{(resident - model) / 2**20:.0f} MB", "<= 250 MB"),
        ("memory without the model, shared pages once", f"{(proportional - model) / 2**20:.0f} MB", "-"),
    ]


def kv_cache_bytes(stack: Stack) -> int:
    """Keys and values of every layer in half precision, for the context the model was loaded with."""
    from llama_cpp import Llama

    context_tokens: int = stack.status()["local"]["context_tokens"]
    meta = Llama(str(locate(Settings()).path), vocab_only=True, verbose=False).metadata
    arch = meta["general.architecture"]
    heads = int(meta[f"{arch}.attention.head_count"])
    head_size = int(meta[f"{arch}.embedding_length"]) // heads
    kv_heads = int(meta.get(f"{arch}.attention.head_count_kv", heads))
    return 2 * 2 * context_tokens * int(meta[f"{arch}.block_count"]) * kv_heads * head_size


async def main() -> None:
    """Run all, print one table."""
    with (
        FakeAnthropic() as fake,
        Stack(ANTHROPIC_API_KEY="sk-ant-bench-0123456789", ANTHROPIC_BASE_URL=fake.base_url) as stack,
    ):
        async with aiohttp.ClientSession() as session:
            rows = await measure_cpu(stack, fake, session)
            rows += await measure_latency(stack, fake, session)
            rows += await measure_outage(stack, fake, session)
        rows += measure_memory(stack)
    rows += await measure_local_speed()
    width = max(len(name) for name, _, _ in rows)
    print(f"{'what':<{width}}  {'measured':>12}  budget")
    for name, measured, budget in rows:
        print(f"{name:<{width}}  {measured:>12}  {budget}")


if __name__ == "__main__":
    asyncio.run(main())
