"""The load benchmark in under a minute, held to what was reached once.

Writes ``benchmarks/out/quick.json``. Exit status 1 where an aim that was met once is missed by more
than its tolerance. Aims are ratios within one run, or a limit so far above what was measured that
the machine's mood cannot reach it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.load import OUT, ratios, run_all, table
from benchmarks.summary import surroundings
from benchmarks.ways import LEAST, WAYS

RATE = 60.0
SECONDS = 4.0
QUICK = tuple(way for way in WAYS if way is not LEAST)
"""Without the least ARI costs: no aim is about it, and a fifth way takes more than the minute."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure shall be at most.

    Attributes:
        met: Once it was; only then a miss is a failure.
        tolerance: A part of the aim.
    """

    at_most: float
    met: bool
    tolerance: float

    def is_broken_by(self, value: float) -> bool:
        return self.met and value > self.at_most * (1 + self.tolerance)


AIMS: Mapping[str, Aim] = {
    "application_ms": Aim(1.0, met=False, tolerance=0.5),
    "asterisk_of_dialplan": Aim(1.15, met=False, tolerance=0.3),
    "application_of_aioari": Aim(0.5, met=False, tolerance=0.3),
    "application_of_ari_client": Aim(0.5, met=False, tolerance=0.3),
}


def broken(found: Mapping[str, float]) -> list[str]:
    """The aims that were met once and are missed now."""
    return [name for name, aim in AIMS.items() if aim.is_broken_by(found[name])]


def verdict(found: Mapping[str, float]) -> Table:
    shown = Table(title="aims")
    for heading in ("", "measured", "aim", "met once", "now"):
        shown.add_column(heading, justify="right" if heading else "left")
    for name, aim in AIMS.items():
        value = found[name]
        now = "yes" if value <= aim.at_most else "broken" if aim.is_broken_by(value) else "no"
        met = "yes" if aim.met else "no"
        shown.add_row(name, f"{value:.2f}", f"at most {aim.at_most:g}", met, now)
    return shown


def main(arguments: Sequence[str] = ()) -> int:
    around = surroundings("python -m benchmarks quick")
    runs = asyncio.run(run_all(QUICK, [RATE], 1, SECONDS, media=False))
    found = ratios(runs, RATE)
    missed = broken(found)
    OUT.mkdir(exist_ok=True)
    result = {
        "surroundings": around,
        "ratios": found,
        "broken": missed,
        "runs": [asdict(run) for run in runs],
    }
    (OUT / "quick.json").write_text(json.dumps(result, indent=2) + "\n")
    console = Console(width=160)
    console.print(table(runs, RATE))
    console.print(verdict(found))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
