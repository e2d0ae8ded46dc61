"""That Claude did not answer a request, as an exception."""

from dataclasses import dataclass

from claude_adapter.taxonomy import Verdict


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer of Claude's that is an error, as it came. `headers` are raw pairs."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class UpstreamError(Exception):
    """Claude did not answer, or stopped answering; `verdict` says whose fault it is, `refused` what came if anything.

    `event` is the `error` event's bytes when Claude said so inside a stream.
    """

    def __init__(self, verdict: Verdict, refused: Refused | None = None, event: bytes = b"") -> None:
        super().__init__(str(verdict))
        self.verdict = verdict
        self.refused = refused
        self.event = event
