"""The load benchmark as a picture: what a call costs each way, by calls a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

COLOURS = ("#7b8794", "#0f766e", "#c2410c", "#3d6491", "#a16207")


def draw(runs: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Three strips: processor time of the application, of Asterisk, and what a caller waited."""
    strips = (
        ("application_ms", "application, ms of processor a call"),
        ("asterisk_ms", "Asterisk, ms of processor a call"),
        ("control_p99_ms", "p99 of what a caller waited, ms"),
    )
    shown = [{**run, "control_p99_ms": run["answer_p99_ms"] + run["added_p99_ms"]} for run in runs]
    rates = sorted({run["rate"] for run in shown})
    names = list(dict.fromkeys(run["way"] for run in shown))
    figure, axes = plt.subplots(1, len(strips), figsize=(12, 3.6), layout="constrained")
    for axis, (key, title) in zip(axes, strips, strict=True):
        for colour, name in zip(COLOURS, names, strict=False):
            by_rate = [
                [run[key] for run in shown if run["way"] == name and run["rate"] == rate]
                for rate in rates
            ]
            axis.plot(rates, [median(values) for values in by_rate], "o-", color=colour, label=name)
            for rate, values in zip(rates, by_rate, strict=True):
                axis.vlines(rate, min(values), max(values), color=colour, alpha=0.5)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("calls/s")
        axis.set_ylim(bottom=0)
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
