"""One server for all tests of this service that can share it: it takes requests one at a time anyway."""

from collections.abc import Iterator

import pytest
from local_rig import Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """With a short queue, a small window, and no hurry: what is cut must not depend on the machine's load."""
    settings = {
        "LOCAL_CONTEXT": "2048",
        "LOCAL_QUEUE": "4",
        "LOCAL_QUEUE_SECONDS": "600",
        "LOCAL_FIRST_WORD_SECONDS": "600",
        "CONFIG_FILE": "/nonexistent",  # llama_cpp.server would want it
        "API_KEY": "unrelated",  # … and take this for its own
    }
    with running(**settings) as started:
        yield started
