"""Something that goes wrong again and again, in two lines of the log: when it begins, and when it is over."""

import logging


class Incident:
    """`over` is the sentence for its end."""

    def __init__(self, log: logging.Logger, over: str) -> None:
        self._log = log
        self._over = over
        self._on = False

    def begin(self, sentence: str) -> None:
        """It goes wrong; said once until it is over."""
        if not self._on:
            self._log.warning("%s", sentence)
        self._on = True

    def end(self) -> None:
        """It goes well."""
        if self._on:
            self._log.warning("%s", self._over)
        self._on = False
