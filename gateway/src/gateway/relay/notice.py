"""The notice: when a person is told that the smaller brain is answering, and how past notices are taken out again.

Pure decisions; the only state is which conversations have had it, kept in memory and bounded.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import Any, Literal

import orjson

Json = dict[str, Any]
Policy = Literal["transition", "always", "never"]
Fingerprint = bytes


# Claude Code's first system block, which changes from turn to turn.
_ATTRIBUTION = "x-anthropic-billing-header:"


def fingerprint(body: Json) -> Fingerprint:
    """What stays the same through a conversation, in any dialect: system prompt and first user message.

    Only their words: clients move cache marks from turn to turn, and a string becomes a list of one part for them.
    """
    messages = body["messages"]
    opening = [_words(body.get("system"))]
    opening += [_words(m.get("content")) for m in messages if m["role"] in ("system", "developer")]
    opening.append(next((_words(m.get("content")) for m in messages if m["role"] == "user"), None))
    return blake2b(orjson.dumps(opening), digest_size=16).digest()


def _words(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str) and not text.startswith(_ATTRIBUTION))


class Conversations:
    """Which conversations know that the smaller brain is answering them. The oldest are forgotten first."""

    def __init__(self, policy: Policy, limit: int = 4096) -> None:
        self.policy = policy
        self._limit = limit
        self._notified: OrderedDict[Fingerprint, None] = OrderedDict()

    def answered_by_claude(self, body: Json) -> None:
        """The next degraded answer of this conversation is a change again."""
        if self._notified:  # fingerprinting costs; in good times there is nothing to forget
            self._notified.pop(fingerprint(body), None)

    def tell(self, body: Json) -> bool:
        """Whether the degraded answer now beginning starts with the notice; remembers that it did."""
        if self.policy != "transition":
            return self.policy == "always"
        conversation = fingerprint(body)
        known = conversation in self._notified
        self._notified[conversation] = None
        self._notified.move_to_end(conversation)
        if len(self._notified) > self._limit:
            self._notified.popitem(last=False)
        return not known


def strip_notices(messages: list[Json], notices: tuple[str, ...]) -> list[Json] | None:
    """The messages without the notices that earlier answers carried, or None when there are none.

    Only assistant messages are searched: a person may quote the notice. A message that was nothing but a notice is
    dropped, because Claude refuses empty ones.
    """
    stripped: list[Json] = []
    changed = False
    for message in messages:
        if message["role"] != "assistant":
            stripped.append(message)
            continue
        content = _strip_content(message.get("content"), notices)
        if content == message.get("content"):
            stripped.append(message)
            continue
        changed = True
        if content:
            stripped.append({**message, "content": content})
        elif message.get("tool_calls"):
            stripped.append({**message, "content": None})
    return stripped if changed else None


def _strip_content(content: Any, notices: tuple[str, ...]) -> Any:
    if isinstance(content, str):
        return _strip_text(content, notices)
    if isinstance(content, list):
        parts = [
            {**part, "text": _strip_text(part["text"], notices)} if part.get("type") == "text" else part
            for part in content
        ]
        return [part for part in parts if part.get("type") != "text" or part["text"]]
    return content


def _strip_text(text: str, notices: tuple[str, ...]) -> str:
    for notice in notices:
        if notice in text:
            text = text.replace(f"{notice}\n\n", "").replace(notice, "")
    return text
