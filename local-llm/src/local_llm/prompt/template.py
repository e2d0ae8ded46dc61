"""Messages to prompt tokens, by the chat template that the weights carry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import llama_cpp
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from local_llm.prompt.flatten import Message

_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_NO_TOKEN = -1


class Template:
    """Renders and counts. Reads only the vocabulary, which does not change: safe beside a running generation."""

    def __init__(self, llama: llama_cpp.Llama, marks: Iterable[str] = ()) -> None:
        """`marks` are role marks that the vocabulary does not know as control tokens."""
        self._llama = llama
        self._vocabulary: Any = llama._model.vocab  # no public way to the vocabulary's attributes
        self._bos = self._text_of(llama.token_bos())
        self._formatter = Jinja2ChatFormatter(
            template=llama.metadata.get("tokenizer.chat_template", _CHATML),
            eos_token=self._text_of(llama.token_eos()),
            bos_token=self._bos,
        )
        controls = sorted({*self._control_texts(), *marks}, key=len, reverse=True)
        self._controls = re.compile("|".join(map(re.escape, controls)) or r"(?!)")
        self._knows_system = self._renders_system()
        self.message_overhead_tokens = self._message_overhead_tokens()

    def tokens(self, messages: Iterable[Message], partial: str = "") -> list[int]:
        """The whole prompt, up to where the assistant speaks; `partial` is an answer to be gone on with."""
        text = self._rendered(messages if self._knows_system else _without_system(messages)) + self._disarm(partial)
        return self._llama.tokenize(
            text.encode(),
            add_bos=not (self._bos and text.startswith(self._bos)),  # some templates write it themselves
            special=True,
        )

    def _rendered(self, messages: Iterable[Message]) -> str:
        """The template's text. Raises what the template raises."""
        return self._formatter(
            messages=cast(Any, [{"role": m.role, "content": self._disarm(m.text)} for m in messages])
        ).prompt

    def _renders_system(self) -> bool:
        # Phi-3's leaves a system message out without a word; others refuse it.
        try:
            return "persona" in self._rendered([Message("system", "persona"), Message("user", "x")])
        except Exception:  # noqa: BLE001  # a template raises what it likes
            return False

    def count(self, text: str) -> int:
        """Tokens in a text, without any around it."""
        return len(self._llama.tokenize(text.encode(), add_bos=False, special=False))

    def _disarm(self, text: str) -> str:
        # A web page in a tool result must not be able to close its message and speak as the system.
        return self._controls.sub(lambda match: "< " + match[0][1:], text) if "<" in text else text

    def _control_texts(self) -> Iterable[str]:
        for token in range(self._llama.n_vocab()):
            if llama_cpp.llama_vocab_get_attr(self._vocabulary, token) & llama_cpp.LLAMA_TOKEN_ATTR_CONTROL:
                text = self._text_of(token)
                if text.startswith("<"):
                    yield text

    def _text_of(self, token: int) -> str:
        if token == _NO_TOKEN:
            return ""
        return cast(bytes, llama_cpp.llama_vocab_get_text(self._vocabulary, token)).decode(errors="replace")

    def _message_overhead_tokens(self) -> int:
        one = [Message("system", "x"), Message("user", "x")]
        three = [*one, Message("assistant", "x"), Message("user", "x")]
        return -(-(len(self.tokens(three)) - len(self.tokens(one))) // 2)


def _without_system(messages: Iterable[Message]) -> list[Message]:
    """The system text at the beginning of the first thing the user says."""
    system, *said = messages
    if system.role != "system":
        return [system, *said]
    if not said or said[0].role != "user":
        return [Message("user", system.text), *said]
    return [Message("user", f"{system.text}\n\n{said[0].text}"), *said[1:]]
