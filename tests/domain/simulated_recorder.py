"""A simulated MixMonitor and its disk: what really went into each pair of files, and why not.

A stretch of audio that must not be kept carries its *faults*. When a recording is judged, the
blanks that the domain asks for are applied as the storage applies them, measured back from the
end of the files; faults that are still to be heard then are *kept*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from asterisk_compliance.domain.call.commands import Mute
from asterisk_compliance.domain.recording.verdict import (
    Expected,
    Measured,
    RecordingVerdict,
    Track,
    judge,
    overlap,
)
from asterisk_compliance.ids import ChannelId, RecordingId

FRAME_MS = 20
"""A mute takes hold with the next frame; the end of a mute at once."""
SILENT_MS = 40
"""No MixMonitor runs for so long when a recording begins anew (compliance-segment)."""


UNIX_MS = 1_700_000_000_000
"""The clock on the wall when the simulated one stands at 0."""


@dataclass(eq=False)
class Presence:
    """One stay of one party in the call, as it really is."""

    channel: ChannelId
    domain_knows: bool = False


@dataclass(frozen=True)
class Fault:
    """Why audio must not be kept, and of whose presence that depends."""

    why: str
    who: Presence | None = None

    @property
    def is_known(self) -> bool:
        return self.who is None or self.who.domain_knows


@dataclass
class Stretch:
    """From and to in ms of the files; the faults of each direction that was captured."""

    begin: int
    end: int
    told: frozenset[Fault]
    others: frozenset[Fault]


@dataclass
class Files:
    """The two files of one recording."""

    others: bool
    bridged_only: bool
    stretches: list[Stretch] = field(default_factory=list)
    length_ms: int = 0
    written_ms: int = 0
    in_spool: bool = True

    def write(self, ms: int, told: frozenset[Fault], others: frozenset[Fault]) -> None:
        if told or others:
            self.stretches.append(
                Stretch(self.length_ms, self.length_ms + ms, told, others if self.others else NONE)
            )
        self.length_ms += ms

    def kept(self, expected: Expected) -> list[str]:
        """The faults that the blanks leave to be heard, as sentences."""
        found = []
        for direction in ("told", "others"):
            blanks = expected.blanked(self.length_ms, others=direction == "others")
            for stretch in self.stretches:
                faults = sorted(f.why for f in getattr(stretch, direction) if f.is_known)
                left = stretch.end - stretch.begin - overlap(blanks, stretch.begin, stretch.end)
                if faults and left:
                    found.append(f"{left} ms of {direction} in {stretch}: {faults}, {blanks}")
        return found


NONE: frozenset[Fault] = frozenset()


@dataclass
class Recorder:
    """MixMonitor on the told party's channel. It obeys what is performed, and nothing else.

    Attributes:
        running: Which recording is being written now.
        mute: Which directions are silence now.
        stop_asked: Since it began, somebody asked it to stop.
        kept: What must not have been kept, and was.
    """

    files: dict[RecordingId, Files] = field(default_factory=dict)
    running: RecordingId | None = None
    mute: Mute = Mute.NONE
    stop_asked: bool = False
    now_ms: int = 0
    judged: list[RecordingId] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    _wish: Mute | None = None
    _frame_left_ms: int = 0

    def begin(self, recording: RecordingId, *, others: bool, bridged_only: bool) -> None:
        self.files[recording] = Files(others, bridged_only)
        self.running, self.stop_asked = recording, False
        self.mute, self._wish = Mute.NONE, None

    def end(self) -> None:
        self.running = self._wish = None

    def set_mute(self, mute: Mute) -> None:
        """More of it from the next frame on, less of it at once."""
        self.mute, self._wish = min(self.mute, mute, key=lambda one: one.level), mute
        self._frame_left_ms = FRAME_MS

    @property
    def wished(self) -> Mute:
        return self.mute if self._wish is None else self._wish

    def hear(
        self, ms: int, *, bridged: bool, told: Iterable[Fault], others: Iterable[Fault]
    ) -> None:
        """Time passes, and who is there is heard."""
        first = min(ms, self._frame_left_ms) if self._wish is not None else ms
        for part in (first, ms - first):
            self.now_ms += part
            if part:
                self._write(part, bridged, frozenset(told), frozenset(others))
            if self._wish is not None:
                self._frame_left_ms -= part
                if self._frame_left_ms <= 0:
                    self.mute, self._wish = self._wish, None

    def _write(
        self, ms: int, bridged: bool, told: frozenset[Fault], others: frozenset[Fault]
    ) -> None:
        if self.running is None:
            return
        files = self.files[self.running]
        if bridged or not files.bridged_only:
            files.written_ms = self.now_ms
            files.write(
                ms,
                NONE if self.mute is Mute.ALL else told,
                others if self.mute is Mute.NONE else NONE,
            )

    def judge(self, recording: RecordingId, expected: Expected) -> RecordingVerdict:
        """Blank what the domain wants blanked, and measure the rest."""
        assert recording != self.running, "judged while it is being written"
        self.judged.append(recording)
        files = self.files.get(recording)
        if files is None or not files.in_spool:
            return judge(Measured(None, None), expected)
        expected = expected.ended(UNIX_MS + files.written_ms)
        self.kept += files.kept(expected)
        track = Track(files.length_ms, files.length_ms, "d" * 64, closed=True)
        return judge(Measured(track, track), expected)
