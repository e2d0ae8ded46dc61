"""Who asks, for Anthropic's eyes: `metadata.user_id`. Pure."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

_LIMIT_CHARACTERS = 256
# Anthropic refuses an e-mail address or a phone number here, and asks for an opaque id: BerriAI/litellm#10106 and
# https://docs.claude.com/en/api/messages (`metadata.user_id`).
_OPAQUE = re.compile(r"(?=.*[a-zA-Z])[a-zA-Z0-9_-]+")
_SHORT_NUMBER = re.compile(r"[0-9]{1,5}")


def user_id(request: Mapping[str, Any]) -> str | None:
    """OpenAI's `user`, or `safety_identifier` as it is called now: as it is when it is opaque, else its digest."""
    for name in ("user", "safety_identifier"):
        user = request.get(name)
        if isinstance(user, str) and user.strip():
            return _opaque(user)
    return None


def _opaque(user: str) -> str:
    if len(user) <= _LIMIT_CHARACTERS and (_OPAQUE.fullmatch(user) or _SHORT_NUMBER.fullmatch(user)):
        return user
    return hashlib.sha256(user.encode()).hexdigest()
