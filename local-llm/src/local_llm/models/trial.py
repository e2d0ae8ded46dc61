"""Try a model in a process of its own: `python -m local_llm.models.trial FILE CONTEXT_TOKENS`.

It loads, says so, waits for a line on standard input, writes some tokens against the clock, and tells the rate. What
else may happen, a crash or the kernel's OOM killer, happens to this process and not to the one that serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import math
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from local_llm.models.choose import Verdict
from local_llm.models.weights import ModelNotFoundError, Weights, name_from, server_settings_for
from local_llm.settings import Settings

LOAD_SECONDS = 600.0  # a cold disk reads 2.4 GB in some minutes
RUN_SECONDS = 45.0  # requests wait meanwhile
_TIMED_TOKENS = 32
_TIMED_SECONDS = 6.0  # of them, so that nobody waits long for a slow model
_PR_SET_PDEATHSIG = 1
_QUESTION = "What is the capital of France?"

Alone = Callable[[], AbstractAsyncContextManager[Any]]


async def try_model(path: Path, context_tokens: int, alone: Alone) -> Verdict:
    """Try a model. `alone` is held while it is timed, so that no answer disturbs the measurement."""
    async with _running(path, context_tokens) as child:
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                report = await _line(child)
            if report.get("loaded"):
                async with alone(), asyncio.timeout(RUN_SECONDS):
                    assert child.stdin is not None  # noqa: S101  # it is a pipe
                    child.stdin.write(b"go\n")
                    report = await _line(child)
        except TimeoutError:
            return Verdict(problem="did not answer in time when it was tried")
        except (ConnectionError, json.JSONDecodeError):
            report = {}
        if "tokens_per_second" in report:
            return Verdict(tokens_per_second=float(report["tokens_per_second"]))
        if "problem" in report:
            return Verdict(problem=str(report["problem"]))
        return Verdict(problem=_ending(await child.wait()))


@contextlib.asynccontextmanager
async def _running(path: Path, context_tokens: int) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local_llm.models.trial", str(path), str(context_tokens)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _line(child: Process) -> dict[str, Any]:
    assert child.stdout is not None  # noqa: S101  # it is a pipe
    line = await child.stdout.readline()
    report: dict[str, Any] = json.loads(line) if line else {}
    return report


def _ending(status: int) -> str:
    """What a trial that ended without a word means."""
    if status == -signal.SIGKILL:
        return "was killed when it was tried, most likely for want of memory"
    if status < 0:
        return f"crashed when it was tried ({signal.Signals(-status).name})"
    return "could not be loaded by llama.cpp: the file is damaged, or of a kind that it does not know"


def main() -> int:
    """The child's part. Returns the exit status."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory runs out, it is this process that goes
    path, context_tokens = Path(sys.argv[1]), int(sys.argv[2])
    # llama.cpp writes to the standard output too when it likes.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        report = _try(path, context_tokens, lambda: print(json.dumps({"loaded": True}), file=answers))
    except (ValueError, RuntimeError, ModelNotFoundError, MemoryError):
        report = {"problem": _ending(1)}
    print(json.dumps(report), file=answers)  # what the parent waits for
    return 0


def _try(path: Path, context_tokens: int, loaded: Callable[[], None]) -> dict[str, Any]:
    from llama_cpp.server.model import LlamaProxy

    from local_llm.prompt.flatten import Message
    from local_llm.prompt.template import Template

    weights = Weights(path, name_from(path))
    llama = LlamaProxy([server_settings_for(weights, Settings(), context_tokens)])(weights.name)
    try:
        prompt = Template(llama).tokens([Message("system", "Be brief."), Message("user", _QUESTION)])
    except Exception as error:  # noqa: BLE001  # a template is a program of somebody else's
        return {"problem": f"has a chat template that fails ({type(error).__name__})"}
    loaded()
    sys.stdin.readline()
    llama.eval(prompt)
    spent: list[float] = []
    while len(spent) < _TIMED_TOKENS and sum(spent) < _TIMED_SECONDS:
        began = time.monotonic()
        pointer = llama._ctx.get_logits()  # type: ignore[no-untyped-call]  # as llama_cpp has it
        logits = np.ctypeslib.as_array(pointer, shape=(llama.n_vocab(),))
        if not math.isfinite(float(logits.sum())):
            return {"problem": "computes no numbers: its weights are damaged"}
        llama.eval([llama.sample(temp=0.0)])
        spent.append(time.monotonic() - began)
    return {"tokens_per_second": 1 / median(spent)}  # a neighbour's burst counts for nothing


if __name__ == "__main__":
    sys.exit(main())
