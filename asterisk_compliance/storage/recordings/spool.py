"""What happens in the spool, as the kernel tells it (inotify), without looking at the clock.

Asterisk says that MixMonitor started; only the disk says that audio is kept. Files that are
not named by :func:`asterisk_compliance.ids.spool_name` are none of ours and are left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import (
    RecordingId,
    parse_fallback_name,
    parse_spool_name,
    spool_name,
)
from asterisk_compliance.storage.recordings.assembly import DIRECTIONS, has_audio, is_closed
from asterisk_compliance.storage.recordings.inotify import CLOSED, CREATED, MODIFIED, Watch

_POLL_S = 0.05
"""How often a file whose close was not reported is looked at while a call closes."""


class SpoolListener(Protocol):
    """Told on the event loop; must not block."""

    def file_appeared(self, recording: RecordingId) -> None: ...

    def file_grew(self, recording: RecordingId) -> None: ...

    def file_closed_alone(self) -> None:
        """One that the dialplan recorded alone."""


@dataclass(slots=True)
class _Seen:
    """What is known of one recording's files while its call lives."""

    grew: bool = False
    moved_s: float = 0.0
    closed: set[str] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Spool:
    """Watches one spool directory for the recordings it was asked to follow."""

    def __init__(self, directory: Path, listener: SpoolListener) -> None:
        self.directory = directory
        self._place = str(directory)
        self._listener = listener
        self._seen: dict[RecordingId, _Seen] = {}
        self._watch: Watch | None = None

    def follow(self, recording: RecordingId) -> None:
        """Report on this recording from now on."""
        self._seen.setdefault(recording, _Seen())

    def forget(self, recording: RecordingId) -> None:
        self._seen.pop(recording, None)

    def standing_still(self, for_s: float) -> list[RecordingId]:
        """Followed recordings that grew, and whose files have not changed for so long."""
        since_s = time.monotonic() - for_s
        return [one for one, seen in self._seen.items() if seen.grew and seen.moved_s < since_s]

    def expect_growth(self, recording: RecordingId) -> None:
        """Report when it grows again."""
        if recording in self._seen:
            self._seen[recording].grew = False

    def has_ended(self, recording: RecordingId) -> None:
        """It is known from elsewhere that nobody writes its files any more."""
        self._seen.setdefault(recording, _Seen()).closed.update(DIRECTIONS)

    def holds_open(self, recording: RecordingId, directions: Sequence[str] = DIRECTIONS) -> bool:
        """Whether a file of these directions is in the spool that Asterisk has not closed."""
        return any(
            (self.directory / spool_name(recording, direction)).exists()
            and not self._is_closed(recording, direction)
            for direction in directions
        )

    def open(self, *, must_be_there: bool = True) -> None:
        """Begin to watch, or, if it may be away, with the next :meth:`watch_again`.

        Raises:
            StoreUnavailable: the directory cannot be watched; the message says why.
        """
        try:
            self._watch = Watch()
            if must_be_there:
                self._watch.add(self.directory)
            else:
                self.watch_again()
        except OSError as error:
            self.close()
            hint = "the spool must exist and be readable by the service's user (docs/wiring.md)"
            raise StoreUnavailable(f"cannot watch the spool: {error.strerror}", hint=hint) from None

    def watch_again(self) -> None:
        """The directory was away, and may be another one now."""
        if self._watch is not None:
            with contextlib.suppress(OSError):  # it is looked at again
                self._watch.add(self.directory)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    async def run(self) -> None:
        """Read the kernel's events until cancelled."""
        assert self._watch is not None, "open() first"
        await self._watch.run(self._tell)

    async def closed(
        self, recording: RecordingId, within_s: float, directions: Sequence[str] = DIRECTIONS
    ) -> bool:
        """Wait until Asterisk closed the file of each of these directions, at most ``within_s``.

        The kernel's close notification and a header that states the file's size both count;
        a file that does not appear is waited for as well.
        """
        seen = self._seen.setdefault(recording, _Seen())
        try:
            async with asyncio.timeout(within_s):
                while not all(self._is_closed(recording, d) for d in directions):
                    seen.changed.clear()
                    await _first(seen.changed, _POLL_S)
        except TimeoutError:
            return False
        return True

    def _is_closed(self, recording: RecordingId, direction: str) -> bool:
        seen = self._seen.get(recording)
        reported = seen is not None and direction in seen.closed
        return reported or is_closed(self.directory / spool_name(recording, direction))

    def _tell(self, name: str, happened: int) -> None:
        if happened & CLOSED and parse_fallback_name(name) is not None:
            self._listener.file_closed_alone()
        parsed = parse_spool_name(name)
        if parsed is None:
            return
        recording, direction = parsed
        seen = self._seen.get(recording)
        if seen is None:
            return
        seen.moved_s = time.monotonic()
        if happened & CREATED:
            self._listener.file_appeared(recording)
        if not seen.grew and happened & (MODIFIED | CLOSED) and has_audio(f"{self._place}/{name}"):
            seen.grew = True
            self._listener.file_grew(recording)
        if happened & CLOSED:
            seen.closed.add(direction)
            seen.changed.set()


async def _first(event: asyncio.Event, within_s: float) -> None:
    """Wait for the event, at most ``within_s``."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        pass
