"""Which text may go out when."""

import pytest

from local_llm.engine.detokenizer import Detokenizer


@pytest.mark.parametrize(
    ("stops", "tokens", "shown", "stopped"),
    [
        ([], [b"Hel", b"lo"], ["Hel", "lo", ""], False),
        ([], [b" \n", b" Hi", b" there"], ["", "Hi", " there", ""], False),
        ([], [bytes([byte]) for byte in "é😀".encode()], ["", "é", "", "", "", "😀", ""], False),
        ([], [b"ok", "😀".encode()[:2]], ["ok", "", "�"], False),
        (["END"], [b"one E", b"N", b"D two"], ["one ", "", "", ""], True),
        (["END"], [b"one E", b"N", b"x"], ["one ", "", "ENx", ""], False),
        (["END"], [b"one E", b"N"], ["one ", "", "EN"], False),
        (["b", "ab"], [b"xab"], ["x", ""], True),
        (["\n\n"], [b"a\n", b"b\n", b"\n"], ["a", "\nb", "", ""], True),
        (["", "."], [b"a.b"], ["a", ""], True),
    ],
)
def test_pieces(stops: list[str], tokens: list[bytes], shown: list[str], stopped: bool) -> None:
    """Whole characters at once; nothing of a stop sequence ever; what was held back in vain comes later."""
    detokenizer = Detokenizer(stops)
    assert [*(detokenizer.feed(token) for token in tokens), detokenizer.finish()] == shown
    assert detokenizer.stopped is stopped


def test_a_continued_answer_keeps_its_leading_space() -> None:
    """In mid-sentence the space before the next word belongs to it."""
    assert Detokenizer(trim_start=False).feed(b" and") == " and"
