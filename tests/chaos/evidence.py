"""What a run leaves for the judge: a directory, in plain files.

::

    calls.json    every call that was dialled: what both telephones did, and when
    faults.json   what was broken, and when
    heard/        what each telephone received, as WAV
    notice.wav    the notice
    Master.csv    Asterisk's own record of calls
    rows.jsonl    the exported audit log
    vault/ spool/ the files, as they were at the end

Clock times are ``time.monotonic()``.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from lab.rtp import Heard
from lab.tones import VOICES, Schedule
from lab.wav import read_wav

VOICE_OF = {voice.name: voice for voice in VOICES}


@dataclass(slots=True)
class Side:
    """One telephone in one call.

    Attributes:
        heard: File of what it received, below ``heard/``; ``clock`` is the time of its first
            sample.
        spoke: From when to when it sent audio.
    """

    voice: str
    heard: str = ""
    clock: float = 0.0
    spoke: tuple[float, float] | None = None


@dataclass(slots=True)
class Dialled:
    """A call, as the telephones saw it.

    Attributes:
        number: By which Asterisk's CDR knows who called.
        guest: To whom the agent transferred the caller; he did not come through the service.
        channel: The caller's channel, as the agent's telephone was told it; empty if none rang.
        bridged: From when to when both were connected, as far as both telephones can tell.
    """

    number: str
    since: float
    caller: Side
    until: float = 0.0
    agent: Side | None = None
    guest: Side | None = None
    channel: str = ""
    bridged: tuple[float, float] | None = None


@dataclass(slots=True)
class Fault:
    kind: str
    since: float
    until: float = 0.0


@dataclass(slots=True)
class Evidence:
    """The directory, read."""

    directory: Path
    epoch: float
    seed: int
    calls: list[Dialled]
    faults: list[Fault]
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, directory: Path) -> Self:
        found = json.loads((directory / "calls.json").read_text())
        calls = [_dialled(one) for one in found["calls"]]
        faults = [Fault(**one) for one in json.loads((directory / "faults.json").read_text())]
        rows = [json.loads(line) for line in (directory / "rows.jsonl").read_text().splitlines()]
        return cls(directory, found["epoch"], found["seed"], calls, faults, rows)

    def write(self) -> None:
        """All but what the telephones heard and what the site left."""
        found = {
            "epoch": self.epoch,
            "seed": self.seed,
            "calls": [asdict(call) for call in self.calls],
        }
        (self.directory / "calls.json").write_text(json.dumps(found, indent=1))
        faults = json.dumps([asdict(fault) for fault in self.faults], indent=1)
        (self.directory / "faults.json").write_text(faults)

    def schedule(self, voice: str) -> Schedule:
        return Schedule(VOICE_OF[voice], self.epoch)

    def heard(self, side: Side) -> Heard:
        return Heard(read_wav(self.directory / "heard" / side.heard)[0], side.clock)

    def cdrs(self) -> dict[str, tuple[str, str]]:
        """By the caller's number: the channel's id, and what the dialplan said of the call.

        ``Master.csv`` ends with answer, duration, seconds, disposition, flags, id, user field.
        """
        file = self.directory / "Master.csv"
        if not file.exists():
            return {}
        with file.open(newline="", errors="replace") as lines:
            return {line[1]: (line[-2], line[-1]) for line in csv.reader(lines) if len(line) > 3}

    def died_under(self, dialled: Dialled) -> bool:
        """Whether Asterisk itself was ended while this call was there."""
        return any(
            fault.kind in {"asterisk_killed", "asterisk_restarted"}
            and fault.since <= dialled.until
            and dialled.since <= fault.until
            for fault in self.faults
        )

    def channel_of(self, dialled: Dialled) -> str:
        """The caller's channel: as Asterisk recorded it, else as the agent's telephone was told."""
        return self.cdrs().get(dialled.number, (dialled.channel, ""))[0]

    def files(self, below: str) -> list[Path]:
        return sorted(path for path in (self.directory / below).rglob("*") if path.is_file())


def _dialled(found: dict[str, Any]) -> Dialled:
    agent, guest = found.pop("agent"), found.pop("guest")
    bridged = found.pop("bridged")
    return Dialled(
        **{
            **found,
            "caller": _side(found["caller"]),
            "agent": agent and _side(agent),
            "guest": guest and _side(guest),
            "bridged": bridged and tuple(bridged),
        }
    )


def _side(found: dict[str, Any]) -> Side:
    return Side(**{**found, "spoke": found["spoke"] and tuple(found["spoke"])})
