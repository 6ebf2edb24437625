"""Many measurements of one thing, two ways: medians, spreads, and how sure the difference is."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

OUT = Path(__file__).parent / "out"

_RESAMPLES = 4_000
_NO_RATIO_BELOW_MS = 1.0
"""Of values that lie around zero a ratio says nothing."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds. ``iqr_ms`` is the width of the middle half."""

    median_ms: float
    p90_ms: float
    iqr_ms: float
    min_ms: float
    max_ms: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> Spread:
        q25, q50, q75, q90 = np.percentile(values_ms, (25, 50, 75, 90))
        return cls(*map(float, (q50, q90, q75 - q25, min(values_ms), max(values_ms))))

    def __str__(self) -> str:
        return f"{self.median_ms:.2f} / {self.p90_ms:.2f} / {self.iqr_ms:.2f}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The dialplan alone beside us, from calls that took turns.

    Attributes:
        pairs: Measured both ways; others were left out.
        difference_ms: Median of ours less median of the dialplan's.
        low_ms, high_ms: Its 95 % interval, by resampling whole pairs of calls.
        ratio: Of the medians; ``None`` where the dialplan's is below a millisecond.
    """

    pairs: int
    plain: Spread
    ours: Spread
    difference_ms: float
    low_ms: float
    high_ms: float
    ratio: float | None


def compare(plain_ms: Sequence[float], ours_ms: Sequence[float]) -> Comparison:
    """Compare pairs of measurements; a pair with a value that is not a number is left out.

    Raises:
        ValueError: not as many of one as of the other, or no pair at all.
    """
    if len(plain_ms) != len(ours_ms):
        raise ValueError(f"{len(plain_ms)} and {len(ours_ms)} measurements are no pairs")
    pairs = np.array([plain_ms, ours_ms], np.float64)
    pairs = pairs[:, ~np.isnan(pairs).any(axis=0)]
    if not pairs.size:
        raise ValueError("there are no pairs")
    chance = np.random.default_rng(1)
    drawn = pairs[:, chance.integers(0, pairs.shape[1], (_RESAMPLES, pairs.shape[1]))]
    medians = np.median(drawn, axis=2)
    low, high = np.percentile(medians[1] - medians[0], (2.5, 97.5))
    plain, ours = Spread.of(list(pairs[0])), Spread.of(list(pairs[1]))
    comparable = plain.median_ms >= _NO_RATIO_BELOW_MS
    ratio = ours.median_ms / plain.median_ms if comparable else None
    difference = ours.median_ms - plain.median_ms
    return Comparison(pairs.shape[1], plain, ours, difference, float(low), float(high), ratio)


def comparison_table(title: str, rows: Mapping[str, Comparison]) -> Table:
    table = Table(title=title, title_justify="left", caption="ms: median / p90 / middle half")
    table.add_column("")
    for heading in ("pairs", "dialplan alone", "this service", "difference (95 %)", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(
            name,
            str(row.pairs),
            str(row.plain),
            str(row.ours),
            f"{row.difference_ms:+.2f} ({row.low_ms:+.2f} … {row.high_ms:+.2f})",
            "" if row.ratio is None else f"{row.ratio:.2f}",
        )
    return table


def spread_table(title: str, rows: Mapping[str, Spread]) -> Table:
    table = Table(title=f"{title}, ms", title_justify="left")
    table.add_column("")
    table.add_column("median / p90 / middle half", justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(name, str(row))
    return table


def as_json(value: Comparison | Spread) -> dict[str, Any]:
    """Rounded to microseconds."""
    rounded: dict[str, Any] = _rounded(asdict(value))
    return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def surroundings(command: str) -> dict[str, Any]:
    """On what, with what, and beside how much other work this was measured."""
    packages = ("asterisk-compliance", "aiohttp", "msgspec", "uvloop")
    return {
        "command": command,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "kernel": platform.release(),
            **{name: version(name) for name in packages},
        },
        "cpus": len(os.sched_getaffinity(0)),
        "niceness": os.nice(0),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def in_the_dialplan(status: Mapping[str, Any]) -> int:
    """How many calls the service's answer to ``status`` says to be on."""
    return sum(node["calls"].get("dialplan", 0) for node in status["nodes"])


def report(name: str, found: Mapping[str, Any]) -> None:
    """Print a result, and keep it with its surroundings."""
    OUT.mkdir(exist_ok=True)
    result = {"surroundings": surroundings(f"python -m benchmarks {name}"), **found}
    (OUT / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(found, indent=2))
