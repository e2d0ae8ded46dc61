"""Run the gateway on its Unix socket: `python -m gateway`."""

import uvicorn

from gateway.app import create_app
from gateway.settings import Settings


def main() -> None:
    """Serve until SIGTERM, then let running answers finish."""
    settings = Settings()
    uvicorn.run(
        create_app(settings),
        uds=str(settings.pilot_run_dir / "gateway.sock"),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,  # longer than nginx keeps idle connections
        timeout_graceful_shutdown=25,
    )


if __name__ == "__main__":
    main()
