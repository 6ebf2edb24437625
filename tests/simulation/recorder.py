"""MixMonitor as the simulated Asterisk runs it: real WAV files whose samples say who was heard.

Each party has a bit, and a sample is the set of parties that are heard in it, so that whatever is
left of a file can be read back as who is in it. Beside the files stands what only the simulation
knows: when each stretch was said, and whether it may be kept.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asterisk_compliance.storage.recordings.assembly import wav_header
from asterisk_compliance.storage.recordings.inotify import CLOSED, CREATED, MODIFIED

RATE, FRAME = 8_000, 160
FLUSH_SAMPLES = 16_384
"""A file grows by so much at once: 32 KiB (docs/asterisk-facts.md, "MixMonitor")."""
KERNEL_TICK_S = 0.004
SHIFT = 6
"""The bit of the first party stands so high in a sample that it is loud enough to be sound."""

Tell = Callable[[str, int], None]
Wall = Callable[[], float]


@dataclass(eq=False)
class Party:
    """Somebody on a channel.

    Attributes:
        bit: By which its voice is known in a file.
        covered: Its voice may be kept now, by what really happened to it.
        why_not: What is wrong if it is kept all the same.
    """

    name: str
    bit: int
    covered: bool = False
    why_not: str = "has not heard the notice"


@dataclass(frozen=True)
class Stretch:
    """Consecutive samples of both files: who is heard from when on, and who must not be kept."""

    begin: int
    samples: int
    at_s: float
    rx: int
    tx: int
    not_kept_rx: int
    not_kept_tx: int


@dataclass
class Truth:
    """What is really in the files of one recording.

    Attributes:
        closed: Asterisk ended it in order; else it died under it.
        asked_others: The others' direction was to be captured too.
    """

    recording: str
    channel: str
    stretches: list[Stretch] = field(default_factory=list)
    closed: bool = False
    others: bool = True
    written: int = 0

    @property
    def samples(self) -> int:
        return self.stretches[-1].begin + self.stretches[-1].samples if self.stretches else 0


class MixMonitor:
    """One MixMonitor on one channel.

    Attributes:
        id: What MixMonitor's option ``i()`` gives.
        muted: Directions that are silence now: ``read`` (the channel), ``write`` (the others).
    """

    def __init__(
        self,
        truth: Truth,
        spool: Path,
        monitor_id: str,
        tell: Tell,
        heard: Callable[[], tuple[bool, Party, Iterable[Party]]],
        wall: Wall,
        *,
        bridged_only: bool,
        now_s: float,
    ) -> None:
        self.id, self.truth = monitor_id, truth
        self.muted: set[str] = set()
        self._heard, self._tell, self._wall = heard, tell, wall
        self._bridged_only = bridged_only
        self._since_s, self._carry = now_s, 0.0
        directions = ("rx", "tx") if truth.others else ("rx",)
        self._files = [(one, spool / f"{truth.recording}-{one}.wav") for one in directions]
        self._pending: list[tuple[int, int, int]] = []
        for _, path in self._files:
            path.write_bytes(wav_header(0, 1))
            self._dated(path)
            tell(path.name, CREATED)
            tell(path.name, MODIFIED)

    def hear(self, now_s: float) -> None:
        """Take in what was said until now; called before anything about it changes."""
        passed = (now_s - self._since_s) * RATE + self._carry
        samples, at_s = int(passed) // FRAME * FRAME, self._since_s - self._carry / RATE
        self._since_s, self._carry = now_s, passed - samples
        bridged, told, others = self._heard()
        if samples <= 0 or (self._bridged_only and not bridged):
            return
        loud = [] if "write" in self.muted or not self.truth.others else list(others)
        rx = 0 if "read" in self.muted else told.bit
        tx = sum(party.bit for party in loud)
        bad_rx = 0 if told.covered else rx
        bad_tx = sum(party.bit for party in loud if not party.covered)
        stretch = Stretch(self.truth.samples, samples, at_s, rx, tx, bad_rx, bad_tx)
        self.truth.stretches.append(stretch)
        self._pending.append((samples, rx, tx))
        waiting = sum(count for count, _, _ in self._pending)
        if waiting >= FLUSH_SAMPLES:
            self._flush(waiting - waiting % FLUSH_SAMPLES)

    def close(self, now_s: float) -> None:
        self.hear(now_s)
        self._flush(sum(count for count, _, _ in self._pending))
        self.truth.closed = True
        for _, path in self._files:
            if not path.exists():
                continue
            with path.open("r+b") as file:
                size = path.stat().st_size - 44
                file.seek(4)
                file.write(struct.pack("<I", 36 + size))
                file.seek(40)
                file.write(struct.pack("<I", size))
            self._dated(path)
            self._tell(path.name, MODIFIED)
            self._tell(path.name, CLOSED)

    def die(self, now_s: float) -> None:
        """Asterisk is killed: what it had not written is lost, and no header is finished."""
        self.hear(now_s)
        for _, path in self._files:
            self._tell(path.name, CLOSED)

    def _dated(self, path: Path) -> None:
        """As the kernel dates what was written: by the clock on the wall, up to 4 ms behind."""
        at_s = self._wall() - KERNEL_TICK_S
        os.utime(path, (at_s, at_s))

    def _flush(self, samples: int) -> None:
        if samples <= 0:
            return
        rx, tx, left = [], [], samples
        while left:
            count, one, other = self._pending[0]
            taken = min(count, left)
            rx.append(np.full(taken, one << SHIFT, "<i2"))
            tx.append(np.full(taken, other << SHIFT, "<i2"))
            left -= taken
            if taken == count:
                self._pending.pop(0)
            else:
                self._pending[0] = (count - taken, one, other)
        self.truth.written += samples
        for (_, path), parts in zip(self._files, (rx, tx), strict=False):
            if not path.exists():
                continue
            with path.open("ab") as file:
                file.write(np.concatenate(parts).tobytes())
            self._dated(path)
            self._tell(path.name, MODIFIED)
