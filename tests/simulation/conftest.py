from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from lab.asterisk import Asterisk
from lab.rootfs import obtain
from lab.wav import write_wav
from simulation.contract import TONE_S
from simulation.labs import EXTENSIONS


@pytest.fixture(scope="module")
def real() -> Iterator[Asterisk]:
    """One real Asterisk for all scripts."""
    asterisk = Asterisk(obtain(), extensions=EXTENSIONS)
    try:
        asyncio.run(asterisk.start())
        tone = np.full(int(TONE_S * 8_000), 3_000, np.int16)
        write_wav(asterisk.sounds_here / "en/tone.wav", tone)
        yield asterisk
    finally:
        asyncio.run(asterisk.kill())
        asterisk.remove()
