"""When could each part not be used? The soak's own account, by which it judges who may be refused."""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from chaos.exchange import Exchange
from stack import Stack

# How long a strike may still be felt after its end: /status is up to a second old, nginx's look at the gateway too.
AFTERMATH_SECONDS = 3.0


@dataclass
class Outage:
    """From `began` to `ended` (None: still on), in seconds of the monotonic clock."""

    began: float
    ended: float | None = None


class Outages:
    """Those of `claude`, `local`, `gateway` and `nginx`. Strikes open them; a good sign afterwards closes them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self._all: dict[str, list[Outage]] = defaultdict(list)
        self._held: dict[str, int] = defaultdict(int)
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def begin(self, part: str) -> None:
        """A strike: until `end`, and until the part is seen well after that, it may be unusable."""
        with self._lock:
            self._held[part] += 1
            self._open(part)

    def end(self, part: str) -> None:
        """The strike is over."""
        with self._lock:
            self._held[part] -= 1
            self._open(part)

    def during(self, part: str, exchange: Exchange) -> bool:
        """Whether the part may have been unusable at any time of this exchange."""
        with self._lock:
            return any(
                outage.began <= exchange.ended
                and (outage.ended is None or outage.ended + AFTERMATH_SECONDS >= exchange.began)
                for outage in self._all[part]
            )

    def latest_ends(self, exchange: Exchange) -> str:
        """How long before the exchange each part was well again, for who wonders whether it still felt that."""
        with self._lock:
            ends = {
                part: max((each.ended for each in outages if each.ended and each.ended < exchange.began), default=None)
                for part, outages in self._all.items()
            }
        return ", ".join(f"{part} {exchange.began - end:.1f} s" for part, end in ends.items() if end is not None)

    def still_on(self) -> list[str]:
        """The parts that are not well again."""
        with self._lock:
            return [part for part, outages in self._all.items() if outages and outages[-1].ended is None]

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._watcher.join()

    def _open(self, part: str) -> None:
        outages = self._all[part]
        if not outages or outages[-1].ended is not None:
            outages.append(Outage(time.monotonic()))

    def _watch(self) -> None:
        rooms = {"local": "local.sock", "gateway": "gateway.sock", "nginx": "session.sock"}
        while not self._stop.wait(0.1):
            for part in ("claude", *rooms):
                asked = time.monotonic()
                if part == "claude":
                    well = self._stack.adapter_state() == "closed"
                else:
                    path, well_status = ("/1", 303) if part == "nginx" else ("/healthz", 200)
                    well = self._stack.ask_room(rooms[part], path)[0] == well_status
                with self._lock:
                    if not well:
                        self._open(part)
                    elif not self._held[part] and self._all[part] and self._all[part][-1].began < asked:
                        self._all[part][-1].ended = self._all[part][-1].ended or time.monotonic()
