"""The last day: bounded, kept on disk, and in memory when there is none."""

import sqlite3
import time
from pathlib import Path

import pytest

from gateway.status.history import SLOT_SECONDS, SLOTS, Event, History
from gateway.status.traffic import COLUMNS

NOON = 1_700_049_600.0  # the beginning of a slot
NOTHING = dict.fromkeys(COLUMNS, 0.0)


def slots_after(tmp_path: Path, *stretches: tuple[str, float]) -> list[str | None]:
    """The last slot's neighbours after stretches of a brain for so many seconds, that end at noon and 14 minutes."""
    history = History(tmp_path / "history.sqlite3")
    now = NOON
    for brain, seconds in stretches:
        now += seconds
        history.note(now - 0.001, seconds, brain, NOTHING)
    return history.slots(NOON + 840)


@pytest.mark.parametrize(
    ("stretches", "last"),
    [
        ([("claude", 50.0)], "claude"),
        ([("claude", 50.0), ("local", 2.0)], "local"),
        ([("claude", 50.0), ("local", 0.5)], "claude"),
        ([("local", 50.0), ("none", 5.0)], "local"),
        ([("claude", 50.0), ("none", 11.0)], "none"),
        ([("none", 0.5)], "none"),
        ([], None),
    ],
    ids=["all", "a short outage", "a blink", "a restart", "nobody", "nothing but nobody", "not known"],
)
def test_a_slot_shows_the_worst_of_its_quarter_of_an_hour(
    tmp_path: Path, stretches: list[tuple[str, float]], last: str | None
) -> None:
    """A short outage is visible, a restart's moment without anybody is not."""
    slots = slots_after(tmp_path, *stretches)
    assert len(slots) == SLOTS
    assert slots[-1] == last
    assert set(slots[:-1]) == {None}


async def test_it_outlives_the_process(tmp_path: Path) -> None:
    """Minutes, sums and events are there again."""
    file = tmp_path / "deep" / "history.sqlite3"
    now = time.time()
    first = History(file)
    first.note(now, 30.0, "local", NOTHING)
    first.note(now, 1.0, "local", NOTHING | {"local_requests": 7.0})
    assert first.note_event("failover", Event(now, "local", "auth"))
    assert not first.note_event("failover", Event(now, "local", "auth"))
    await first.save()
    assert first.kept == "disk"
    second = History(file)
    assert second.sum("local_requests") == 7
    assert second.events["failover"] == Event(now, "local", "auth")
    assert second.slots(now)[-1] == "local"
    assert second.recent(now)
    assert not second.recent(now + 3600)


async def test_it_is_bounded(tmp_path: Path) -> None:
    """After two days there is one day, in memory and on disk."""
    history = History(tmp_path / "history.sqlite3")
    now = time.time()
    for minute in range(2880, -1, -1):
        history.note(now - 60 * minute, 60.0, "claude", NOTHING)
    await history.save()
    assert len(history.minutes) == 1440
    assert len(History(tmp_path / "history.sqlite3").minutes) <= 1440
    assert (tmp_path / "history.sqlite3").stat().st_size < 400_000
    assert history.slots(now).count("claude") >= SLOTS - 1
    assert SLOT_SECONDS * SLOTS == 86_400


async def test_a_disk_that_takes_nothing_costs_only_the_memory_of_before(tmp_path: Path) -> None:
    """It says so, goes on in memory, and writes all of it once the disk is back."""
    blocked = tmp_path / "state"
    blocked.write_text("a file where the directory should be")
    history = History(blocked / "history.sqlite3")
    now = time.time()
    history.note(now, 60.0, "claude", NOTHING)
    await history.save()
    assert {history.kept} == {"memory"}  # a set, because mypy believes that it cannot change
    assert history.slots(now)[-1] == "claude"
    blocked.unlink()
    history.note(now + 60, 60.0, "claude", NOTHING)
    await history.save()
    assert history.kept == "disk"
    assert len(History(blocked / "history.sqlite3").minutes) == 2


async def test_a_broken_file_is_put_aside(tmp_path: Path) -> None:
    """The gateway starts anyway, with a new history, and the old one can be looked at."""
    file = tmp_path / "history.sqlite3"
    file.write_bytes(b"not a database, but long enough to be taken for one" * 20)
    history = History(file)
    assert history.kept == "disk"
    assert file.with_suffix(".broken").exists()


def test_a_new_process_counts_from_nothing(tmp_path: Path) -> None:
    """Totals that begin again at zero are not taken off."""
    history = History(tmp_path / "history.sqlite3")
    history.note(NOON, 1.0, "claude", NOTHING | {"claude_requests": 5.0})
    history.note(NOON + 1, 1.0, "claude", NOTHING | {"claude_requests": 2.0})
    assert history.sum("claude_requests") == 5


async def test_a_file_of_an_earlier_version_is_gone_on_with(tmp_path: Path) -> None:
    """A figure that it does not know counts from nothing; the day is not lost."""
    file = tmp_path / "history.sqlite3"
    now = time.time()
    first = History(file)
    first.note(now, 30.0, "local", NOTHING | {"local_requests": 7.0})
    await first.save()
    with sqlite3.connect(file) as database:
        database.execute("ALTER TABLE minutes DROP COLUMN refused_side_tasks")
    database.close()
    second = History(file)
    assert (second.sum("local_requests"), second.sum("refused_side_tasks")) == (7, 0)
    second.note(now, 1.0, "local", NOTHING | {"refused_side_tasks": 2.0})
    await second.save()
    assert History(file).sum("refused_side_tasks") == 2


async def test_odd_rows_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """SQLite keeps whatever it is given in any column; what is no minute and no event costs itself only."""
    file = tmp_path / "history.sqlite3"
    now = time.time()
    first = History(file)
    for minute in range(4, -1, -1):
        first.note(now - 60 * minute, 30.0, "local", NOTHING)
    for kind in ("current", "failover", "failback"):
        first.note_event(kind, Event(now, "local", "auth"))
    await first.save()
    good, *odd = sorted(first.minutes)
    with sqlite3.connect(file) as database:
        for at, value in zip(odd, ("many", b"\x00", 9e999, -1.0), strict=True):
            database.execute("UPDATE minutes SET local_seconds = ? WHERE at = ?", (value, at))
        database.execute("INSERT INTO minutes SELECT at + 7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM minutes")
        database.execute("UPDATE events SET at = 'yesterday' WHERE kind = 'current'")
        database.execute("UPDATE events SET at = 1e300 WHERE kind = 'failback'")
        database.execute("INSERT INTO events VALUES ('party', 1, 'claude', NULL), (x'00', NULL, 5, 7)")
    database.close()
    second = History(file)
    assert list(second.minutes) == [good]
    assert second.events == {"failover": Event(now, "local", "auth")}
    assert second.note(now, 1.0, "local", NOTHING)
    assert second.slots(now)[-1] == "local"
    assert len([message for message in caplog.messages if "odd rows" in message]) == 1
