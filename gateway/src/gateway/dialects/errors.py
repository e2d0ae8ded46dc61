"""An error as one answer to a client; each dialect has its own shape for it."""

from abc import ABC, abstractmethod


class ApiError(Exception, ABC):
    """What happened, what it means and what to do. `headers` go with the answer."""

    status: int
    message: str
    headers: dict[str, str]

    @abstractmethod
    def body_bytes(self, request_id: str = "") -> bytes:
        """The JSON body, also used as the data of an event in a stream."""
