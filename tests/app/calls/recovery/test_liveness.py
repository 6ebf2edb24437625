"""Since when nobody looked: the mark of a life that died, and the clock that somebody set back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recovered_site import running
from asterisk_compliance.app.calls.recovery import liveness as alive
from asterisk_compliance.app.calls.recovery.liveness import (
    MARK,
    STEPS_KEPT,
    LivenessMark,
    LivenessRecord,
    last_mark,
    previous_runs,
    write_liveness_marks,
)
from asterisk_compliance.app.service import runner as service
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.recovery import ClockSetBack
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.log.writer import StoreWriter

WITHIN_S = 5.0
ROW_MS = 1_700_000_000_000


class Rows:
    def __init__(self) -> None:
        self.owes = False
        self._asked = asyncio.Condition()

    async def owes_nothing(self, within_s: float) -> bool:
        async with self._asked:
            self._asked.notify_all()
        return not self.owes

    async def asked(self, times: int) -> None:
        """Wait until it was asked so often from now on; what came before the last is done."""
        async with asyncio.timeout(WITHIN_S), self._asked:
            for _ in range(times):
                await self._asked.wait()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive, "EVERY_S", 0.01)


def last_marked_ms(store: Path) -> int:
    mark = last_mark(store)
    return mark.unix_ms if mark else 0


async def until_marked(store: Path, later_than_ms: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while last_marked_ms(store) <= later_than_ms:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.005)


async def test_a_life_marks_as_long_as_it_owes_no_row(tmp_path: Path) -> None:
    assert last_mark(tmp_path) is None
    rows = Rows()
    marking = asyncio.create_task(write_liveness_marks(tmp_path, rows, LivenessRecord()))
    await until_marked(tmp_path, unix_ms() - 1)
    assert (tmp_path / MARK).stat().st_mode & 0o777 == 0o600
    rows.owes = True
    await rows.asked(2)
    before = last_marked_ms(tmp_path)
    await rows.asked(3)
    assert last_marked_ms(tmp_path) == before, "what it saw is in no row yet"
    rows.owes = False
    await until_marked(tmp_path, before)
    marking.cancel()


async def test_nothing_is_marked_while_asterisk_tells_us_late(tmp_path: Path) -> None:
    rows, in_time = Rows(), False
    marking = asyncio.create_task(
        write_liveness_marks(tmp_path, rows, LivenessRecord(), lambda: in_time)
    )
    await rows.asked(3)
    assert last_mark(tmp_path) is None
    in_time = True
    await until_marked(tmp_path, 0)
    marking.cancel()


async def test_a_store_that_cannot_be_marked_ends_nothing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    rows = Rows()
    marking = asyncio.create_task(write_liveness_marks(gone, rows, LivenessRecord()))
    await rows.asked(3)
    assert not marking.done()
    gone.mkdir()
    await until_marked(gone, 0)
    marking.cancel()


@pytest.mark.parametrize("marked", ["", "{", '{"boot": 1}', "[]", "\x00"])
def test_a_mark_that_cannot_be_read_is_none(tmp_path: Path, marked: str) -> None:
    (tmp_path / MARK).write_text(marked)
    assert last_mark(tmp_path) is None


def test_without_a_mark_the_newest_row_of_a_service_is_taken(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([Draft(Kind.ASTERISK_CONNECTED, ROW_MS, NodeName("pbx1"))])
        writer.commit([Draft(Kind.RETENTION_RUN, ROW_MS + 5, NodeName("service"))])
    assert previous_runs(tmp_path).alive_unix_ms == ROW_MS
    for marked_ms in (ROW_MS - 9, ROW_MS + 9):
        alive._write(tmp_path / MARK, LivenessMark("", 0, marked_ms))
        assert previous_runs(tmp_path).alive_unix_ms == marked_ms, "heard in time until then"


class Clocks:
    """Those of one machine, which somebody sets, and which goes down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms, self.ahead_ms, self.boot = 5_000, 1_700_000_000_000, "one"
        monkeypatch.setattr(alive, "monotonic_ms", lambda: self.now_ms)
        monkeypatch.setattr(alive, "unix_ms", lambda: self.now_ms + self.ahead_ms)
        monkeypatch.setattr(alive, "_boot", lambda: self.boot)

    @property
    def unix_ms(self) -> int:
        return self.now_ms + self.ahead_ms


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_a_clock_that_is_set_back_while_we_live_is_seen(clocks: Clocks) -> None:
    liveness, arrived_ms = LivenessRecord(), clocks.unix_ms
    assert liveness.now().set_back == ()
    clocks.now_ms += 10_000
    clocks.ahead_ms -= 4_000
    now = liveness.now()
    assert now.set_back == (ClockSetBack(clocks.unix_ms, 4_000),)
    assert now.since_ms(arrived_ms) == 10_000
    clocks.now_ms += 1_000
    assert liveness.now().set_back == now.set_back, "it is seen once"
    assert liveness.now().since_ms(arrived_ms) == 11_000


def test_a_clock_that_is_set_back_between_two_lives_is_seen(clocks: Clocks) -> None:
    died_ms, mark = clocks.unix_ms, LivenessRecord().mark()
    clocks.now_ms += 60_000
    clocks.ahead_ms -= 3_600_000
    next_life = LivenessRecord(mark, newest_row_ms=died_ms)
    assert next_life.now().since_ms(next_life.alive_unix_ms) == 60_000
    clocks.now_ms += 5
    life_after_it = LivenessRecord(next_life.mark())
    assert life_after_it.now().since_ms(died_ms) == 60_005, "and is not forgotten"


def test_a_clock_that_is_set_forward_makes_all_longer_ago(clocks: Clocks) -> None:
    died_ms, mark = clocks.unix_ms, LivenessRecord().mark()
    clocks.now_ms += 60_000
    clocks.ahead_ms += 3_000
    assert LivenessRecord(mark).now().since_ms(died_ms) == 63_000
    assert LivenessRecord(mark).now().set_back == ()


def test_another_boot_has_another_monotonic_clock(clocks: Clocks) -> None:
    mark = LivenessRecord().mark()
    clocks.now_ms, clocks.ahead_ms, clocks.boot = 70, clocks.ahead_ms + 9_000, "two"
    assert LivenessRecord(mark).now().set_back == ()
    clocks.boot = ""
    assert LivenessRecord(LivenessMark("", 0, clocks.unix_ms)).now().set_back == (), (
        "nobody knows which it is"
    )


def test_two_clocks_that_are_read_one_after_the_other_differ(clocks: Clocks) -> None:
    liveness = LivenessRecord()
    liveness.now()
    for _ in range(3):
        clocks.ahead_ms -= 6
        assert liveness.now().set_back == ()
    clocks.ahead_ms -= 6
    (seen,) = liveness.now().set_back
    assert seen.by_ms == 24, "small steps are added up"


def test_so_many_steps_are_remembered(clocks: Clocks) -> None:
    liveness = LivenessRecord()
    liveness.now()
    for _ in range(STEPS_KEPT + 5):
        clocks.ahead_ms -= 1_000
        now = liveness.now()
    assert len(now.set_back) == STEPS_KEPT
    assert sum(step.by_ms for step in now.set_back) == (STEPS_KEPT + 5) * 1_000, "none is forgotten"
    assert now.set_back[-1].seen_unix_ms == clocks.unix_ms


def test_the_clocks_of_this_machine_are_read_together() -> None:
    liveness = LivenessRecord()
    before, after = liveness.now(), liveness.now()
    assert 0 <= after.at_ms - before.at_ms < 1_000
    assert abs((after.unix_ms - after.at_ms) - (before.unix_ms - before.at_ms)) <= 2
    assert alive._boot() != ""


_HAPPENS = st.tuples(st.integers(0, 5_000), st.integers(-20_000, 20_000), st.booleans())


@given(st.lists(_HAPPENS, max_size=12))
def test_nothing_is_ever_taken_for_more_recent_than_it_is(
    happens: list[tuple[int, int, bool]],
) -> None:
    with pytest.MonkeyPatch.context() as patches:
        clocks = Clocks(patches)
        liveness, rows = LivenessRecord(), []
        mark = liveness.mark()
        for passes_ms, step_ms, dies in happens:
            clocks.now_ms += passes_ms
            rows.append((clocks.now_ms, clocks.unix_ms))
            clocks.ahead_ms += step_ms
            liveness = LivenessRecord(mark) if dies else liveness
            mark = liveness.mark()
        now = liveness.now()
        for at_ms, written_ms in rows:
            assert now.since_ms(written_ms) >= now.at_ms - at_ms - alive.STEP_MS


async def test_a_service_marks_by_its_own_log_and_by_what_each_asterisk_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[LivenessRecord, Callable[[], bool]]] = []

    async def noted(
        _: Path, __: object, liveness: LivenessRecord, in_time: Callable[[], bool]
    ) -> None:
        asked.append((liveness, in_time))

    monkeypatch.setattr(service, "write_liveness_marks", noted)
    async with running(tmp_path) as site:
        ((liveness, in_time),) = asked
        rows = site.node._rows
        assert liveness._size() == rows.size + rows.waiting > 0
        assert in_time()
        site.asterisk.told_s = monotonic_ms() / 1_000 - 1
        assert not in_time()
