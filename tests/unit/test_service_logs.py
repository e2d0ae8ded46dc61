"""What the logs say of a start that fails."""

from pathlib import Path

import pytest

from service_logs import ServiceLogs

ONCE = "2026-11-25 01:40:30,1 WARN exited: gateway (exit status 1; not expected)\n"
KILLED = "2026-11-25 01:40:31,2 WARN exited: gateway (terminated by SIGKILL (core dumped); not expected)\n"
ANOTHER = "2026-11-25 01:40:31,3 INFO exited: nginx (exit status 0; expected)\n"
REFUSED = "2026-11-25 01:40:32,4 WARN exited: local-llm (exit status 2; not expected)\n"
WORDS = "Traceback (most recent call last):\nOSError: no more\n\n"

CASES = [
    # what supervisor has logged, what the service has, how the sentence begins
    ("", WORDS, None),
    (ONCE, WORDS, None),
    (ONCE + ANOTHER, WORDS, None),
    (ONCE + ANOTHER + ONCE, WORDS, "gateway cannot start: OSError: no more. Its log is "),
    (ONCE + KILLED, "", "gateway cannot start: terminated by SIGKILL (core dumped), without a word. Its log is "),
    (ANOTHER + ANOTHER, WORDS, "nginx cannot start: OSError: no more. Its log is "),
    (REFUSED, "LOCAL_QUEUE=-1: not a number above 0.\n", "LOCAL_QUEUE=-1: not a number above 0."),
    (REFUSED, "", "local-llm refuses its settings, and does not say which."),
]


@pytest.mark.parametrize(("supervisor", "service", "sentence"), CASES)
def test_why_it_cannot_start(supervisor: str, service: str, sentence: str | None, tmp_path: Path) -> None:
    """Two deaths of one service, or one refusal of its settings, are a failure; an earlier start is not quoted."""
    for name in ("supervisord", "gateway", "nginx", "local-llm"):
        (tmp_path / f"{name}.log").write_text(f"{REFUSED}words of an earlier start\n")
    logs = ServiceLogs(tmp_path)
    for name, text in (("supervisord", supervisor), ("gateway", service), ("nginx", service), ("local-llm", service)):
        with (tmp_path / f"{name}.log").open("a") as log:
            log.write(text)
    said = logs.cannot_start()
    assert said == sentence or (said and sentence and sentence.endswith(" is ") and said.startswith(sentence))


def test_a_log_that_was_rotated_is_read_from_its_beginning(tmp_path: Path) -> None:
    """It is shorter than it was."""
    log = tmp_path / "gateway.log"
    log.write_text("long ago\n" * 100)
    logs = ServiceLogs(tmp_path)
    log.write_text("just now\n")
    assert logs.last_line("gateway") == "just now"
