"""``python -m simulation``: runs schedules, each from its seed; ``make simulate`` is the same."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from simulation.planted import BUGS
from simulation.run import Simulation, simulating
from simulation.schedule import schedule


def main() -> int:
    options = _options()
    with simulating() as simulation:
        if options.planted:
            return _find_planted(simulation, options.seeds)
        return _run(simulation, options.first, options.seeds, shown=options.seeds == 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many schedules")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--planted", action="store_true", help="find the bugs of planted.py")
    return parser.parse_args()


def _run(simulation: Simulation, first: int, seeds: int, *, shown: bool) -> int:
    began, used, bad = time.monotonic(), time.process_time(), 0
    for seed in range(first, first + seeds):
        if shown:
            print(schedule(seed))
        findings = _findings(simulation, seed)
        bad += bool(findings)
        for finding in findings:
            print(f"seed {seed}: {finding}")
    took_s, used_s = time.monotonic() - began, time.process_time() - used
    print(
        f"{seeds} schedules in {took_s:.0f} s, {used_s:.0f} s of it on the processor,"
        f" {seeds / used_s * 60:.0f} in a minute of that;"
        f" {simulation.virtual_s:.0f} s were lived through, {simulation.rows} rows written;"
        f" {bad} failed",
        file=sys.stderr,
    )
    return 1 if bad else 0


def _findings(simulation: Simulation, seed: int) -> list[str]:
    try:
        return simulation.run(seed)
    except Exception:  # noqa: BLE001 - the next seed is another run
        return [f"the simulation failed: {traceback.format_exc()}"]


def _find_planted(simulation: Simulation, seeds: int) -> int:
    missed = 0
    for bug in BUGS:
        found = bug.find(simulation.run, range(seeds))
        missed += found is None
        where = "NOT FOUND" if found is None else f"seed {found[0]}: {found[1]}"
        print(f"{bug.name}: {where}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
