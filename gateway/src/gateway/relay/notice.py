"""What is added to an answer of the local model's, so that the person and the next model know who wrote it. Pure.

The first one in an outage begins with the notice, each later one ends with the mark. Nothing is kept between requests:
whether it is the first is read from the conversation itself (see conversation.py).
"""

from typing import Literal

Policy = Literal["transition", "always", "never"]
Addition = Literal["notice", "mark"]


def addition(policy: Policy, mark: str, *, told: bool) -> Addition | None:
    """What a local answer gets; `told`: the answer before it was the local model's too, and shows it."""
    if policy == "always" or (policy == "transition" and not told):
        return "notice"
    return "mark" if mark else None
