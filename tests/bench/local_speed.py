"""The local model's speed beside bare llama-cpp-python: same file, same threads, turn by turn on the same machine.

Ratios are of medians over rounds that alternate, so that a busy minute hits both. Ours is measured where a client is:
on the socket, with template, fitting, queue and SSE in between. Bare means the library as it comes. (With flash
attention it reads a short prompt some 10 % faster, and writes far slower behind a long one, so we leave that off too.)
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

import local_llm  # noqa: F401  # first: it sets how OpenMP's threads wait, which is read when llama.cpp is loaded

from llama_cpp import Llama  # isort: skip
from local_llm.machine import cores
from local_llm.models.weights import locate
from local_llm.prompt.prompter import DEFAULT_SAMPLING
from local_llm.settings import Settings

ROUNDS = 7
PREFILL_SENTENCES = 35
DECODE_TOKENS = 100
CONTEXT_TOKENS = 2048
RESIDENT_BUDGET_MB = 150
SENTENCE = "The keeper of the lamp walked along the shore and counted the boats that came home. "
STORY = "Write a long story about a lamp."
Row = tuple[str, str, str]


async def measure_local_speed() -> list[Row]:
    """Rows for `make bench`."""
    threads = cores.available()
    weights = locate(Settings())
    weights_bytes = _size_bytes(weights.path)
    bare = Llama(
        str(weights.path),
        n_ctx=CONTEXT_TOKENS,
        n_threads=threads,
        n_threads_batch=threads,
        verbose=False,
    )
    with tempfile.TemporaryDirectory(prefix="bench") as run_dir:
        environment = os.environ | {
            "PILOT_RUN_DIR": run_dir,
            "LOCAL_MODEL": str(weights.path),
            "LOCAL_CONTEXT": str(CONTEXT_TOKENS),
            "LOCAL_THREADS": str(threads),
            "LOCAL_FIRST_WORD_SECONDS": "600",
        }
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "local_llm", env=environment)
        try:
            connector = aiohttp.UnixConnector(path=f"{run_dir}/local.sock")
            async with aiohttp.ClientSession("http://local", connector=connector) as session:
                await _until_ready(session, Path(run_dir))
                return await _compare(session, bare, process.pid, weights_bytes)
        finally:
            process.terminate()
            await process.wait()


@dataclass
class Work:
    """What rounds of one kind took: tokens per wall second and CPU seconds per token, each time."""

    rates: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def add(self, tokens: int, wall_seconds: float, cpu_seconds: float) -> None:
        """One round."""
        self.rates.append(tokens / wall_seconds)
        self.cpu_seconds.append(cpu_seconds / tokens)


async def _compare(session: aiohttp.ClientSession, bare: Llama, pid: int, weights_bytes: int) -> list[Row]:
    ours = psutil.Process(pid)
    ours_prefill, bare_prefill, ours_decode, bare_decode = Work(), Work(), Work(), Work()
    for number in range(ROUNDS):
        # Each begins differently: nothing of it is in a cache.
        question = f"{number} and {time.time()}: {SENTENCE * PREFILL_SENTENCES}"
        for text, max_tokens, work in ((question, 1, ours_prefill), (STORY, DECODE_TOKENS, ours_decode)):
            before = sum(ours.cpu_times()[:2])
            first_word_seconds, rest_seconds, usage = await _ask(session, text, max_tokens)
            cpu_seconds = sum(ours.cpu_times()[:2]) - before
            if max_tokens == 1:
                work.add(usage["prompt"] - usage["cached"], first_word_seconds, cpu_seconds)
            else:
                work.add(usage["written"] - 1, rest_seconds, cpu_seconds)
        for text, max_tokens, work in ((question, 1, bare_prefill), (STORY, DECODE_TOKENS, bare_decode)):
            cpu_before = time.process_time()
            first_word_seconds, rest_seconds, read = _ask_bare(bare, text, max_tokens)
            cpu_seconds = time.process_time() - cpu_before
            if max_tokens == 1:
                work.add(read, first_word_seconds, cpu_seconds)
            else:
                work.add(max_tokens - 1, rest_seconds, cpu_seconds)
    saved_bytes = await _metric(session, "pilotlight_local_cache_bytes")
    extra = (ours.memory_info().rss - weights_bytes - _kv_bytes(bare) - saved_bytes) / 2**20
    return [
        *_ratios("local prefill", ours_prefill, bare_prefill),
        *_ratios("local decode", ours_decode, bare_decode),
        (
            "local_llm resident, without weights, KV cache and saved states",
            f"{extra:.0f} MB",
            f"<= {RESIDENT_BUDGET_MB} MB",
        ),
    ]


def _ratios(name: str, ours: Work, bare: Work) -> list[Row]:
    """Shares of bare llama-cpp-python's speed. By CPU time a busy machine disturbs least."""
    by_cpu = statistics.median(bare.cpu_seconds) / statistics.median(ours.cpu_seconds)
    rates = statistics.median(ours.rates), statistics.median(bare.rates)
    return [
        (f"{name}, share of bare llama-cpp-python by CPU time", f"{by_cpu:.2f}", ">= 0.95"),
        (f"{name}, by the clock ({rates[0]:.0f} of {rates[1]:.0f} tokens/s)", f"{rates[0] / rates[1]:.2f}", ">= 0.95"),
    ]


async def _ask(session: aiohttp.ClientSession, question: str, max_tokens: int) -> tuple[float, float, dict[str, int]]:
    """Seconds to the first word, seconds from there to the last, and token counts."""
    body = {
        "messages": [{"role": "user", "content": question}],
        "max_tokens": max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    began = time.perf_counter()
    first = last = 0.0
    usage: dict[str, int] = {}
    async with session.post("/v1/chat/completions", json=body) as response:
        async for line in response.content:
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line.removeprefix(b"data: "))
            if chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                last = time.perf_counter()
                first = first or last
            if counted := chunk.get("usage"):
                usage = {
                    "prompt": counted["prompt_tokens"],
                    "cached": counted["prompt_tokens_details"]["cached_tokens"],
                    "written": counted["completion_tokens"],
                }
    return first - began, last - first, usage


def _ask_bare(bare: Llama, question: str, max_tokens: int) -> tuple[float, float, int]:
    """The same without any of us, from nothing: seconds to the first token, from there to the last, tokens read."""
    began = time.perf_counter()
    tokens = bare.tokenize(_chat(question), special=True)
    bare.reset()  # type: ignore[no-untyped-call]  # as llama_cpp has it
    generated = _generated(bare, tokens)
    next(generated)
    first = time.perf_counter()
    for _ in range(max_tokens - 1):
        next(generated)
    return first - began, time.perf_counter() - first, len(tokens)


def _generated(bare: Llama, tokens: list[int]):  # type: ignore[no-untyped-def]  # a generator of llama_cpp's
    sampling = DEFAULT_SAMPLING
    return bare.generate(
        tokens,
        temp=sampling["temperature"],
        top_k=int(sampling["top_k"]),
        top_p=sampling["top_p"],
        min_p=sampling["min_p"],
        repeat_penalty=sampling["repeat_penalty"],
    )


def _chat(question: str) -> bytes:
    system = "<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n"
    return f"{system}<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n".encode()


def _size_bytes(path: Path) -> int:
    return path.stat().st_size


def _kv_bytes(bare: Llama) -> int:
    """Keys and values of every layer in half precision."""
    meta = bare.metadata
    arch = meta["general.architecture"]
    heads = int(meta[f"{arch}.attention.head_count"])
    head_size = int(meta[f"{arch}.embedding_length"]) // heads
    kv_heads = int(meta.get(f"{arch}.attention.head_count_kv", heads))
    return 2 * 2 * CONTEXT_TOKENS * int(meta[f"{arch}.block_count"]) * kv_heads * head_size


async def _metric(session: aiohttp.ClientSession, name: str) -> float:
    async with session.get("/metrics") as response:
        text = await response.text()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


async def _until_ready(session: aiohttp.ClientSession, run_dir: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if (run_dir / "local.sock").exists():
            try:
                async with session.get("/healthz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # its socket is there before it listens
        await asyncio.sleep(0.1)
    raise RuntimeError("local-llm did not come up")


if __name__ == "__main__":
    for row in asyncio.run(measure_local_speed()):
        print("  ".join(row))
