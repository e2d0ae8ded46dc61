"""Why a recent request was not answered by Claude.

nginx drops the 503 and its headers when it moves on to the backup, so the gateway asks here afterwards.
"""

from collections import OrderedDict

_MOST_REQUESTS = 1024
_LONGEST_ID = 128


class RecentReasons:
    """Request id → reason, for the last 1024 failures."""

    def __init__(self) -> None:
        self._reasons: OrderedDict[str, str] = OrderedDict()

    def record(self, request_id: str, reason: str) -> None:
        """Remember `reason`; a request without an id, or with an absurd one, is not remembered."""
        if not request_id or len(request_id) > _LONGEST_ID:
            return
        self._reasons[request_id] = reason
        if len(self._reasons) > _MOST_REQUESTS:
            self._reasons.popitem(last=False)

    def get(self, request_id: str) -> str | None:
        """The reason, or None when there was no failure or it is long ago."""
        return self._reasons.get(request_id)
