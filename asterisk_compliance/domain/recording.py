"""When is a recording what was promised? A pure judgement over what was measured on disk.

"Recorded" is said in levels, each a row of its own: requested (the dialplan was asked),
started (Asterisk says so), growing (bytes on disk), closed (complete, digested, both directions
judged). A recording that was promised and is missing, short or one-sided is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WAV_HEADER_BYTES = 44
"""What MixMonitor writes before the first sample (format_wav.c)."""

LENGTH_TOLERANCE_MS = 1_000
"""Clocks of bridge events and of the audio hook differ; beyond this a length is wrong."""

SILENT_BELOW_MS = 40
"""A direction with less audible sound than two frames of 20 ms is silent."""


class Capture(StrEnum):
    """Where the recording of a call stands."""

    NONE = "none"
    REQUESTED = "requested"
    STARTED = "started"
    GROWING = "growing"
    STALLED = "stalled"
    ENDED = "ended"


class Outcome(StrEnum):
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


class Direction(StrEnum):
    HEARD = "heard"
    SILENT = "silent"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Track:
    """One direction as found on disk.

    Attributes:
        length_ms: Of the samples that are there.
        audible_ms: Of the frames whose level is above digital silence.
        sha256: Of the file's bytes, hex.
        closed: The WAV header states the size that the file has.
    """

    length_ms: int
    audible_ms: int
    sha256: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """Both directions, and the joined recording.

    Attributes:
        rx, tx: From the channel (the caller) and to it (everybody else); ``None``: no file.
        joined_sha256: Of the stereo WAV in the vault, hex; empty when nothing was joined.
        joined_bytes: Its size.
    """

    rx: Track | None
    tx: Track | None
    joined_sha256: str = ""
    joined_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    expected_ms: int | None = None
    length_ms: int = 0
    length: Length = Length.UNKNOWN
    rx: Direction = Direction.MISSING
    tx: Direction = Direction.MISSING
    header_closed: bool = True
    problem: str = ""
    sha256: str = ""
    rx_sha256: str = ""
    tx_sha256: str = ""

    @property
    def whole(self) -> bool:
        """Whether the recording is what was promised."""
        return (
            self.outcome is Outcome.CLOSED
            and self.length in {Length.OK, Length.UNKNOWN}
            and self.rx is Direction.HEARD
            and self.tx is Direction.HEARD
            and self.header_closed
        )


def judge(measured: Measured, expected_ms: int | None) -> Verdict:
    """Say what the recording is, from what was measured and how long it should be."""
    tracks = [track for track in (measured.rx, measured.tx) if track is not None]
    if not tracks:
        return Verdict(Outcome.MISSING, expected_ms)
    length_ms = max(track.length_ms for track in tracks)
    if length_ms == 0:
        return Verdict(Outcome.EMPTY, expected_ms, length=_length(0, expected_ms))
    return Verdict(
        Outcome.CLOSED,
        expected_ms,
        length_ms=length_ms,
        length=_length(length_ms, expected_ms),
        rx=_direction(measured.rx),
        tx=_direction(measured.tx),
        header_closed=all(track.closed for track in tracks),
        sha256=measured.joined_sha256,
        rx_sha256=measured.rx.sha256 if measured.rx else "",
        tx_sha256=measured.tx.sha256 if measured.tx else "",
    )


def _length(length_ms: int, expected_ms: int | None) -> Length:
    if expected_ms is None:
        return Length.UNKNOWN
    if length_ms < expected_ms - LENGTH_TOLERANCE_MS:
        return Length.SHORT
    if length_ms > expected_ms + LENGTH_TOLERANCE_MS:
        return Length.LONG
    return Length.OK


def _direction(track: Track | None) -> Direction:
    if track is None:
        return Direction.MISSING
    return Direction.HEARD if track.audible_ms >= SILENT_BELOW_MS else Direction.SILENT
