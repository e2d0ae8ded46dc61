"""What the logs say since this start: which service cannot start, and in its own words why."""

import re
from collections import Counter
from pathlib import Path

BAD_SETTING = "exit status 2"  # a service's own refusal: its last line is a sentence for the person
# As in "… WARN exited: gateway (terminated by SIGKILL; not expected)".
_DEATH = re.compile(r"exited: (\S+) \(([^;]+);")


class ServiceLogs:
    """The logs of one run directory, read from where they end when this is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends = {log.name: log.stat().st_size for log in folder.glob("*.log")}

    def cannot_start(self) -> str | None:
        """Why the start has failed, in one sentence; None while it has not.

        A service that refuses its settings has failed at once; any other death is a failure the second time.
        """
        deaths = _DEATH.findall(self._since_start("supervisord"))
        for number, (service, how) in enumerate(deaths):
            if how == BAD_SETTING:
                return self.last_line(service) or f"{service} refuses its settings, and does not say which."
            if Counter(name for name, _ in deaths[: number + 1])[service] > 1:
                why = self.last_line(service) or f"{how}, without a word"
                return f"{service} cannot start: {why.rstrip('.')}. Its log is {self._folder / service}.log."
        return None

    def last_line(self, service: str) -> str:
        """What the service has said last since this start; empty when it has said nothing."""
        lines = [line for line in self._since_start(service).splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    def _since_start(self, service: str) -> str:
        log = self._folder / f"{service}.log"
        end = self._ends.get(log.name, 0)
        try:
            with log.open("rb") as file:
                file.seek(end if log.stat().st_size >= end else 0)  # it may have been rotated
                return file.read().decode(errors="replace")
        except OSError:
            return ""
