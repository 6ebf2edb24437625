"""Finding a notice, or any fifth of a second of it, in audio.

Parties speak in tones above 1600 Hz, so notice and audio are low-passed at 1450 Hz first, and
tilted upwards, because the strong low harmonics of all voices resemble each other. Windows of the
notice (100 ms, every 50 ms) are slid along the audio by FFT; what correlates is a candidate.
Another voice, or the same voice a pitch period later, can correlate as well as 0.9. So the notice
is subtracted at the candidate's place, block by block, and what remains must be what G.711 itself
adds to samples of this size, or next to nothing. Gain does not matter, nor what the parties say
meanwhile; 200 ms that are mostly a pause, or quieter than the noise of G.711, cannot be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.g711 import Pcm
from lab.tones import RATE

_WINDOW = RATE // 10
_HOP = RATE // 20
_BLOCK = RATE // 100
_CANDIDATE = 0.6
"""Normalised correlation from which a window is looked at."""
_REST = 0.15
"""What may remain of a stretch once the notice is subtracted, as part of the notice."""
_NOISE = 1.2
"""What may remain besides, in multiples of the noise of G.711."""
_ENOUGH = RATE * 7 // 100
"""Samples that must be the notice's, pauses and what noise hides not counted."""
_APART = 4
"""Matches closer together than this are one, 0.5 ms."""
_QUIET = 0.03
"""Loudness, against the notice's loudest 100 ms, below which a part of it is not looked for."""
_FLOOR = 4.0
"""Noise that is always assumed, so that near silence matches nothing."""

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the notice found in audio.

    Attributes:
        notice_from_s: Where in the notice the part begins; ``notice_to_s`` where it ends.
        at_s: Where in the audio it begins.
    """

    notice_from_s: float
    notice_to_s: float
    at_s: float

    @property
    def length_s(self) -> float:
        return self.notice_to_s - self.notice_from_s

    @property
    def until_s(self) -> float:
        """Where in the audio it ends."""
        return self.at_s + self.length_s


class Hit(NamedTuple):
    """A window of the notice found; all in samples.

    Attributes:
        start: Where in the notice the window begins.
        place: Where in the audio the notice itself would begin.
        match: The normalised correlation.
    """

    start: int
    place: int
    match: float


def _low_pass() -> Signal:
    taps = np.arange(-100, 101)
    kernel: Signal = np.sinc(2 * 1450 / RATE * taps) * np.blackman(len(taps))
    kernel /= kernel.sum()
    return kernel


_KERNEL = _low_pass()


def low_band(pcm: Pcm) -> Signal:
    """The audio below 1450 Hz, tilted upwards by 6 dB an octave."""
    if not len(pcm):
        return np.zeros(0)
    low = np.convolve(pcm.astype(np.float64), _KERNEL)[100 : 100 + len(pcm)]
    return low - 0.9 * np.concatenate(([0.0], low[:-1]))


class NoticeSearch:
    """Looks for one notice in any number of recordings."""

    def __init__(self, notice: Pcm) -> None:
        self._notice = low_band(notice)
        self.length_s = len(notice) / RATE
        starts = range(0, max(1, len(self._notice) - _WINDOW + 1), _HOP)
        loudness = {start: _rms(self._notice[start : start + _WINDOW]) for start in starts}
        self._quiet = max(_QUIET * max(loudness.values()), _FLOOR)
        self._starts = [start for start in starts if loudness[start] > self._quiet]
        if len(self._starts) < 2:
            raise ValueError("the notice has nothing to be recognised by")
        blocks = self._notice[: len(self._notice) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
        loud = np.flatnonzero(np.sqrt((blocks**2).mean(axis=1)) > self._quiet)
        self.audible_from_s = float(loud[0]) * _BLOCK / RATE
        """Where in the notice its first sound is; ``audible_to_s`` the end of its last."""
        self.audible_to_s = float(loud[-1] + 1) * _BLOCK / RATE

    def find(self, pcm: Pcm) -> list[Stretch]:
        """Every stretch of the notice in ``pcm`` with 70 ms of sound or more, by its place."""
        if len(pcm) < _WINDOW + _HOP:
            return []
        audio, noise = low_band(pcm), _coding_noise(pcm)
        found: list[Stretch] = []
        for hit in sorted(self._hits(audio), key=lambda hit: -hit.match):
            middle = (hit.start + hit.place + _WINDOW // 2) / RATE
            if not any(stretch.at_s <= middle <= stretch.until_s for stretch in found):
                stretch = self._verified(audio, noise, hit)
                found += [stretch] if stretch else []
        return sorted(found, key=lambda stretch: stretch.at_s)

    def _hits(self, audio: Signal) -> list[Hit]:
        size = 1 << (len(audio) + _WINDOW).bit_length()
        spectrum = np.fft.rfft(audio, size)
        energy = np.concatenate(([0.0], np.cumsum(audio**2)))
        local = np.sqrt(energy[_WINDOW:] - energy[:-_WINDOW] + _WINDOW * _FLOOR**2)
        hits = []
        for start in self._starts:
            window = self._notice[start : start + _WINDOW]
            product = spectrum * np.conj(np.fft.rfft(window, size))
            match = np.fft.irfft(product, size)[: len(local)] / (local * np.linalg.norm(window))
            hits += [Hit(start, peak - start, float(match[peak])) for peak in _peaks(match)]
        return hits

    def _verified(self, audio: Signal, noise: Signal, best: Hit) -> Stretch | None:
        """Subtract the notice from the audio, block by block, outwards from the best window.

        A block counts when the notice is well above the noise in it; pauses and what the noise
        hides are stepped over, but a stretch neither begins nor ends with them.
        """
        low = max(0, -best.place)
        high = min(len(self._notice), len(audio) - best.place)
        inside = slice(best.start, best.start + _WINDOW)
        wanted, given = self._notice[inside], audio[best.start + best.place :][:_WINDOW]
        gain = float(given @ wanted / (wanted @ wanted))

        def follow(block: int, step: int) -> tuple[int, int]:
            """The last block that is the notice's in this direction, and how many are."""
            last, count = block - step, 0
            while low <= block and block + _BLOCK <= high:
                notice = gain * self._notice[block : block + _BLOCK]
                there = slice(block + best.place, block + best.place + _BLOCK)
                coding = _NOISE * _rms(noise[there])
                if _rms(audio[there] - notice) > np.hypot(_REST * _rms(notice), coding):
                    break
                if _rms(notice) > 2 * coding:
                    last, count = block, count + 1
                block += step
            return last, count

        middle = best.start + _WINDOW // 2
        last, after = follow(middle, _BLOCK)
        first, before = follow(middle - _BLOCK, -_BLOCK)
        if (before + after) * _BLOCK < _ENOUGH:
            return None
        return Stretch(first / RATE, (last + _BLOCK) / RATE, (first + best.place) / RATE)


def _coding_noise(pcm: Pcm) -> Signal:
    """What G.711 adds to samples of this size, below 1450 Hz: a step is 1/16 to 1/32 of them."""
    step = np.maximum(np.abs(pcm.astype(np.float64)) / 24, 8.0)
    share = 1450 / (RATE / 2)
    noise: Signal = step / np.sqrt(12) * np.sqrt(share) + _FLOOR
    return noise


def _rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(signal**2))) if len(signal) else 0.0


def _peaks(match: Signal) -> list[int]:
    above = np.flatnonzero(match > _CANDIDATE)
    groups = np.split(above, np.flatnonzero(np.diff(above) > _APART) + 1)
    return [int(group[np.argmax(match[group])]) for group in groups if len(group)]
