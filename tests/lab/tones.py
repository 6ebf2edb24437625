"""What each party says: a tone that changes every 100 ms, by which any part of it can be dated.

A party has four frequencies of its own. Which one sounds in which 100 ms slot follows a sequence
without equal neighbours, in which any six slots in a row occur once in 48.6 s. In the first 20 ms
of a slot the tone glides from the last frequency to the new one, so that it stays out of the band
below 1500 Hz, where a notice has its energy. All frequencies are multiples of 100 Hz: every 20 ms
frame, a glide too, holds whole cycles, and a few prepared frames a party are all there is to send.

The clock is ``time.monotonic()``: sample ``n`` of a party stands for ``epoch + n / 8000``.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lab.g711 import Pcm, ulaw_decode, ulaw_encode

RATE = 8000
FRAME = 160
"""Samples in one RTP packet, 20 ms."""
SLOT = 800
"""Samples for which one frequency sounds, 100 ms."""
AMPLITUDE = 6000
"""Three parties at once still fit into 16 bits."""


@dataclass(frozen=True, slots=True)
class Voice:
    """The four frequencies, in Hz, by which a party is told from the others."""

    name: str
    frequencies: tuple[int, int, int, int]


CALLER = Voice("caller", (1700, 1800, 1900, 2000))
AGENT = Voice("agent", (2100, 2200, 2300, 2400))
AGENT2 = Voice("agent2", (2500, 2600, 2700, 2800))
OTHER = Voice("other", (2900, 3000, 3100, 3200))
VOICES = (CALLER, AGENT, AGENT2, OTHER)


def _de_bruijn(letters: int, word: int) -> NDArray[np.intp]:
    """The sequence that has every word once: Lyndon words in order (Fredricksen, Maiorana)."""
    sequence: list[int] = []
    prefix = [0] * (word + 1)

    def extend(length: int, period: int) -> None:
        if length > word:
            if word % period == 0:
                sequence.extend(prefix[1 : period + 1])
            return
        prefix[length] = prefix[length - period]
        extend(length + 1, period)
        for letter in range(prefix[length - period] + 1, letters):
            prefix[length] = letter
            extend(length + 1, length)

    extend(1, 1)
    return np.array(sequence, np.intp)


def _letters() -> NDArray[np.intp]:
    """Steps of 1, 2 or 3 between neighbours, every five steps once; it closes in two rounds.

    No two neighbours are alike, so audio that is a slot too old looks like nothing it could be.
    """
    steps = np.tile(_de_bruijn(3, 5) + 1, 2)
    return np.cumsum(steps) % 4


LETTERS = _letters()
"""Which of a voice's four frequencies sounds in which slot; repeats after 486 slots."""
PERIOD = len(LETTERS) * SLOT
"""Samples after which a schedule repeats."""
PERIOD_S = PERIOD / RATE


@dataclass(frozen=True)
class Schedule:
    """A voice on the clock.

    Attributes:
        epoch: The time, on ``time.monotonic()``, for which sample 0 stands.
    """

    voice: Voice
    epoch: float
    _frames: dict[tuple[int, int], bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        frames = {
            (last, now): ulaw_encode(
                _glide(self.voice.frequencies[last], self.voice.frequencies[now])
            )
            for last in range(4)
            for now in range(4)
        }
        object.__setattr__(self, "_frames", frames)

    def letters(self, samples: NDArray[np.int64]) -> NDArray[np.intp]:
        """Which frequency, as 0 to 3, is nearest at each of these samples."""
        letters: NDArray[np.intp] = LETTERS[(samples - FRAME // 2) // SLOT % len(LETTERS)]
        return letters

    def frame(self, number: int) -> bytes:
        """The 20 ms from sample ``160 * number`` on, as mu-law."""
        slot, part = divmod(number, SLOT // FRAME)
        now = int(LETTERS[slot % len(LETTERS)])
        return self._frames[now if part else int(LETTERS[(slot - 1) % len(LETTERS)]), now]

    def pcm(self, first: int, count: int) -> Pcm:
        """``count`` samples from sample ``first`` on, as they sound after mu-law."""
        number, skip = divmod(first, FRAME)
        frames = range(number, (first + count - 1) // FRAME + 1)
        return ulaw_decode(b"".join(map(self.frame, frames)))[skip : skip + count]

    def sample_at(self, clock: float) -> int:
        return round((clock - self.epoch) * RATE)

    def clock_of(self, sample: float) -> float:
        return self.epoch + sample / RATE


def _glide(hz: int, to_hz: int) -> Pcm:
    """One frame that begins at one frequency and ends at the other."""
    at = np.arange(FRAME)
    cycles = (hz * at + (to_hz - hz) * at**2 / (2 * FRAME)) / RATE
    tone: Pcm = np.rint(AMPLITUDE * np.sin(2 * np.pi * cycles)).astype(np.int16)
    return tone
