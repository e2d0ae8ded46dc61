"""What happened: recent requests, bounded in number and bytes, and counts."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from multidict import CIMultiDictProxy

KEPT_REQUESTS = 500
KEPT_BODY_BYTES = 64 * 1024 * 1024
_KEY_HEADERS = ("authorization", "x-api-key")


@dataclass(slots=True)
class Record:
    """One request. `status` stays None while no answer was begun; `outcome` is running, answered, cut or left."""

    request_id: str
    time: float
    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes = b""
    status: int | None = None
    outcome: str = "running"

    def shown(self) -> dict[str, Any]:
        """As JSON, keys reduced to their last 4 characters. A body that is not JSON is given as text."""
        try:
            body = orjson.loads(self.body) if self.body else None
        except orjson.JSONDecodeError:
            body = self.body.decode("utf-8", "replace")
        return {
            "request_id": self.request_id,
            "time": self.time,
            "method": self.method,
            "path": self.path,
            "headers": {
                name.lower(): f"...{value[-4:]}" if name.lower() in _KEY_HEADERS else value
                for name, value in self.headers.items()
            },
            "body": body,
            "body_sha256": sha256(self.body).hexdigest(),
            "status": self.status,
            "outcome": self.outcome,
        }


@dataclass(slots=True)
class Journal:
    """Counts since the start; `DELETE /requests` forgets the requests, not the counts."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    connections_accepted: int = 0
    requests_in_flight: int = 0
    requests_aborted_by_client: int = 0
    streams_open: int = 0
    streams_completed: int = 0
    streams_aborted_by_client: int = 0
    streams_cut: int = 0
    events_written: int = 0
    tokens_written: int = 0
    _records: deque[Record] = field(default_factory=deque)
    _body_bytes: int = 0

    def add(self, record: Record) -> None:
        self._records.append(record)
        if len(self._records) > KEPT_REQUESTS:
            self._forget_oldest()

    def keep_body(self, record: Record, body: bytes) -> None:
        record.body = body
        self._body_bytes += len(body)
        while self._body_bytes > KEPT_BODY_BYTES and len(self._records) > 1:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        record = self._records.popleft()
        self._body_bytes -= len(record.body)
        record.body = b""

    def clear(self) -> None:
        self._records.clear()
        self._body_bytes = 0

    def shown_requests(self) -> list[dict[str, Any]]:
        return [record.shown() for record in self._records]

    def shown_counts(self) -> dict[str, Any]:
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "connections_accepted": self.connections_accepted,
            "requests_in_flight": self.requests_in_flight,
            "requests_aborted_by_client": self.requests_aborted_by_client,
            "streams_open": self.streams_open,
            "streams_completed": self.streams_completed,
            "streams_aborted_by_client": self.streams_aborted_by_client,
            "streams_cut": self.streams_cut,
            "events_written": self.events_written,
            "tokens_written": self.tokens_written,
        }
