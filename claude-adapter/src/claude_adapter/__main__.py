"""`python -m claude_adapter`: listen on `$PILOT_RUN_DIR/claude.sock`."""

import contextlib
import gc
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

import uvicorn
from pydantic import ValidationError

from claude_adapter.app import create_app
from claude_adapter.settings import BadSettingError, Settings, explain

_GRACE_SECONDS = 25


def main() -> None:
    """Serve until SIGTERM, then let running requests finish within the grace period."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True, format="%(levelname)s %(name)s: %(message)s")
    # The SDK logs whole requests when ANTHROPIC_LOG asks for it, and the HTTP client a line per request.
    for chatty in ("anthropic", "httpx2", "httpcore2", "aiohttp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        settings = Settings()
        settings.pilot_run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        app = create_app(settings)
    except ValidationError as error:
        refuse(explain(error))
    except BadSettingError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"PILOT_RUN_DIR: the directory cannot be made ({error.strerror}). Name one that this user may write to.")
    # What was imported stays for good: the garbage collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    # uvicorn raises the signal that stopped it once more, before it removes its socket: make that a clean exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    path = settings.pilot_run_dir / "claude.sock"
    config = uvicorn.Config(
        app,
        uds=str(path),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,  # longer than nginx keeps an idle connection, so that it is never us who hang up first
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    try:
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it once more when all has ended
            Server(config).run()
    finally:
        path.unlink(missing_ok=True)


class Server(uvicorn.Server):
    """Keeps its socket to this user."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; uvicorn lets everybody in, whoever reaches the directory."""
        await super().startup(sockets)
        Path(str(self.config.uds)).chmod(0o600)  # noqa: ASYNC240  # a moment, and nobody is served yet


def refuse(sentence: str) -> NoReturn:
    """Say why this cannot start, and end with 2: another start without a change would end the same."""
    print(sentence, file=sys.stderr)  # noqa: T201  # the logger's form is not for people
    sys.exit(2)


if __name__ == "__main__":
    main()
