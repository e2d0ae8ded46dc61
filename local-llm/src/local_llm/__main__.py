"""Run the local model on its Unix socket: `python -m local_llm`."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from local_llm.app import create_app
from local_llm.engine.progress import StallWatch
from local_llm.machine import memory
from local_llm.models.weights import ModelNotFoundError
from local_llm.prompt.persona import SoulError
from local_llm.settings import BadSettingError, make_run_dir, read_settings

GRACEFUL_SHUTDOWN_SECONDS = 25


def main() -> int:
    """Serve until SIGTERM, then let running answers finish. Returns the exit status: 2 for a setting that cannot be."""
    memory.keep_little()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s local-llm %(levelname)s %(message)s")
    # uvicorn raises the signal again when it has shut down: with the default handler its socket would stay behind.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        settings = read_settings()
        make_run_dir(settings)
        app = create_app(settings)
    except (BadSettingError, ModelNotFoundError, SoulError) as error:
        print(error, file=sys.stderr)  # noqa: T201  # for the person who starts it
        return 2
    config = uvicorn.Config(
        app,
        uds=str(settings.socket_path),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,  # longer than nginx keeps idle connections
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
    )
    try:
        Server(config, app.state.stall_watch).run()
    finally:
        settings.socket_path.unlink(missing_ok=True)
    return 0


class Server(uvicorn.Server):
    """Stops in time even when the model does not come back, and keeps its socket to this user."""

    def __init__(self, config: uvicorn.Config, watch: StallWatch) -> None:
        super().__init__(config)
        self._watch = watch

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; uvicorn lets everybody in, whoever reaches the directory."""
        await super().startup(sockets)
        Path(str(self.config.uds)).chmod(0o600)  # noqa: ASYNC240  # a moment, and nobody is served yet

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal: running answers finish, but nobody waits for one that has stalled."""
        self._watch.stopping = True
        super().handle_exit(sig, frame)


if __name__ == "__main__":
    sys.exit(main())
