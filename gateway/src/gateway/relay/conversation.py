"""The conversation as the backends are to see it, and which of its answers the local model wrote. Pure.

A local answer shows it by the notice, the rescue line or the mark (see notice.py). Clients trim answers and wrap their
lines anew, so white space does not count.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# Behind the notice: the blank line that it came with, or what a client has made of it.
_PARAGRAPH_END = r"(?:(?:[ \t\r]*\n){1,2}|\s?)"
_ONE_SPACE = r"(?:\r?\n|\s)?"
_TAIL_CHARACTERS = 256  # a mark has 40 at most, and white space around it
_EMOJI_STYLE = "\ufe0f"  # some clients ask with it for the coloured form of a sign


@dataclass(frozen=True)
class Conversation:
    """`local_answers`: indices into `messages`. `told`: the last answer with words shows that it is a local one."""

    messages: list[Json]
    changed: bool
    local_answers: list[int]
    told: bool


class ConversationReader:
    """Knows the words by which local answers are recognised: those of now, and those that old histories may hold."""

    def __init__(self, notices: Iterable[str], rescue_line: str, marks: Iterable[str]) -> None:
        patterns = {notice: _pattern(notice, "", _PARAGRAPH_END) for notice in sorted(notices, key=len, reverse=True)}
        patterns[rescue_line] = _pattern(rescue_line, _ONE_SPACE, _ONE_SPACE)  # so that the sentence closes again
        # The longest word of each, looked for first, spares most texts the pattern.
        self._sentences = [(max(words, key=len), pattern) for s, pattern in patterns.items() if (words := s.split())]
        self._words = tuple({word for word, _ in self._sentences})
        self._plain_marks = tuple({mark.removesuffix(_EMOJI_STYLE) for mark in marks if mark})
        self._marks = tuple(mark + style for mark in self._plain_marks for style in ("", _EMOJI_STYLE))

    def read(self, messages: list[Json]) -> Conversation:
        """The messages without what was added to local answers.

        Only assistant messages are searched: a person may quote the notice. One that was nothing but a notice is
        dropped, because Claude refuses empty ones.
        """
        kept: list[Json] = []
        local_answers: list[int] = []
        changed = told = False
        for message in messages:
            if message["role"] != "assistant":
                kept.append(message)
                continue
            content = message.get("content")
            clean = content if isinstance(content, str) and self._is_plain(content) else self._clean(content)
            found = clean != content
            if _has_words(content):
                told = found
            if not found:
                kept.append(message)
                continue
            changed = True
            if clean:
                local_answers.append(len(kept))
                kept.append({**message, "content": clean})
            elif message.get("tool_calls"):
                local_answers.append(len(kept))
                kept.append({**message, "content": None})
        return Conversation(kept, changed, local_answers, told)

    def _is_plain(self, text: str) -> bool:
        """Whether nothing can have been added, at the cost of a search: most texts of most requests."""
        for word in self._words:  # loops: a generator for each text costs three times as much
            if word in text:
                return False
        tail = text[-_TAIL_CHARACTERS:]
        for mark in self._plain_marks:  # noqa: SIM110  # as above
            if mark in tail:
                return False
        return True

    def _clean(self, content: Any) -> Any:
        if isinstance(content, str):
            return self._clean_text(content)
        if not isinstance(content, list):
            return content
        cleaned = []
        for part in content:
            if part.get("type") == "text":
                text = self._clean_text(part["text"])
                if text != part["text"]:
                    if text:
                        cleaned.append({**part, "text": text})
                    continue
            cleaned.append(part)
        return cleaned

    def _clean_text(self, text: str) -> str:
        cleaned = text
        for word, pattern in self._sentences:
            if word in cleaned:
                cleaned = pattern.sub("", cleaned)
        cleaned = self._without_mark(cleaned)
        return cleaned if cleaned is text or cleaned.strip() else ""

    def _without_mark(self, text: str) -> str:
        trimmed = text.rstrip()
        if trimmed.endswith(self._marks):
            mark = max((mark for mark in self._marks if trimmed.endswith(mark)), key=len)
            before = trimmed.removesuffix(mark)
            if not before or before[-1].isspace():
                return before.rstrip()
        return text


def _pattern(sentence: str, before: str, behind: str) -> re.Pattern[str]:
    return re.compile(before + r"\s+".join(map(re.escape, sentence.split())) + behind)


def _has_words(content: Any) -> bool:
    if isinstance(content, list):
        return any(part.get("type") == "text" and part["text"].strip() for part in content)
    return isinstance(content, str) and content != "" and not content.isspace()
