"""Run the local model on its Unix socket: `python -m local_llm`."""

from __future__ import annotations

import logging
import signal
import sys

import uvicorn
from pydantic import ValidationError

from local_llm.app import create_app
from local_llm.machine import memory
from local_llm.models.weights import ModelNotFoundError
from local_llm.settings import Settings, sentences

GRACEFUL_SHUTDOWN_SECONDS = 25


def main() -> int:
    """Serve until SIGTERM, then let running answers finish. Returns the exit status."""
    memory.keep_little()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s local-llm %(levelname)s %(message)s")
    log = logging.getLogger("local_llm")
    # uvicorn raises the signal again when it has shut down: with the default handler its socket would stay behind.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        settings = Settings()
        settings.pilot_run_dir.mkdir(parents=True, exist_ok=True)
        app = create_app(settings)
    except ValidationError as error:
        log.critical("%s", sentences(error.errors()))
        return 1
    except (ModelNotFoundError, OSError) as error:
        log.critical("%s", error)
        return 1
    uvicorn.run(
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
