"""When is a recording what was promised? A pure judgement over what was measured on disk.

"Recorded" is said in levels, each a row of its own: requested (the dialplan was asked),
started (Asterisk says so), growing (bytes on disk), closed (complete, digested, both directions
judged), sealed (encrypted, as read again from the disk). A recording that was promised and is
missing, short or one-sided is reported.

Stretches of a recording are measured back from its end. Only the end can be dated: the audio hook
begins at some moment after MixMonitor ran, and the time of a silent call can be missing inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

WAV_HEADER_BYTES = 44
"""What MixMonitor writes before the first sample (format_wav.c)."""

LENGTH_TOLERANCE_MS = 1_000
"""Clocks of bridge events and of the audio hook differ; beyond this a length is wrong."""

SILENT_BELOW_MS = 40
"""A direction with less audible sound than two frames of 20 ms is silent."""

SILENCE_COUNTS_FROM_MS = 1_000
"""Silence in less than this is no defect: it is as long as a breath, or as the time between two
quick changes of a call, and nobody has to speak in it."""


UNFLUSHED_MS = 2_048
"""So much of a file that Asterisk did not close was in its buffer at most (32 KiB)."""

KERNEL_TICK_MS = 10
"""A file is dated by the kernel's last tick: so long before it was written at most (100 Hz)."""

AudioSpan: TypeAlias = tuple[int, int]
"""From (included) and to (excluded), counted from the beginning of a file."""


class Capture(StrEnum):
    """Where the recording of a call stands."""

    NONE = "none"
    REQUESTED = "requested"
    STARTED = "started"
    GROWING = "growing"
    STALLED = "stalled"
    ENDED = "ended"


class CaptureOutcome(StrEnum):
    CLOSED = "closed"
    EMPTY = "empty"
    """Files without a sample: the caller gave up before anybody was there."""
    MISSING = "missing"
    UNJUDGED = "unjudged"
    """The files are there and could not be read or joined; they stay where they are."""


class Length(StrEnum):
    OK = "ok"
    SHORT = "short"
    LONG = "long"
    UNKNOWN = "unknown"
    """Nobody told us how long the parties were bridged."""


class AudioDirection(StrEnum):
    HEARD = "heard"
    SILENT = "silent"
    MISSING = "missing"
    NOT_KEPT = "not_kept"
    """Nothing of it was to be kept: it was never captured, or all of it had to be blanked."""


class Tracks(StrEnum):
    """Which directions a blank concerns."""

    BOTH = "both"
    OTHERS = "others"
    """Only what was sent to the caller's channel."""


class Blank(Struct, frozen=True):
    """A stretch that must not be kept: digital silence takes its place before anything is digested.

    It is clipped to the files, and widened where they are shorter than they should be
    (:meth:`Expected.found`); any other margin is the caller's to give.

    Attributes:
        from_end_ms, to_end_ms: Where it begins and ends, back from the end of the longer file.
        tracks: Where it is blanked.

    Raises:
        ValueError: it ends before it begins, or behind the end.
    """

    from_end_ms: int
    to_end_ms: int
    tracks: Tracks = Tracks.BOTH

    def __post_init__(self) -> None:
        _check_order(self.from_end_ms, self.to_end_ms)


class Doubt(Struct, frozen=True):
    """A stretch in which the others were there, and Asterisk may have written silence instead.

    It should begin when the party before is surely gone: one frame of sound settles it. For the
    same reason a party of whom only the beginning was lost is not noticed.

    Attributes:
        from_end_ms, to_end_ms: Where it begins and ends, back from the end of the longer file.

    Raises:
        ValueError: it ends before it begins, or behind the end.
    """

    from_end_ms: int
    to_end_ms: int

    def __post_init__(self) -> None:
        _check_order(self.from_end_ms, self.to_end_ms)


class Expected(Struct, frozen=True):
    """What a recording should be.

    Attributes:
        length_ms: How long; ``None`` if nobody told.
        others: Whether what was sent to the caller's channel was captured at all.
        blanks: What must not be kept of it.
        doubts: Where the others may have been lost.
        asked_unix_ms: Nobody saw its end: ``blanks`` are measured back from that moment, on the
            wall's clock (:meth:`ended`). ``None``: from its end.
    """

    length_ms: int | None
    others: bool = True
    blanks: tuple[Blank, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    asked_unix_ms: int | None = None

    def ended(self, written_unix_ms: int) -> Expected:
        """The same, for files whose last write was then: it is their end at the latest.

        What lies D before the end of a file was said D before its last write, or earlier: what is
        written was said before, and the file's clock may stand still and never runs faster. So
        whatever was said since a moment M lies in the last ``written - M`` of it, and the tick by
        which the kernel dates a write too early. What a killed Asterisk had not written yet is not
        in the file. A write from the future dates nothing.
        """
        if self.asked_unix_ms is None:
            return self
        since_ms = max(0, self.asked_unix_ms - written_unix_ms)
        at_least_ms = max(0, since_ms - KERNEL_TICK_MS)
        blanks = (
            replace(
                blank,
                from_end_ms=max(0, blank.from_end_ms - at_least_ms),
                to_end_ms=max(0, blank.to_end_ms - since_ms),
            )
            for blank in self.blanks
        )
        return replace(self, blanks=tuple(blanks), asked_unix_ms=None)

    def found(self, length_ms: int, *, closed: bool) -> Expected:
        """The same for files that are so long: each blank covers every place where it may lie.

        Where both parties send nothing for a while, time in the file stands still, and nobody knows
        at which place. And of files that Asterisk did not close, up to two seconds are missing at
        the end.
        """
        missing_ms = 0 if self.length_ms is None else max(0, self.length_ms - length_ms)
        missing_ms += 0 if closed else UNFLUSHED_MS
        blanks = (
            replace(blank, to_end_ms=max(0, blank.to_end_ms - missing_ms)) for blank in self.blanks
        )
        return replace(self, blanks=tuple(blanks))

    def blanked(self, length: int, per_ms: int = 1, *, others: bool) -> tuple[AudioSpan, ...]:
        """Where to blank the track of the others, or the caller's: disjoint, in order."""
        blanks = [b for b in self.blanks if others or b.tracks is Tracks.BOTH]
        return disjoint(span(blank, length, per_ms) for blank in blanks)


def span(stretch: Blank | Doubt, length: int, per_ms: int = 1) -> AudioSpan:
    """Where a stretch lies in files whose longer one has ``length`` units, ``per_ms`` to the ms."""
    from_end, to_end = stretch.from_end_ms * per_ms, stretch.to_end_ms * per_ms
    return max(length - from_end, 0), max(length - to_end, 0)


def disjoint(spans: Iterable[AudioSpan]) -> tuple[AudioSpan, ...]:
    """The same without overlaps and in order; spans that only touch stay two."""
    found: list[AudioSpan] = []
    for begin, end in sorted(spans):
        if found and begin < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif begin < end:
            found.append((begin, end))
    return tuple(found)


def overlap(spans: Iterable[AudioSpan], begin: int, end: int) -> int:
    """How much of ``begin`` to ``end`` disjoint spans cover."""
    return sum(max(min(to, end) - max(since, begin), 0) for since, to in spans)


class Track(Struct, frozen=True):
    """One direction as found on disk.

    Attributes:
        length_ms: Of the samples that are there.
        audible_ms: Of the frames whose level is above digital silence, after blanking.
        sha256: Of the file's bytes as Asterisk wrote them, hex.
        closed: The WAV header states the size that the file has.
        blanked_ms: How much of it was blanked in the joined recording, rounded up.
    """

    length_ms: int
    audible_ms: int
    sha256: str
    closed: bool
    blanked_ms: int = 0


class SealedRecording(Struct, frozen=True):
    """A recording in the vault, encrypted.

    Attributes:
        sha256: Of the ciphertext, as it was read again from the disk, hex.
        size_bytes: Of the ciphertext.
        recipients: Fingerprints of the public keys that it is encrypted to, in their order.
    """

    sha256: str
    size_bytes: int
    recipients: tuple[str, ...]


class Measured(Struct, frozen=True):
    """Both directions, and the joined recording.

    Attributes:
        rx, tx: From the channel (the caller) and to it (everybody else); ``None``: no file.
        joined_sha256: Of the stereo WAV before it is encrypted, hex; empty: nothing was joined.
        joined_bytes: Its size.
        sealed: ``None``: the recording was not encrypted.
        lost: From and to, in ms of the file: the doubts in which the others cannot be heard.
            Shorter ones than :data:`SILENCE_COUNTS_FROM_MS` are left out.
    """

    rx: Track | None
    tx: Track | None
    joined_sha256: str = ""
    joined_bytes: int = 0
    lost: tuple[AudioSpan, ...] = ()
    sealed: SealedRecording | None = None

    @property
    def blanked_ms(self) -> int:
        """Summed over both directions."""
        return sum(track.blanked_ms for track in (self.rx, self.tx) if track is not None)


class RecordingVerdict(Struct, frozen=True):
    """What a recording is.

    Attributes:
        blanked_ms: What had to be blanked, summed over both directions.
        lost: Where the others should be heard and are not: from and to, in ms of the file.
        sealed: How it was encrypted; ``None``: it was not.
        again: What to judge it by when it is tried again; ``None``: it must not be.
    """

    outcome: CaptureOutcome
    expected_ms: int | None = None
    length_ms: int = 0
    length: Length = Length.UNKNOWN
    rx: AudioDirection = AudioDirection.MISSING
    tx: AudioDirection = AudioDirection.MISSING
    header_closed: bool = True
    problem: str = ""
    sha256: str = ""
    rx_sha256: str = ""
    tx_sha256: str = ""
    blanked_ms: int = 0
    lost: tuple[AudioSpan, ...] = ()
    sealed: SealedRecording | None = None
    again: Expected | None = None

    @property
    def lost_ms(self) -> int:
        return sum(end - begin for begin, end in self.lost)

    @property
    def whole(self) -> bool:
        """Whether the recording is what was promised.

        A silent direction is held against a recording of at least :data:`SILENCE_COUNTS_FROM_MS`
        only; a missing one always.
        """
        return (
            self.outcome is CaptureOutcome.CLOSED
            and self.length in {Length.OK, Length.UNKNOWN}
            and self._as_promised(self.rx)
            and self._as_promised(self.tx)
            and self.header_closed
            and not self.lost
        )

    def _as_promised(self, direction: AudioDirection) -> bool:
        if direction is AudioDirection.SILENT:
            return self.length_ms < SILENCE_COUNTS_FROM_MS
        return direction is not AudioDirection.MISSING


def judge(measured: Measured, expected: Expected) -> RecordingVerdict:
    """Say what the recording is, from what was measured and what it should be."""
    rx, tx = measured.rx, measured.tx if expected.others else None
    tracks = [track for track in (rx, tx) if track is not None]
    if not tracks:
        return RecordingVerdict(CaptureOutcome.MISSING, expected.length_ms)
    length_ms = max(track.length_ms for track in tracks)
    length = _length(length_ms, expected.length_ms)
    if length_ms == 0:
        return RecordingVerdict(CaptureOutcome.EMPTY, expected.length_ms, length=length)
    return RecordingVerdict(
        CaptureOutcome.CLOSED,
        expected.length_ms,
        length_ms=length_ms,
        length=length,
        rx=_direction(rx),
        tx=_direction(tx) if expected.others else AudioDirection.NOT_KEPT,
        header_closed=all(track.closed for track in tracks),
        sha256=measured.joined_sha256,
        rx_sha256=rx.sha256 if rx else "",
        tx_sha256=tx.sha256 if tx else "",
        blanked_ms=measured.blanked_ms,
        lost=measured.lost,
        sealed=measured.sealed,
    )


def _check_order(from_end_ms: int, to_end_ms: int) -> None:
    if not from_end_ms >= to_end_ms >= 0:
        raise ValueError(f"{from_end_ms} ms to {to_end_ms} ms before the end is no stretch")


def _length(length_ms: int, expected_ms: int | None) -> Length:
    if expected_ms is None:
        return Length.UNKNOWN
    if length_ms < expected_ms - LENGTH_TOLERANCE_MS:
        return Length.SHORT
    if length_ms > expected_ms + LENGTH_TOLERANCE_MS:
        return Length.LONG
    return Length.OK


def _direction(track: Track | None) -> AudioDirection:
    if track is None:
        return AudioDirection.MISSING
    if track.audible_ms >= SILENT_BELOW_MS:
        return AudioDirection.HEARD
    if 0 < track.length_ms <= track.blanked_ms:
        return AudioDirection.NOT_KEPT
    return AudioDirection.SILENT
