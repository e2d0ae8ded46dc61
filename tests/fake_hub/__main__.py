"""`python -m fake_hub --root FOLDER`: serves FOLDER/<owner>/<repository>/<file> as the hub does, while standard input
is open.

As on the hub, `/resolve/` answers with the file's size, sha256 and commit, and sends the reader on to where the bytes
are.
`POST /fault` takes a JSON object; what it does not name goes back to the good behaviour:

  cut_at          break the connection off after this byte of the file (for `cuts` downloads, then no more)
  cuts            how often, default 1
  corrupt_at      this byte of the file is another one
  bytes_per_second  throttle
  status          answer /resolve/ with this status
  ignore_range    send the whole file whatever was asked for
  plain           answer as an ordinary web server: no commit, no checksum
  sha256, size    name these instead of the file's own

`GET /log` is the list of requests, `{"method", "path", "range"}`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, BinaryIO

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_RANGE = re.compile(r"bytes=(\d+)-")
_BLOCK_BYTES = 64 << 10


class Hub(ThreadingHTTPServer):
    """The state that all requests share."""

    daemon_threads = True

    def __init__(self, root: Path, host: str, port: int, cdn: str) -> None:
        super().__init__((host, port), Handler)
        self.cdn = cdn
        self.root = root
        self.fault: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def cuts_now(self) -> int | None:
        """The byte to break off at, when this download is one of those to be cut."""
        with self.lock:
            if "cut_at" not in self.fault or self.fault.setdefault("cuts", 1) < 1:
                return None
            self.fault["cuts"] -= 1
            return int(self.fault["cut_at"])


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """The requests are in `/log`."""

    def do_HEAD(self) -> None:  # the base class's name
        """The metadata of a file."""
        self._note()
        self._resolve()

    def do_GET(self) -> None:  # the base class's name
        """A file, or the log."""
        if self.path == "/log":
            self._json(self.server.log)
            return
        self._note()
        if self.path.startswith("/cdn/"):
            self._send_file(self.server.root / self.path.removeprefix("/cdn/"))
        else:
            self._resolve()

    def do_POST(self) -> None:  # the base class's name
        """`/fault`: from now on."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.fault = json.loads(body)
        self.server.log.clear()
        self._json({})

    def _note(self) -> None:
        self.server.log.append({"method": self.command, "path": self.path, "range": self.headers.get("Range")})

    def _resolve(self) -> None:
        asked = _RESOLVE.fullmatch(self.path)
        fault = self.server.fault
        if asked is None or "status" in fault:
            self._refuse(fault.get("status", 404))
            return
        folder = self.server.root / asked["repository"]
        if not folder.is_dir():
            self._refuse(401, "RepoNotFound")  # the hub does not tell strangers which repositories exist
            return
        path = folder / asked["file"]
        if not path.is_file():
            self._refuse(404, "EntryNotFound")
            return
        if fault.get("plain"):
            self._head(200, {"Content-Length": str(path.stat().st_size)})
            return
        sha256 = fault.get("sha256") or hashlib.sha256(path.read_bytes()).hexdigest()
        self._head(
            302,
            {
                "Location": f"http://{self.server.cdn}:{self.server.server_port}/cdn/{path.relative_to(self.server.root)}",
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(fault.get("size") or path.stat().st_size),
                "Content-Length": "0",
            },
        )

    def _send_file(self, path: Path) -> None:
        fault, size = self.server.fault, path.stat().st_size
        asked = _RANGE.fullmatch(self.headers.get("Range") or "")
        start = int(asked[1]) if asked and not fault.get("ignore_range") else 0
        length = {"Content-Length": str(size - start)}
        self._head(
            206 if start else 200, length | ({"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {})
        )
        with path.open("rb") as file:
            file.seek(start)
            with contextlib.suppress(ConnectionError):  # the reader was killed
                self._send_from(file, start, self.server.cuts_now())

    def _send_from(self, file: BinaryIO, position: int, cut_at: int | None) -> None:
        fault = self.server.fault
        while block := bytearray(file.read(_BLOCK_BYTES)):
            corrupt_at = fault.get("corrupt_at", -1) - position
            if 0 <= corrupt_at < len(block):
                block[corrupt_at] ^= 0xFF
            if cut_at is not None and position + len(block) > cut_at:
                self.wfile.write(block[: max(0, cut_at - position)])
                self.close_connection = True
                self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 2))
                return
            self.wfile.write(block)
            position += len(block)
            if rate := fault.get("bytes_per_second"):
                time.sleep(len(block) / rate)

    def _refuse(self, status: int, code: str | None = None) -> None:
        self._head(status, {"Content-Length": "0"} | ({"X-Error-Code": code} if code else {}))

    def _json(self, data: Any) -> None:
        body = json.dumps(data).encode()
        self._head(200, {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def main() -> int:
    """Serve until standard input closes: when our starter dies, even by -9, nothing is left running."""
    parser = argparse.ArgumentParser(prog="fake_hub")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--cdn", default="localhost", help="our other name, where the bytes are")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    hub = Hub(arguments.root, arguments.host, arguments.port, arguments.cdn)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    print(f"fake_hub listening {hub.server_port}", flush=True)
    while os.read(0, 4096):
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
