"""An outage and its end, seen by a real Prometheus that scrapes the real stack; told once, many tests ask about it."""

import time
from collections.abc import Iterator

import pytest

from fake_anthropic.process import FakeAnthropic
from monitoring.prometheus_server import Prometheus, needed
from monitoring.story import Story, tell
from stack import Stack


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, and Prometheus still running to be asked about it."""
    needed("prometheus")
    key_file = tmp_path_factory.mktemp("secrets") / "anthropic_api_key"
    key_file.write_text("")
    with (
        FakeAnthropic() as anthropic,
        Stack(
            ANTHROPIC_API_KEY_FILE=str(key_file),
            ANTHROPIC_BASE_URL=anthropic.base_url,
            CLAUDE_PROBE_SECONDS="1",
        ) as stack,
        Prometheus(stack.metrics_port) as prometheus,
    ):
        told = Story(prometheus, time.time())
        tell(told, stack, anthropic, key_file)
        told.ended = time.time()
        yield told
