"""The last 24 hours: who was on in each minute, who answered, and the latest changes.

In memory first, and in a small SQLite file behind it, so that a full or missing disk takes away nothing but the memory
of an earlier process. Bounded: a day of minutes and one row per kind of change.
"""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.metrics import BACKENDS
from gateway.status.traffic import COLUMNS as TRAFFIC_COLUMNS

_log = logging.getLogger(__name__)

DAY_SECONDS = 86_400
SLOT_SECONDS = 900
SLOTS = DAY_SECONDS // SLOT_SECONDS
# A gateway that was away longer does not know what happened meanwhile.
RECALL_SECONDS = 180
# Shorter than this, nobody in a slot is a restart; a fallback shows when it lasted a second.
_WORST_SECONDS = (("none", 10.0), ("local", 1.0), ("claude", 0.0))

COLUMNS = (*(f"{backend}_seconds" for backend in BACKENDS), *TRAFFIC_COLUMNS)
KINDS = ("current", "failover", "failback")


@dataclass(frozen=True)
class Event:
    """Something that happened once. `at` is Unix seconds."""

    at: float
    backend: str
    reason: str | None


class History:
    """Minutes and events; `kept` says whether they outlive this process."""

    def __init__(self, file: Path) -> None:
        self.kept: Literal["disk", "memory"] = "memory"
        self.minutes: dict[int, dict[str, float]] = {}
        self.events: dict[str, Event] = {}
        self._file = file
        self._unsaved: set[int] = set()
        self._last_totals: Mapping[str, float] = {}
        self._writing = asyncio.Lock()
        self._load()

    def recent(self, now: float) -> bool:
        """Whether the last minute on record is so young that what was current then still counts."""
        return bool(self.minutes) and now - (max(self.minutes) + 60) < RECALL_SECONDS

    def note(self, now: float, seconds: float, active: str, totals: Mapping[str, float]) -> bool:
        """`active` was on for `seconds` until `now`, and the traffic has reached `totals`. True in a new minute."""
        at = int(now // 60 * 60)
        new = at not in self.minutes
        minute = self.minutes.setdefault(at, dict.fromkeys(COLUMNS, 0.0))
        minute[f"{active}_seconds"] = min(60.0, minute[f"{active}_seconds"] + seconds)
        for column, total in totals.items():
            minute[column] += max(0.0, total - self._last_totals.get(column, 0.0))
        self._last_totals = dict(totals)
        self._unsaved.add(at)
        for old in [old for old in self.minutes if old <= at - DAY_SECONDS or old > at]:  # a clock may be set back
            del self.minutes[old]
            self._unsaved.discard(old)
        return new

    def note_event(self, kind: str, event: Event | None) -> bool:
        """The latest event of a kind; True when it is another one than before."""
        if event is None or self.events.get(kind) == event:
            return False
        self.events[kind] = event
        return True

    def slots(self, now: float) -> list[str | None]:
        """The worst of who was on in each quarter of an hour of the day until now, oldest first; None: not known."""
        first = int(now // SLOT_SECONDS) - SLOTS + 1
        sums: list[dict[str, float]] = [dict.fromkeys(BACKENDS, 0.0) for _ in range(SLOTS)]
        for at, minute in self.minutes.items():
            slot = at // SLOT_SECONDS - first
            if 0 <= slot < SLOTS:
                for backend in BACKENDS:
                    sums[slot][backend] += minute[f"{backend}_seconds"]
        return [
            next((backend for backend, least in _WORST_SECONDS if total[backend] > least), _most(total))
            for total in sums
        ]

    def sum(self, column: str) -> float:
        """A column's sum over the day."""
        return sum(minute[column] for minute in self.minutes.values())

    async def save(self) -> None:
        """Write what is new; a disk that cannot take it is tried again with everything at the next call."""
        async with self._writing:
            unsaved, self._unsaved = self._unsaved, set()
            rows = [(at, *(self.minutes[at][column] for column in COLUMNS)) for at in unsaved if at in self.minutes]
            events = [(kind, event.at, event.backend, event.reason) for kind, event in self.events.items()]
            try:
                await asyncio.to_thread(self._write, rows, events)
            except (sqlite3.Error, OSError) as error:
                self._unsaved |= set(self.minutes)
                if self.kept == "disk":
                    _log.warning("The history cannot be written to %s and is in memory only: %s", self._file, error)
                self.kept = "memory"
            else:
                self.kept = "disk"

    def _load(self) -> None:
        try:
            self._read()
        except sqlite3.DatabaseError as error:
            _log.warning("The history in %s cannot be read (%s); a new one is begun.", self._file, error)
            try:
                self._file.replace(self._file.with_suffix(".broken"))
                self._read()
            except (sqlite3.Error, OSError) as again:
                _log.warning("The history is in memory only: %s", again)
        except OSError as error:
            _log.warning("The history is in memory only, for want of %s: %s", self._file.parent, error)

    def _read(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(self._open()) as database:
            now = int(time.time())
            names = ", ".join(COLUMNS)
            query = f"SELECT at, {names} FROM minutes WHERE at > ? AND at <= ? AND at % 60 = 0"  # noqa: S608  # our own names
            odd = 0
            for at, *figures in database.execute(query, (now - DAY_SECONDS, now + DAY_SECONDS)):
                if all(_is_figure(figure) for figure in figures):
                    self.minutes[at] = dict(zip(COLUMNS, figures, strict=True))
                else:
                    odd += 1
            for kind, *event in database.execute("SELECT kind, at, backend, reason FROM events"):
                if kind in KINDS and (known := _event(*event, now=now)):
                    self.events[kind] = known
                else:
                    odd += 1
            if odd:
                _log.warning("The history in %s has %d odd rows, which are left out.", self._file, odd)
        self.kept = "disk"

    def _write(self, rows: list[tuple[float, ...]], events: list[tuple[str, float, str, str | None]]) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(self._open()) as database, database:
            names, places = ", ".join(COLUMNS), ", ".join("?" * (len(COLUMNS) + 1))
            database.executemany(f"REPLACE INTO minutes (at, {names}) VALUES ({places})", rows)  # noqa: S608  # our own names
            database.executemany("REPLACE INTO events VALUES (?, ?, ?, ?)", events)
            database.execute("DELETE FROM minutes WHERE at <= ?", (int(time.time()) - DAY_SECONDS,))

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._file, timeout=2)
        try:
            columns = ", ".join(f"{column} REAL NOT NULL" for column in COLUMNS)
            with database:
                database.execute(f"CREATE TABLE IF NOT EXISTS minutes (at INTEGER PRIMARY KEY, {columns})")
                known = {row[1] for row in database.execute("PRAGMA table_info(minutes)")}
                for column in COLUMNS:
                    if column not in known:  # a file of an earlier version
                        database.execute(f"ALTER TABLE minutes ADD COLUMN {column} REAL NOT NULL DEFAULT 0")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS events (kind TEXT PRIMARY KEY, at REAL, backend TEXT, reason TEXT)"
                )
        except BaseException:
            database.close()
            raise
        return database


def _is_figure(value: object) -> bool:
    # SQLite keeps whatever it is given in any column.
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _event(at: object, backend: object, reason: object, *, now: int) -> Event | None:
    if not isinstance(at, int | float) or not 0 <= at <= now + DAY_SECONDS:  # a clock may have been set back
        return None
    if backend not in BACKENDS or not isinstance(reason, str | None):
        return None
    return Event(at, str(backend), reason)


def _most(total: Mapping[str, float]) -> str | None:
    backend = max(total, key=lambda name: total[name])
    return backend if total[backend] else None
