"""Recorded files: measured, joined to one stereo recording, sealed, and taken out of the spool.

MixMonitor writes one WAV per direction (``docs/decisions/0002-two-directions.md``): ``rx`` is
what came from the caller's channel, ``tx`` what was sent to it. Both begin with the same sample.
The joined recording has the caller on the left channel and everybody else on the right. It has
two channels also when the others were not captured: a plain player, and whoever compares times,
then needs no second rule, and the right one is silent. It is joined, digested and encrypted in one
pass (``vault.py``), so that nothing of it but the two files of the spool is ever there in plain.

Blocking by nature: call these functions in a worker thread.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from asterisk_compliance.domain.recording.verdict import (
    SILENCE_COUNTS_FROM_MS,
    WAV_HEADER_BYTES,
    AudioSpan,
    Expected,
    Measured,
    Track,
    disjoint,
    overlap,
    span,
)
from asterisk_compliance.errors import RecordingUnreadable
from asterisk_compliance.ids import RecordingId, spool_name
from asterisk_compliance.storage.recordings.vault import put

SAMPLE_RATE = 8_000
DIRECTIONS = ("rx", "tx")

_PER_MS = SAMPLE_RATE // 1_000
_FRAME = SAMPLE_RATE // 50
_CHUNK_SAMPLES = 800 * _FRAME
_AUDIBLE_POWER = 30.0**2
"""Mean square of a 20 ms frame above which it is sound: about -60 dB below full scale."""

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")

_Bytes = TypeVar("_Bytes", bytes, memoryview)

AudioSamples = NDArray[np.int16]
Flags = NDArray[np.bool_]


def wav_header(samples: int, channels: int) -> bytes:
    """The 44 bytes before ``samples`` frames of 16-bit PCM at 8 kHz (RIFF, WAVE_FORMAT_PCM)."""
    frame = 2 * channels
    size = samples * frame
    return _HEADER.pack(
        b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, channels, SAMPLE_RATE,
        SAMPLE_RATE * frame, frame, 16, b"data", size,
    )  # fmt: skip


def is_closed(path: Path) -> bool:
    """Whether the header states the size of the samples behind it: Asterisk has finished.

    A file without a sample proves nothing: its header says 0 from the start, and up to 32 KiB
    of audio may still be in Asterisk's buffer.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # before the header, which may follow it
            header = file.read(WAV_HEADER_BYTES)
    except OSError:
        return False
    return size > WAV_HEADER_BYTES and int(_HEADER.unpack(header)[-1]) == size - WAV_HEADER_BYTES


def has_audio(path: Path | str) -> bool:
    """Whether there is more than a header."""
    try:
        return os.stat(path).st_size > WAV_HEADER_BYTES  # noqa: PTH116 - a path need not be made
    except OSError:
        return False


def captured(expected: Expected) -> tuple[str, ...]:
    """The directions that Asterisk was told to write."""
    return DIRECTIONS if expected.others else DIRECTIONS[:1]


def measure_and_join(
    spool: Path,
    recording: RecordingId,
    vault: Path,
    expected: Expected,
    recipients: Sequence[str] = (),
) -> Measured:
    """Read both directions once: digest, length, audible time, and the stereo recording.

    What must not be kept is silence in the recording before anything of it is written or digested.
    A direction that was never to be captured is not read, not even where a file of it is found.
    The recording appears in ``vault`` whole or not at all, encrypted if there are ``recipients``
    (:func:`~asterisk_compliance.storage.recordings.vault.put`). Nothing is joined when there are no
    samples.

    Raises:
        RecordingUnreadable: a file is not 16-bit mono PCM at 8 kHz.
        SealingFailed, OSError: as of ``put``; nothing of the recording is then in the vault.
    """
    with ExitStack() as opened:
        found = {
            direction: _Reader.open(spool / spool_name(recording, direction), opened)
            for direction in captured(expected)
        }
        rx, tx = (found.get(direction) for direction in DIRECTIONS)
        there = [reader for reader in (rx, tx) if reader is not None]
        length = max((reader.samples for reader in there), default=0)
        closed = all(reader.closed for reader in there)
        written_ms = max((reader.written_unix_ms for reader in there), default=0)
        expected = expected.ended(written_ms).found(length // _PER_MS, closed=closed)
        joining = _Joining(
            length, [expected.blanked(length, _PER_MS, others=others) for others in (False, True)]
        )
        sealed = None
        if length > 0:
            sealed = put(vault, recording, joining.chunks(rx, tx), recipients)
        return Measured(
            rx=rx.track(joining, 0) if rx else None,
            tx=tx.track(joining, 1) if tx else None,
            joined_sha256=joining.digest.hexdigest() if length > 0 else "",
            joined_bytes=joining.size,
            lost=joining.lost(expected) if expected.others else (),
            sealed=sealed,
        )


def read_length_ms(wav: bytes, rate: int = SAMPLE_RATE) -> int:
    """Length of a prompt: 16-bit mono PCM at ``rate`` Hz, with the canonical 44-byte header.

    Raises:
        RecordingUnreadable: it is anything else, or its header does not state its size.
    """
    if len(wav) < WAV_HEADER_BYTES:
        raise RecordingUnreadable("is not a WAV file")
    fields = _HEADER.unpack(wav[:WAV_HEADER_BYTES])
    if fields[0] != b"RIFF" or fields[5:8] != (1, 1, rate) or fields[10] != 16:
        raise RecordingUnreadable(f"is not 16-bit mono PCM at {rate} Hz")
    if fields[-1] != len(wav) - WAV_HEADER_BYTES:
        raise RecordingUnreadable("does not state its size, or holds more than sound")
    return int(fields[-1]) // 2 * 1_000 // rate


def remove_spooled(spool: Path, recording: RecordingId) -> int:
    """Delete what the recording left in the spool, and look that it is gone.

    Returns:
        How many files were removed; 0 when an earlier run did it.

    Raises:
        OSError: a file could not be removed, or is still there.
    """
    removed = 0
    for direction in DIRECTIONS:
        path = spool / spool_name(recording, direction)
        if path.exists():
            path.unlink()
            removed += 1
        if path.exists():
            raise FileExistsError(f"{path.name} is still there")
    return removed


@dataclass(slots=True)
class _Joining:
    """Two directions on their way to one recording.

    Attributes:
        length: Samples of the longer direction.
        blanked: What of the left and of the right track must not be kept, in samples.
        audible: Of each whole frame of 20 ms: whether the left, the right track has sound.
    """

    length: int
    blanked: list[tuple[AudioSpan, ...]]
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    size: int = 0
    audible: Flags = field(init=False)

    def __post_init__(self) -> None:
        self.audible = np.zeros((self.length // _FRAME, 2), np.bool_)

    def chunks(self, rx: _Reader | None, tx: _Reader | None) -> Iterator[bytes | memoryview]:
        """The recording's bytes, looked at and digested on their way; not kept by us."""
        yield self._digested(wav_header(self.length, 2))
        for start, frames in self._frames(rx, tx):
            self._blank(start, frames)
            self._listen(start, frames)
            yield self._digested(frames.data.cast("B"))

    def lost(self, expected: Expected) -> tuple[AudioSpan, ...]:
        """The doubts, in ms, in which no frame of the right track has sound.

        What of a doubt was blanked tells nothing: at least a second besides must be left.
        """
        found = []
        for doubt in expected.doubts:
            begin, end = span(doubt, self.length, _PER_MS)
            left = end - begin - overlap(self.blanked[1], begin, end)
            heard = self.audible[-(-begin // _FRAME) : end // _FRAME, 1].any()
            if left >= SILENCE_COUNTS_FROM_MS * _PER_MS and not heard:
                found.append((begin // _PER_MS, end // _PER_MS))
        return disjoint(found)

    def _frames(self, rx: _Reader | None, tx: _Reader | None) -> Iterator[tuple[int, AudioSamples]]:
        silence = np.zeros(_CHUNK_SAMPLES, np.int16)
        left, right = _chunks(rx, silence), _chunks(tx, silence)
        for start in range(0, self.length, _CHUNK_SAMPLES):
            count = min(_CHUNK_SAMPLES, self.length - start)
            yield start, np.stack((next(left)[:count], next(right)[:count]), axis=1)

    def _blank(self, start: int, frames: AudioSamples) -> None:
        for track, spans in enumerate(self.blanked):
            for begin, end in spans:
                frames[max(begin - start, 0) : max(end - start, 0), track] = 0

    def _listen(self, start: int, frames: AudioSamples) -> None:
        count, first = len(frames) // _FRAME, start // _FRAME
        for track in (0, 1):  # one after the other is four times as fast
            whole = frames[: count * _FRAME, track].astype(np.float32).reshape(-1, _FRAME)
            power = np.einsum("ij,ij->i", whole, whole) / _FRAME
            self.audible[first : first + count, track] = power > _AUDIBLE_POWER

    def _digested(self, data: _Bytes) -> _Bytes:
        self.digest.update(data)
        self.size += len(data)
        return data


def _chunks(reader: _Reader | None, silence: AudioSamples) -> Iterator[AudioSamples]:
    """Chunks of one direction, filled up with silence for ever."""
    if reader is not None:
        for chunk in reader.chunks():
            missing = _CHUNK_SAMPLES - len(chunk)
            yield np.concatenate((chunk, silence[:missing])) if missing else chunk
    while True:
        yield silence


@dataclass(slots=True)
class _Reader:
    """One direction, read once from front to end.

    Attributes:
        rest: Bytes behind the last whole sample, which are digested and not kept.
        written_unix_ms: When it was last written to, rounded up.
    """

    file: BinaryIO
    samples: int
    closed: bool
    digest: hashlib._Hash
    rest: int = 0
    written_unix_ms: int = 0

    @classmethod
    def open(cls, path: Path, opened: ExitStack) -> _Reader | None:
        try:
            file = opened.enter_context(path.open("rb"))
        except FileNotFoundError:
            return None
        header = file.read(WAV_HEADER_BYTES)
        status = os.fstat(file.fileno())
        size, written_ms = status.st_size, -(-status.st_mtime_ns // 1_000_000)
        digest = hashlib.sha256(header)
        if len(header) < WAV_HEADER_BYTES:  # Asterisk died before it wrote the header
            return cls(file, 0, closed=False, digest=digest)
        fields = _HEADER.unpack(header)
        if fields[0] != b"RIFF" or fields[5:8] != (1, 1, SAMPLE_RATE) or fields[10] != 16:
            raise RecordingUnreadable(f"{path.name} is not 16-bit mono PCM at 8 kHz")
        data = size - WAV_HEADER_BYTES
        closed = fields[-1] == data
        return cls(file, data // 2, closed, digest, rest=data % 2, written_unix_ms=written_ms)

    def chunks(self) -> Iterator[AudioSamples]:
        left = self.samples
        while left > 0:
            data = self.file.read(min(_CHUNK_SAMPLES, left) * 2)
            if not data:
                return
            self.digest.update(data)
            chunk = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2")
            left -= len(chunk)
            yield chunk

    def track(self, joining: _Joining, channel: int) -> Track:
        """After it was joined: what it is, as the track ``channel`` of the recording."""
        self.digest.update(self.file.read(self.rest))
        blanked = overlap(joining.blanked[channel], 0, self.samples)
        return Track(
            length_ms=self.samples // _PER_MS,
            audible_ms=int(np.count_nonzero(joining.audible[:, channel])) * 20,
            sha256=self.digest.hexdigest(),
            closed=self.closed,
            blanked_ms=-(-blanked // _PER_MS),
        )
