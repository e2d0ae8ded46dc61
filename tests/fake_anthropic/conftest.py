"""One stand-in process for the whole folder, put back to its default before each test; no way out of this machine."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # pytest's importlib mode leaves the path alone

import anthropic

from fake_anthropic.process import FakeAnthropic


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anywhere but this machine fails the test that tries it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0]).is_loopback:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def _process() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as process:
        yield process


@pytest.fixture
def fake(_process: FakeAnthropic) -> FakeAnthropic:
    _process.reset()
    _process.clear_requests()
    return _process


@pytest.fixture
def claude(fake: FakeAnthropic) -> Iterator[anthropic.Anthropic]:
    """The vendor's own SDK, pointed at the stand-in."""
    with anthropic.Anthropic(api_key="sk-ant-test-9876", base_url=fake.base_url, max_retries=0, timeout=10) as client:
        yield client
