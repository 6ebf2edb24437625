"""When this life of the service last knew that the log has all it saw, and by which clock.

Whoever comes after a life that died must know since when nobody looked at the calls. The newest row
tells that only where rows are written all the time; in a quiet hour it would be an hour ago. So
every second, once the rows of until then are on the disk, and unless Asterisk tells us late, a file
beside the log is marked with the time. Rows are dated by the clock on the wall, which somebody may
set back: then what is long ago looks recent. So the mark compares it with the monotonic clock,
which goes on as long as the machine does, and has every step back that was seen.

Nothing depends on the mark but how much is blanked: without it, it is more, unless the clock was
set back and nobody saw it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol

import msgspec

from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.recovery import Clock, ClockSetBack
from asterisk_compliance.storage.log.reader import StoreReader

MARK = "alive"
EVERY_S = 1.0
STEPS_KEPT = 100
STEP_MS = 20
"""What two clocks that are read one after the other may differ by is no step."""

LIVING = frozenset(
    {
        Kind.ASTERISK_CONNECTED,
        Kind.ASTERISK_DISCONNECTED,
        Kind.CALL_ARRIVED,
        Kind.NOTICE_STARTED,
        Kind.NOTICE_COMPLETED,
        Kind.NOTICE_INCOMPLETE,
        Kind.DECISION,
        Kind.CALL_CONTINUED,
        Kind.CALL_FOLLOWED,
        Kind.CALL_ENDED,
        Kind.PARTY_JOINED,
        Kind.PARTY_TOLD,
        Kind.RECORDING_REQUESTED,
        Kind.RECORDING_STARTED,
        Kind.RECORDING_GROWING,
    }
)
"""Kinds of rows that only a service writes that follows calls, and no command in its place."""

_READINGS = 5
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class LivenessMark(msgspec.Struct, frozen=True):
    """A moment at which a life lived.

    Attributes:
        boot: Of the machine (``random(4)``): only within one does the monotonic clock go on.
        ahead_ms: How much further the clock on the wall was than the monotonic one: at most, since
            the last step that was seen, so that small steps add up over several lives too.
        unix_ms: The moment, by the clock on the wall.
        set_back: As of :class:`Clock`, also of the lives before.
    """

    boot: str
    ahead_ms: int
    unix_ms: int
    set_back: tuple[ClockSetBack, ...] = ()


class LivenessRecord:
    """The clocks of this life, and what the lives before it left.

    Args:
        before: The newest mark.
        newest_row_ms: When a living service wrote its last row, in Unix milliseconds; it counts
            where there is no mark.
        size: Of the log, in rows, with those that wait.

    Attributes:
        alive_unix_ms: When an earlier life was last seen to live, by the clock of then. Its rows
            would say more, but not that it heard in time of what happened.
    """

    def __init__(
        self,
        before: LivenessMark | None = None,
        newest_row_ms: int = 0,
        size: Callable[[], int] = int,
    ) -> None:
        self._size = size
        self._boot = _boot()
        self._set_back = before.set_back if before else ()
        self._ahead_ms: int | None = None
        if before and before.boot == self._boot != "":
            self._ahead_ms = before.ahead_ms
        self.alive_unix_ms = before.unix_ms if before else newest_row_ms

    def now(self) -> Clock:
        """The moment, and every step back of the clock on the wall until now."""
        at_ms, now_unix_ms = _both_clocks()
        ahead_ms = now_unix_ms - at_ms
        back_ms = 0 if self._ahead_ms is None else self._ahead_ms - ahead_ms
        if back_ms > STEP_MS:
            step = ClockSetBack(now_unix_ms, back_ms, self._size())
            self._set_back = _merged((*self._set_back, step))
        if self._ahead_ms is None or back_ms < 0 or back_ms > STEP_MS:
            self._ahead_ms = ahead_ms
        return Clock(at_ms, now_unix_ms, self._set_back)

    def mark(self) -> LivenessMark:
        """That we live, now."""
        now = self.now()
        assert self._ahead_ms is not None
        return LivenessMark(self._boot, self._ahead_ms, now.unix_ms, now.set_back)


class DurabilityStatus(Protocol):
    """The audit log, as far as it says whether all is stored."""

    async def owes_nothing(self, within_s: float) -> bool: ...


async def write_liveness_marks(
    store: Path,
    rows: DurabilityStatus,
    liveness: LivenessRecord,
    in_time: Callable[[], bool] = lambda: True,
) -> NoReturn:
    """Mark that we live, as long as we do, and hear ``in_time`` of all that happens."""
    while True:
        mark, hears = liveness.mark(), in_time()
        if await rows.owes_nothing(EVERY_S) and hears:
            await asyncio.to_thread(_write, store / MARK, mark)
        await asyncio.sleep(EVERY_S)


def previous_runs(store: Path, size: Callable[[], int] = int) -> LivenessRecord:
    """What the lives before this one left in a store; ``size`` as of :class:`LivenessRecord`.

    Raises:
        StoreError: it cannot be read.
    """
    with StoreReader(store) as reader:
        newest = reader.last_at(LIVING)
    newest_ms = unix_ms() if newest is None else milliseconds(newest)
    return LivenessRecord(last_mark(store), newest_ms, size)


def last_mark(store: Path) -> LivenessMark | None:
    """The newest one; ``None`` if there is none that can be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError, RecursionError):
        return msgspec.json.decode((store / MARK).read_bytes(), type=LivenessMark)
    return None


def _write(path: Path, mark: LivenessMark) -> None:
    """Whole or not at all: whoever is killed meanwhile leaves the one before.

    Not durably: what outlives a loss of power is of another boot, and its clock has ended.
    """
    aside = path.with_suffix(".part")
    with contextlib.suppress(OSError):  # more is blanked then
        file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as marked:
            marked.write(msgspec.json.encode(mark))
        aside.replace(path)


def _merged(steps: tuple[ClockSetBack, ...]) -> tuple[ClockSetBack, ...]:
    """Too many become fewer, and none is forgotten."""
    if len(steps) <= STEPS_KEPT:
        return steps
    one, two, *rest = steps
    both = ClockSetBack(two.seen_unix_ms, one.by_ms + two.by_ms, two.before_seq)
    return both, *rest


def _both_clocks() -> tuple[int, int]:
    """Monotonic and Unix milliseconds of one moment, also where others have the processor."""
    for _ in range(_READINGS):
        at_ms, now_unix_ms = monotonic_ms(), unix_ms()
        if monotonic_ms() - at_ms <= 1:
            return at_ms, now_unix_ms
    return monotonic_ms(), unix_ms()


def _boot() -> str:
    with contextlib.suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return ""
