"""What can be seen and found in a recording: its outline, and whether the notice is in it.

The notice is looked for in pieces, by normalised cross-correlation: 1 is the same sound at any
loudness, 0 nothing of it. A piece alone can resemble something by chance; three that fit at the
same place are the notice, also beneath a voice that is twice as loud.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from asterisk_compliance.storage.recordings.assembly import AudioSamples

RATE = 8_000
PIECE = RATE * 2 // 5
AGREE = 3
LIKE = 0.3
_HOP = PIECE // 2
_MOST_PIECES = 24
_OF_ITS_END = 8
"""Of the end every piece is looked for: what is captured too early has the notice's end in it."""
_APART = 8
_BLOCK = RATE * 10
_SIZE = 1 << (_BLOCK + PIECE).bit_length()
_FLOOR = 8.0
_QUIET = 0.2


Signal: TypeAlias = NDArray[np.float64]


class NotLookedAt(ValueError):
    """The audio is not 16-bit PCM at 8 kHz, or the notice is too short to be recognised."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What a search came to.

    Attributes:
        pieces: How many pieces of the notice were looked for.
        best: The greatest similarity of any of them, 0 to 1.
        at_s: Where in the recording the notice itself would begin; ``None`` if it is not in it.
    """

    pieces: int
    best: float
    at_s: float | None

    @property
    def found(self) -> bool:
        return self.at_s is not None


def channels_of(wav: bytes) -> list[AudioSamples]:
    """The samples of each channel of a WAV file.

    Raises:
        NotLookedAt: it is not 16-bit PCM at 8 kHz.
    """
    try:
        with wave.open(io.BytesIO(wav)) as file:
            form = (file.getsampwidth(), file.getframerate())
            count = file.getnchannels()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise NotLookedAt(f"not a WAV file: {error}") from None
    if form != (2, RATE):
        raise NotLookedAt(f"{form[0] * 8} bits at {form[1]} Hz")
    table = np.frombuffer(data[: len(data) // (2 * count) * 2 * count], "<i2").reshape(-1, count)
    return [table[:, channel].astype(np.int16) for channel in range(count)]


def outline(channel: AudioSamples, columns: int) -> list[float]:
    """The loudest sample of each of ``columns`` equal parts, 0 to 1."""
    if not len(channel):
        return []
    edges = np.linspace(0, len(channel), min(columns, len(channel)) + 1).astype(int)[:-1]
    loudest = np.maximum.reduceat(np.abs(channel.astype(np.int32)), edges)
    return [float(value) / 32_768 for value in loudest]


class NoticeSearch:
    """Looks for one notice in recordings.

    Raises:
        NotLookedAt: there is too little of it.
    """

    def __init__(self, notice: AudioSamples) -> None:
        signal = _flat(notice)
        starts = range(0, len(signal) - PIECE + 1, _HOP)
        power = {start: _norm(signal[start : start + PIECE]) for start in starts}
        loud = [start for start in starts if power[start] > _QUIET * max(power.values())]
        loud = [start for start in loud if power[start] > _FLOOR * PIECE**0.5]
        if len(loud) < AGREE:
            raise NotLookedAt("the notice is too short, or silent")
        spread = np.linspace(0, len(loud) - 1, min(len(loud), _MOST_PIECES)).astype(int)
        chosen = {loud[at] for at in spread} | set(loud[-_OF_ITS_END:])
        self._pieces = [_Piece.of(start, signal) for start in sorted(chosen)]

    def look(self, channel: AudioSamples) -> Sought:
        """Look in one channel, block by block: an hour takes some fifteen seconds."""
        best, at_s = 0.0, None
        for begin in range(0, max(1, len(channel) - PIECE), _BLOCK):
            block = _flat(channel[begin : begin + _BLOCK + PIECE])
            if len(block) < PIECE:
                break
            hits = self._hits(block)
            best = max(best, *(like for like, _ in hits))
            place = _agreed([place for like, place in hits if like > LIKE])
            if place is not None and at_s is None:
                at_s = (begin + place) / RATE
        return Sought(len(self._pieces), best, at_s)

    def _hits(self, block: Signal) -> list[tuple[float, int]]:
        """Of each piece: the greatest similarity, and where the notice would begin there."""
        spectrum = np.fft.rfft(block, _SIZE)
        energy = np.concatenate(([0.0], np.cumsum(block**2)))
        local = np.sqrt(energy[PIECE:] - energy[:-PIECE] + PIECE * _FLOOR**2)
        hits = []
        for piece in self._pieces:
            product = np.fft.irfft(spectrum * piece.spectrum, _SIZE)
            likeness = product[: len(local)] / local
            place = int(np.argmax(likeness))
            hits.append((float(likeness[place]), place - piece.start))
        return hits


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of the notice, from sample ``start`` on; its spectrum is conjugate, of norm 1."""

    start: int
    spectrum: NDArray[np.complex128]

    @classmethod
    def of(cls, start: int, signal: Signal) -> _Piece:
        piece = signal[start : start + PIECE]
        return cls(start, np.conj(np.fft.rfft(piece / _norm(piece), _SIZE)))


def _agreed(places: list[int]) -> int | None:
    """Where enough pieces say that the notice begins."""
    for place in sorted(places):
        if sum(abs(other - place) <= _APART for other in places) >= AGREE:
            return place
    return None


def _flat(samples: AudioSamples) -> Signal:
    """Tilted upwards, so that not the lowest tones alone decide."""
    signal = samples.astype(np.float64)
    return signal - 0.95 * np.concatenate(([0.0], signal[:-1])) if len(signal) else signal


def _norm(signal: Signal) -> float:
    return float(np.sqrt(signal @ signal))
