"""A short notice for tests: sounds like speech to a correlator, and never like another one."""

from pathlib import Path

import numpy as np

from lab.g711 import Pcm
from lab.tones import RATE
from lab.wav import write_wav

_PEAK = 9000


def synthetic_notice(seconds: float = 1.0, seed: int = 1) -> Pcm:
    """Gliding partials below 1400 Hz in syllables of 120 to 220 ms, different for every seed."""
    chance = np.random.default_rng(seed)
    count = round(seconds * RATE)
    time = np.arange(count) / RATE
    sound = np.zeros(count)
    for low, high in ((120, 350), (300, 600), (500, 900), (800, 1150), (1050, 1400)):
        bends = chance.uniform(low, high, max(3, round(seconds * 9)))
        glide = np.interp(time, np.linspace(0, seconds, len(bends)), bends)
        sound += np.sin(2 * np.pi * np.cumsum(glide) / RATE + chance.uniform(0, 6)) / low**0.3
    loudness = np.zeros(count)
    at = 0
    while at < count:
        length = round(chance.uniform(0.12, 0.22) * RATE)
        loudness[at : at + length] = np.sin(np.linspace(0, np.pi, length))[: count - at] ** 0.5
        at += round(length * chance.uniform(0.9, 1.15))
    sound *= 0.15 + 0.85 * loudness
    sound[:80] *= np.linspace(0, 1, 80)
    sound[-80:] *= np.linspace(1, 0, 80)
    pcm: Pcm = np.rint(sound / np.abs(sound).max() * _PEAK).astype(np.int16)
    return pcm


def write_notice(path: Path, seconds: float = 1.0, seed: int = 1) -> Pcm:
    """Write a synthetic notice as a WAV file at 8 kHz, and return it."""
    pcm = synthetic_notice(seconds, seed)
    write_wav(path, pcm)
    return pcm
