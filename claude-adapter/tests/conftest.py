"""A real adapter on a real Unix socket, and a small real upstream on loopback."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from claude_rig import Adapter, Running, Upstream

from claude_adapter.app import create_app
from claude_adapter.settings import Settings


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    server = Upstream()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """Short: a Unix socket's path may have 108 bytes, which pytest's own directories can exceed."""
    with tempfile.TemporaryDirectory(prefix="pl-") as directory:
        yield Path(directory)


@pytest.fixture
def running(upstream: Upstream, run_dir: Path) -> Running:
    """`async with running(claude_stall_seconds=1) as adapter:` starts one with these settings."""

    @asynccontextmanager
    async def start(**fields: Any) -> AsyncIterator[Adapter]:
        defaults = {
            "anthropic_api_key": "sk-ant-one",
            "anthropic_base_url": upstream.base_url,
            "claude_probe_seconds": 0.2,
            # Most tests are about what follows once a request has been given up; test_retries.py is about patience.
            "claude_patience_seconds": 0,
            "claude_tool_patience_seconds": 0,
        }
        settings = Settings(**{**defaults, "pilot_run_dir": run_dir, **fields})
        path = str(run_dir / "claude.sock")
        server = uvicorn.Server(uvicorn.Config(create_app(settings), uds=path, log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started:
                assert not serving.done(), serving.exception()
                await asyncio.sleep(0.01)
            transport = httpx.AsyncHTTPTransport(uds=path)
            async with httpx.AsyncClient(transport=transport, base_url="http://claude", timeout=10) as client:
                yield Adapter(client)
        finally:
            server.should_exit = True
            await serving

    return start


@pytest.fixture
async def adapter(running: Running) -> AsyncIterator[Adapter]:
    """One with default settings, except for quick probes and no patience, after its first probe."""
    async with running() as started:
        await started.until(lambda state: state["probe"]["result"] == "ok")
        yield started
