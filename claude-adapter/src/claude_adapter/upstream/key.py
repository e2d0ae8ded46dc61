"""The API key: from the environment, or from a file that may change, appear or vanish while we run."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5


class ApiKey:
    """The current key. A key file that holds one wins over the environment's key.

    `value` is None without a usable key; `problem` then says why, without quoting it. `on_change()` is called by
    `watch()` whenever the key has changed.
    """

    def __init__(self, from_environment: str | None, file: Path | None, on_change: Callable[[], None]) -> None:
        self._from_environment = from_environment
        self._file = file
        self._on_change = on_change
        self._seen = self._stat()
        self.value: str | None = None
        self.problem: str | None = None
        self._read()

    async def watch(self) -> None:
        """Poll the file until cancelled. Polling also sees what inotify misses: replaced mounts and Docker secrets."""
        while self._file is not None:
            await asyncio.sleep(_POLL_SECONDS)
            if (seen := self._stat()) == self._seen:
                continue
            self._seen = seen
            before = self.value, self.problem
            self._read()
            if (self.value, self.problem) != before:
                _log.info("the API key changed: %s", self.problem or "a key is there")
                try:
                    self._on_change()
                except Exception as error:  # noqa: BLE001  # the next key must be seen too
                    _log.error("the changed API key could not be taken into use: %s", type(error).__name__)

    def _stat(self) -> tuple[int, int, int] | None:
        if self._file is None:
            return None
        try:
            stat = self._file.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read(self) -> None:
        key, problem = self._from_environment or "", "No API key: set ANTHROPIC_API_KEY or ANTHROPIC_API_KEY_FILE."
        if self._file is not None:
            try:
                in_file = self._file.read_text(encoding="utf-8").strip()
                problem = f"No API key: the file {self._file} is empty."
            except (OSError, UnicodeDecodeError) as error:
                in_file = ""
                problem = f"No API key: {self._file} cannot be read ({type(error).__name__})."
            key = in_file or key
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            key, problem = "", "The API key has a space, line break or odd character in it: copy it again."
        self.value = key or None
        self.problem = None if key else problem
