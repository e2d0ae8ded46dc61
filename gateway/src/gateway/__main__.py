"""Run the gateway on its Unix socket: `python -m gateway`."""

import gc
import logging
import sys

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
    uvicorn.run(
        app,
        uds=str(settings.pilot_run_dir / "gateway.sock"),
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
