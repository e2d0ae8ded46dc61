"""`python -m fake_anthropic --port P --control-port C`: starts both listeners and runs until told to end."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

if not __package__:  # `python tests/fake_anthropic`: the folder itself is on the path instead of the one it lies in
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import uvloop
from aiohttp import web

from fake_anthropic.control import control_app
from fake_anthropic.script import DEFAULT
from fake_anthropic.server import FakeApi


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake_anthropic", description="A stand-in for the Anthropic API.")
    parser.add_argument("--host", default="127.0.0.1", help="address of both listeners (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="the API's port; 0 = any")
    parser.add_argument("--control-port", type=int, default=0, help="the control port; 0 = any")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input closes")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if arguments.end_with_stdin:
        # A pipe that our starter holds: when it is killed, even with -9, nothing is left running.
        loop.add_reader(0, lambda: None if os.read(0, 4096) else ended.set())

    api = FakeApi(arguments.host, arguments.port)
    await api.set_script(DEFAULT)
    runner = web.AppRunner(control_app(api), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, arguments.host, arguments.control_port, shutdown_timeout=0.1).start()
        control_port = runner.addresses[0][1]
        print(f"fake_anthropic listening api={api.listener.port} control={control_port}", flush=True)
        await ended.wait()
    finally:
        if arguments.end_with_stdin:
            loop.remove_reader(0)
        await api.listener.close()
        await runner.cleanup()


def main() -> int:
    """Runs until SIGTERM, SIGINT or, when asked for, the end of standard input."""
    arguments = _arguments()
    try:
        uvloop.run(_run(arguments))
    except OSError as error:
        print(f"fake_anthropic cannot listen on {arguments.host}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
