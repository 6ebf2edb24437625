"""Digits as the two tones that a telephone sends in the voice path, and read back from audio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lab.g711 import Pcm
from lab.tone_spans import amplitudes
from lab.tones import FRAME, RATE

_LOW, _HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")
_AMPLITUDE = 5_000
_AUDIBLE = 300.0
"""24 dB below what is sent: a digit that is heard at all is found."""
_WINDOW, _HOP = 2 * FRAME, FRAME // 2
TONE_S = PAUSE_S = 0.06


def dtmf(digits: str) -> Pcm:
    """Each digit for 60 ms, and as much silence after it."""
    time = np.arange(round(TONE_S * RATE)) / RATE
    silence = np.zeros(round(PAUSE_S * RATE))
    parts: list[NDArray[np.float64]] = []
    for digit in digits:
        row = next(at for at, keys in enumerate(_KEYS) if digit in keys)
        low, high = _LOW[row], _HIGH[_KEYS[row].index(digit)]
        sound = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
        parts += [_AMPLITUDE * sound, silence]
    pcm: Pcm = np.rint(np.concatenate(parts)).astype(np.int16)
    return pcm


def heard_digits(pcm: Pcm) -> str:
    """The digits in the audio: in each 40 ms both tones of a digit, and little beside them."""
    low, high = (amplitudes(pcm, group, _WINDOW, _HOP) for group in (_LOW, _HIGH))
    if not low.size:
        return ""
    both = np.minimum(low.max(axis=0), high.max(axis=0)) > _AUDIBLE
    clear = (low.max(axis=0) > 0.7 * low.sum(axis=0)) & (high.max(axis=0) > 0.7 * high.sum(axis=0))
    found, last = "", ""
    for row, column, there in zip(
        low.argmax(axis=0), high.argmax(axis=0), both & clear, strict=True
    ):
        digit = _KEYS[row][column] if there else ""
        if digit and digit != last:
            found += digit
        last = digit
    return found
