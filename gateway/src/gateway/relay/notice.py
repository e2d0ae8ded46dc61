"""What is added to an answer of the local model's, so that the person and the next model know who wrote it. Pure.

The first one in an outage begins with the notice, each later one ends with the mark. Nothing is kept between requests:
whether it is the first is read from the conversation itself (see conversation.py).
"""

from dataclasses import dataclass
from typing import Literal

from gateway.relay.conversation import ConversationReader

Policy = Literal["transition", "always", "never"]
Addition = Literal["notice", "mark"]


@dataclass(frozen=True)
class Wording:
    """What is said with local answers. `mark`: empty for none; `label`: whether Claude is told which those are."""

    notice: str
    mark: str
    policy: Policy
    label: bool
    reader: ConversationReader

    def addition(self, *, told: bool) -> Addition | None:
        """What a local answer gets; `told`: the answer before it was the local model's too, and shows it."""
        if self.policy == "always" or (self.policy == "transition" and not told):
            return "notice"
        return "mark" if self.mark else None
