"""From the spool to the vault: follow the files of live recordings, judge them, take them in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from asterisk_compliance.app.call_task import monotonic_ms
from asterisk_compliance.domain.events import Event, FileAppeared, FileGrew, SpoolKept, SpoolRemoved
from asterisk_compliance.domain.recording import Expected, Outcome, Verdict, judge
from asterisk_compliance.errors import RecordingUnreadable
from asterisk_compliance.ids import RecordingId, spool_name
from asterisk_compliance.storage.quarantine import QUARANTINE, copy_aside, spooled
from asterisk_compliance.storage.recordings import (
    DIRECTIONS,
    captured,
    is_closed,
    measure_and_join,
    remove_recording,
    remove_spooled,
)
from asterisk_compliance.storage.spool import Spool

log = structlog.get_logger()


class Keeping:
    """The recordings of one Asterisk.

    ``tell`` is given the events of a recording's files; it must not block.
    """

    def __init__(
        self,
        spool: Path,
        vault: Path,
        tell: Callable[[RecordingId, Event], None],
        *,
        close_s: float,
    ) -> None:
        self._spool = Spool(spool, self)
        self._vault = vault
        self._tell = tell
        self._close_s = close_s

    def open(self) -> None:
        """Begin to watch the spool; errors as :meth:`Spool.open`."""
        self._spool.open()

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

    def file_appeared(self, recording: RecordingId) -> None:
        self._tell(recording, FileAppeared(recording, monotonic_ms()))

    def file_grew(self, recording: RecordingId) -> None:
        self._tell(recording, FileGrew(recording, monotonic_ms()))

    async def judge(self, recording: RecordingId, expected: Expected) -> Verdict:
        """Wait until Asterisk closed the files, measure them, and join them in the vault.

        What cannot be read or written is said in the verdict; the files then stay where they are.
        """
        directions = captured(expected)
        closed = await self._spool.closed(recording, self._close_s, directions)
        try:
            still_open = not closed and self._spool.holds_open(recording, directions)
            self._spool.forget(recording)
            if still_open:
                log.error("recording_not_closed", recording=recording, waited_s=self._close_s)
                return Verdict(Outcome.UNJUDGED, problem="NOT_CLOSED")
            measured = await asyncio.to_thread(
                measure_and_join, self._spool.directory, recording, self._vault, expected
            )
        except RecordingUnreadable:
            return Verdict(Outcome.UNJUDGED, problem="NOT_PCM")
        except OSError as error:
            log.error("recording_not_kept", recording=recording, why=error.strerror)
            return Verdict(Outcome.UNJUDGED, problem="DISK")
        return judge(measured, expected)

    async def remove_spooled(self, recording: RecordingId) -> SpoolRemoved | SpoolKept:
        try:
            removed = await asyncio.to_thread(remove_spooled, self._spool.directory, recording)
        except OSError as error:
            log.error("spool_not_removed", recording=recording, why=error.strerror)
            return SpoolKept(recording)
        return SpoolRemoved(recording, removed)

    async def copy_strangers_aside(
        self, is_known: Callable[[RecordingId], bool]
    ) -> list[tuple[str, int, str]]:
        """Copy closed files that ``is_known`` does not know into quarantine, in the vault.

        Returns:
            Name, size in bytes and SHA-256 of each. What could not be copied is logged.
        """

        def copy() -> list[tuple[str, int, str]]:
            copied = []
            for path, recording in spooled(self._spool.directory):
                if is_known(recording) or not is_closed(path):
                    continue
                try:
                    copied.append(copy_aside(path, self._vault / QUARANTINE))
                except OSError as error:
                    log.error("file_not_quarantined", file=path.name, why=error.strerror)
            return copied

        return await asyncio.to_thread(copy)

    async def forget_stranger(self, name: str) -> None:
        """It is in quarantine, and the row says so: it may leave the spool."""
        try:
            await asyncio.to_thread((self._spool.directory / name).unlink, missing_ok=True)
        except OSError as error:
            log.error("spool_not_removed", file=name, why=error.strerror)

    async def remove(self, recording: RecordingId) -> bool:
        """Delete the recording from the vault.

        Returns:
            Whether it is gone for certain, by us now or before.
        """
        try:
            removed = await asyncio.to_thread(remove_recording, self._vault, recording)
        except OSError as error:
            log.error("recording_not_removed", recording=recording, why=error.strerror)
            return False
        log.info("recording_removed", recording=recording, was_there=removed)
        return True
