"""What processes cost: processor time and memory, read from ``/proc``."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a process and all that it started. ``cpu_s`` counts user and system time."""

    cpu_s: float
    rss_bytes: int

    def since(self, before: Cost) -> float:
        """Processor seconds between two readings."""
        return self.cpu_s - before.cpu_s


def cost_of(pid: int) -> Cost:
    """The sum over ``pid`` and its living descendants; ended ones count through their parent."""
    cpu_s, rss = 0.0, 0
    for one in (pid, *_descendants(pid)):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{one}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu_s += sum(map(int, fields[11:15])) * _TICK_S  # utime, stime, and those of the waited for
        rss += next(
            (int(line.split()[1]) * _KIB for line in status.splitlines() if "VmRSS" in line), 0
        )
    return Cost(cpu_s, rss)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended
            for child in map(int, task.read_text().split()):
                found += [child, *_descendants(child)]
    return found
