"""Recorded files: measured, joined to one stereo recording, and taken out of the spool.

MixMonitor writes one WAV per direction (``docs/decisions/0002-two-directions.md``): ``rx`` is
what came from the caller's channel, ``tx`` what was sent to it. Both begin with the same sample.
The joined recording has the caller on the left channel and everybody else on the right.

Blocking by nature: call these functions in a worker thread.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from asterisk_compliance.domain.recording import WAV_HEADER_BYTES, Measured, Track
from asterisk_compliance.errors import RecordingUnreadable
from asterisk_compliance.ids import RecordingId, spool_name
from asterisk_compliance.storage.files import sync_directory

SAMPLE_RATE = 8_000
DIRECTIONS = ("rx", "tx")

_CHUNK_SAMPLES = 1 << 17
_FRAME = SAMPLE_RATE // 50
_AUDIBLE_POWER = 30.0**2
"""Mean square of a 20 ms frame above which it is sound: about -60 dB below full scale."""

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")

Samples = NDArray[np.int16]


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


def has_audio(path: Path) -> bool:
    """Whether there is more than a header."""
    try:
        return path.stat().st_size > WAV_HEADER_BYTES
    except OSError:
        return False


def measure_and_join(spool: Path, recording: RecordingId, vault: Path) -> Measured:
    """Read both directions once: digest, length, audible time, and the stereo recording.

    The recording appears in ``vault`` whole or not at all (written aside, synced, renamed), and
    replaces one that an interrupted run left. Nothing is joined when there are no samples.

    Raises:
        RecordingUnreadable: a file is not 16-bit mono PCM at 8 kHz.
        OSError: the disk; nothing of the recording is then in the vault.
    """
    with ExitStack() as opened:
        rx, tx = (
            _Reader.open(spool / spool_name(recording, direction), opened)
            for direction in DIRECTIONS
        )
        length = max(reader.samples if reader else 0 for reader in (rx, tx))
        digest, size = ("", 0) if length == 0 else _join(rx, tx, length, vault, recording)
        return Measured(
            rx=rx.track() if rx else None,
            tx=tx.track() if tx else None,
            joined_sha256=digest,
            joined_bytes=size,
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
        raise RecordingUnreadable("has a header that does not state its size")
    return int(fields[-1]) // 2 * 1_000 // rate


def vault_path(vault: Path, recording: RecordingId) -> Path:
    return vault / f"{recording}.wav"


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


def _join(
    rx: _Reader | None, tx: _Reader | None, length: int, vault: Path, recording: RecordingId
) -> tuple[str, int]:
    digest = hashlib.sha256()
    target = vault_path(vault, recording)
    aside = target.with_suffix(".part")
    silence = np.zeros(_CHUNK_SAMPLES, np.int16)
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            size = out.write(header := wav_header(length, 2))
            digest.update(header)
            left, right = _chunks(rx, silence), _chunks(tx, silence)
            for start in range(0, length, _CHUNK_SAMPLES):
                count = min(_CHUNK_SAMPLES, length - start)
                frames = np.stack((next(left)[:count], next(right)[:count]), axis=1)
                data = np.ascontiguousarray(frames).tobytes()
                digest.update(data)
                size += out.write(data)
            out.flush()
            os.fsync(out.fileno())
        aside.rename(target)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_directory(vault)
    return digest.hexdigest(), size


def _chunks(reader: _Reader | None, silence: Samples) -> Iterator[Samples]:
    """Chunks of one direction, filled up with silence for ever."""
    if reader is not None:
        for chunk in reader.chunks():
            missing = _CHUNK_SAMPLES - len(chunk)
            yield np.concatenate((chunk, silence[:missing])) if missing else chunk
    while True:
        yield silence


@dataclass(slots=True)
class _Reader:
    """One direction, read once from front to end."""

    file: BinaryIO
    samples: int
    closed: bool
    digest: hashlib._Hash
    audible_frames: int = 0

    @classmethod
    def open(cls, path: Path, opened: ExitStack) -> _Reader | None:
        try:
            file = opened.enter_context(path.open("rb"))
        except FileNotFoundError:
            return None
        header = file.read(WAV_HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(header)
        if len(header) < WAV_HEADER_BYTES:  # Asterisk died before it wrote the header
            return cls(file, 0, closed=False, digest=digest)
        fields = _HEADER.unpack(header)
        if fields[0] != b"RIFF" or fields[5:8] != (1, 1, SAMPLE_RATE) or fields[10] != 16:
            raise RecordingUnreadable(f"{path.name} is not 16-bit mono PCM at 8 kHz")
        data = size - WAV_HEADER_BYTES
        return cls(file, data // 2, closed=fields[-1] == data, digest=digest)

    def chunks(self) -> Iterator[Samples]:
        left = self.samples
        while left > 0:
            data = self.file.read(min(_CHUNK_SAMPLES, left) * 2)
            if not data:
                return
            self.digest.update(data)
            chunk = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2")
            left -= len(chunk)
            whole = chunk[: len(chunk) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float32)
            power = np.einsum("ij,ij->i", whole, whole) / _FRAME
            self.audible_frames += int(np.count_nonzero(power > _AUDIBLE_POWER))
            yield chunk

    def track(self) -> Track:
        for _ in self.chunks():  # what nobody asked for yet: an empty joined length
            pass
        return Track(
            length_ms=self.samples * 1_000 // SAMPLE_RATE,
            audible_ms=self.audible_frames * 20,
            sha256=self.digest.hexdigest(),
            closed=self.closed,
        )
