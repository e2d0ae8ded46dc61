"""Whether the answer that runs gets on: llama.cpp, a grammar or a driver may never come back to Python.

Nothing in this process can end such a call, and every other request waits behind it. So the process ends itself, and
whoever started it (supervisor, the engine) starts it again.
"""

from __future__ import annotations

import logging
import os
import threading

NOT_READY_SECONDS = 10.0
END_SECONDS = 20.0
END_SECONDS_WHEN_STOPPING = 5.0
LOOK_SECONDS = 0.5

_log = logging.getLogger(__name__)


class Progress:
    """Signs of work, given by the thread that makes the answers: one at a time, whatever the model."""

    def __init__(self) -> None:
        self.signs = 0
        self.running = False

    def begin(self) -> None:
        """An answer begins."""
        self.running = True
        self.signs += 1

    def sign(self) -> None:
        """A token has come, or a part of the prompt has been read."""
        self.signs += 1

    def end(self) -> None:
        """It is over, however it went."""
        self.running = False


class StallWatch:
    """Looks at the progress from a thread of its own, and ends the process when there has been none for too long.

    The silence is counted in looks and not by a clock: a process that was frozen (SIGSTOP, a suspended machine) has
    not stalled.
    """

    def __init__(self, progress: Progress) -> None:
        self.stopping = False
        self._progress = progress
        self._seen = -1
        self._looks = 0

    @property
    def stalled(self) -> bool:
        """Whether who comes now would wait in vain."""
        return self._looks * LOOK_SECONDS >= NOT_READY_SECONDS

    def start(self) -> None:
        """Watch until the process ends."""
        threading.Thread(target=self._run, name="stall-watch", daemon=True).start()

    def look(self) -> bool:
        """Look once; whether it is time to end."""
        signs = self._progress.signs
        self._looks = self._looks + 1 if self._progress.running and signs == self._seen else 0
        self._seen = signs
        limit = END_SECONDS_WHEN_STOPPING if self.stopping else END_SECONDS
        return self._looks * LOOK_SECONDS >= limit

    def _run(self) -> None:
        pause = threading.Event()
        while not self.look():
            pause.wait(LOOK_SECONDS)
        silent_seconds = self._looks * LOOK_SECONDS
        _log.error("the model has not got on for %g s: local-llm ends itself, to be started again.", silent_seconds)
        logging.shutdown()
        os._exit(1)  # a usual exit would wait for the very thread that does not come back
