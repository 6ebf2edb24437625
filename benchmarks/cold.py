"""What the same work takes of the processor in one go, and each time after a rest.

    python -m benchmarks cold [--rounds 200]

The work is a recorded call's way through the rules, from its arrival to its last row, in one
thread, without a file, a socket or an Asterisk. It is the same instructions each time. What differs
is what the processor still has at hand of code and data: after a rest it has been somebody else's.
Of the thread's own processor time, so waiting does not count; the pauses take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from benchmarks.summary import Spread, report
from test_hot_paths import a_recorded_call

RESTS_MS = (0, 1, 4, 16, 64)
"""At 60 calls a second the next call comes after some 16 ms."""
WARMED = 200


def measure(rounds: int, rests_ms: Sequence[float] = RESTS_MS) -> dict[float, Spread]:
    """Processor time of the work by the rest before it."""
    for _ in range(WARMED):
        a_recorded_call()
    took_ms: dict[float, list[float]] = {rest: [] for rest in rests_ms}
    for _ in range(rounds):
        for rest in rests_ms:
            if rest:
                time.sleep(rest / 1_000)
            else:
                a_recorded_call()  # what came before it was a rest
            began_ns = time.thread_time_ns()
            a_recorded_call()
            took_ms[rest].append((time.thread_time_ns() - began_ns) / 1e6)
    return {rest: Spread.of(took) for rest, took in took_ms.items()}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="of every rest")
    asked = parser.parse_args(arguments)
    found = measure(asked.rounds)
    at_once = found[0].median_ms
    report("cold", {
        "processor_us_after_a_rest_of_ms": {
            f"{rest:g}": {
                "median": round(spread.median_ms * 1_000, 1),
                "p90": round(spread.p90_ms * 1_000, 1),
                "of_none": round(spread.median_ms / at_once, 2),
            }
            for rest, spread in found.items()
        }
    })  # fmt: skip
    return 0
