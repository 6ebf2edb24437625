"""Follows the files of live recordings in the spool, judges them, and moves them to the vault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from asterisk_compliance.app.recordings.sealer_pool import NotTakenIn, SealerPool
from asterisk_compliance.app.shared.batch_thread import OneThread
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.call.events import (
    CallEvent,
    FileAppeared,
    FileGrew,
    SpoolKept,
    SpoolRemoved,
)
from asterisk_compliance.domain.recording.verdict import (
    CaptureOutcome,
    Expected,
    RecordingVerdict,
    judge,
)
from asterisk_compliance.ids import CallId, RecordingId, call_of, spool_name
from asterisk_compliance.storage.recordings.assembly import (
    DIRECTIONS,
    captured,
    is_closed,
    remove_spooled,
)
from asterisk_compliance.storage.recordings.quarantine import QUARANTINE, spooled
from asterisk_compliance.storage.recordings.spool import Spool
from asterisk_compliance.storage.recordings.unattended import Alone, recorded_alone, take_over
from asterisk_compliance.storage.recordings.vault import remove_recording

log = structlog.get_logger()


class RecordingIntake:
    """The recordings of one Asterisk.

    Who wants the events of its files registers with it.
    """

    def __init__(
        self,
        spool: Path,
        vault: Path,
        sealers: SealerPool,
        *,
        close_s: float,
        may_not_go: Callable[[CallId], bool] = lambda _: False,
    ) -> None:
        self._spool = Spool(spool, self)
        self._vault = vault
        self._tell: Callable[[RecordingId, CallEvent], None] = lambda *_: None
        self._sealers = sealers
        self._close_s = close_s
        self._may_not_go = may_not_go
        self._thread = OneThread()
        self._closed_alone: Callable[[], None] = lambda: None

    def report_files(self, to: Callable[[RecordingId, CallEvent], None]) -> None:
        """Give ``to``, which must not block, the events of each recording's files."""
        self._tell = to

    def report_closed_alone(self, to: Callable[[], None]) -> None:
        """Call ``to`` whenever a file that the dialplan recorded alone was closed."""
        self._closed_alone = to

    def open(self, *, must_be_there: bool = True) -> None:
        """Begin to watch the spool; as :meth:`Spool.open`."""
        self._spool.open(must_be_there=must_be_there)

    def close(self) -> None:
        self._spool.close()

    async def run(self) -> None:
        await self._spool.run()

    def follow(self, recording: RecordingId) -> None:
        self._spool.follow(recording)

    def is_spooled(self, recording: RecordingId) -> bool:
        """Whether Asterisk has begun to write it, and nobody has taken it in."""
        return any(
            (self._spool.directory / spool_name(recording, direction)).exists()
            for direction in DIRECTIONS
        )

    def standing_still(self, for_s: float) -> list[RecordingId]:
        return self._spool.standing_still(for_s)

    def expect_growth(self, recording: RecordingId) -> None:
        self._spool.expect_growth(recording)

    def watch_again(self) -> None:
        self._spool.watch_again()

    def file_appeared(self, recording: RecordingId) -> None:
        self._tell(recording, FileAppeared(recording, monotonic_ms()))

    def file_grew(self, recording: RecordingId) -> None:
        self._tell(recording, FileGrew(recording, monotonic_ms()))

    def file_closed_alone(self) -> None:
        self._closed_alone()

    async def judge(self, recording: RecordingId, expected: Expected) -> RecordingVerdict:
        """Wait until Asterisk closed the files, measure them, join them, and seal the recording.

        What cannot be read or written is said in the verdict; the files then stay where they are.
        Those that were closed may be tried again.
        """
        directions, again = captured(expected), None
        closed = await self._spool.closed(recording, self._close_s, directions)
        try:
            still_open = not closed and self._spool.holds_open(recording, directions)
            self._spool.forget(recording)
            if still_open:
                log.error("recording_not_closed", recording=recording, waited_s=self._close_s)
                return RecordingVerdict(CaptureOutcome.UNJUDGED, problem="NOT_CLOSED")
            again = expected
            measured = await self._sealers.take_in(
                self._spool.directory, recording, self._vault, expected
            )
        except NotTakenIn as error:
            log.error("recording_not_kept", recording=recording, why=str(error))
            again = None if error.problem == "NOT_PCM" else again
            return RecordingVerdict(CaptureOutcome.UNJUDGED, problem=error.problem, again=again)
        except OSError as error:
            log.error("recording_not_kept", recording=recording, why=error.strerror)
            return RecordingVerdict(CaptureOutcome.UNJUDGED, problem="DISK", again=again)
        return judge(measured, expected)

    async def remove_spooled(self, recording: RecordingId) -> SpoolRemoved | SpoolKept:
        try:
            removed = await self._thread.do(
                partial(remove_spooled, self._spool.directory, recording)
            )
        except OSError as error:
            log.error("spool_not_removed", recording=recording, why=error.strerror)
            return SpoolKept(recording)
        return SpoolRemoved(recording, removed)

    async def copy_strangers_aside(
        self, is_known: Callable[[RecordingId], bool]
    ) -> list[tuple[str, int, str]]:
        """Copy closed files that ``is_known`` does not know into quarantine, in the vault, sealed.

        Returns:
            Name, size in bytes and SHA-256 of each. What could not be copied is logged.
        """

        def strange() -> list[Path]:
            files = spooled(self._spool.directory)
            return [path for path, one in files if not is_known(one) and is_closed(path)]

        copied = [await self.copy_aside(path.name) for path in await asyncio.to_thread(strange)]
        return [one for one in copied if one is not None]

    async def copy_aside(self, name: str) -> tuple[str, int, str] | None:
        """The same for one file; ``None`` if it could not be copied, which is logged."""
        try:
            path = self._spool.directory / name
            return await self._sealers.set_aside(path, self._vault / QUARANTINE)
        except NotTakenIn as error:
            log.error("file_not_quarantined", file=name, why=str(error))
            return None

    async def recorded_alone(self) -> list[Alone]:
        """The files that the dialplan recorded alone; errors as :func:`~.alone.recorded_alone`."""
        return await asyncio.to_thread(lambda: list(recorded_alone(self._spool.directory)))

    async def take_over(self, name: str, recording: RecordingId) -> bool:
        """Make such a file, which nobody writes any more, one of a recording; as
        :func:`~.alone.take_over`.
        """
        self._spool.has_ended(recording)
        return await asyncio.to_thread(take_over, self._spool.directory, name, recording)

    async def forget_stranger(self, name: str) -> None:
        """It is in quarantine, and the row says so: it may leave the spool."""
        try:
            await asyncio.to_thread((self._spool.directory / name).unlink, missing_ok=True)
        except OSError as error:
            log.error("spool_not_removed", file=name, why=error.strerror)

    async def remove(self, recording: RecordingId) -> bool:
        """Delete the recording from the vault, unless a legal hold is on its call.

        Returns:
            Whether it is gone for certain, by us now or before.
        """
        if await asyncio.to_thread(self._may_not_go, call_of(recording)):
            log.warning("recording_held", recording=recording)
            return False
        try:
            removed = await asyncio.to_thread(remove_recording, self._vault, recording)
        except OSError as error:
            log.error("recording_not_removed", recording=recording, why=error.strerror)
            return False
        log.info("recording_removed", recording=recording, was_there=removed)
        return True
