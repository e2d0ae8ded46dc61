"""Run the gateway on its Unix socket: `python -m gateway`."""

import contextlib
import gc
import logging
import socket
import sys
from pathlib import Path

import uvicorn

from gateway.app import create_app
from gateway.protocol import Protocol
from gateway.settings import BadSettingError, read_settings


def main() -> int:
    """Serve until SIGTERM, then let running answers finish. Gives the exit code: 2 for a setting that cannot be."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = read_settings()
    except BadSettingError as error:
        print(error, file=sys.stderr)  # noqa: T201  # for the person who starts it
        return 2
    app = create_app(settings)
    # What was imported stays for good: the garbage collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    path = settings.pilot_run_dir / "gateway.sock"
    config = uvicorn.Config(
        app,
        uds=str(path),
        loop="uvloop",
        http=Protocol,
        access_log=False,
        log_config=None,
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,  # longer than nginx keeps idle connections
        timeout_graceful_shutdown=25,
    )
    try:
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it once more when all has ended
            Server(config).run()
    finally:
        path.unlink(missing_ok=True)
    return 0


class Server(uvicorn.Server):
    """Keeps its socket to this user."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; uvicorn lets everybody in, whoever reaches the directory."""
        await super().startup(sockets)
        Path(str(self.config.uds)).chmod(0o600)  # noqa: ASYNC240  # a moment, and nobody is served yet


if __name__ == "__main__":
    sys.exit(main())
