"""One picture of a call: what the caller heard, above what was recorded, on one axis of time.

Time runs in seconds from the INVITE. Each row is a spectrogram of 0 to 3.4 kHz: a notice shows as
speech at the bottom, a party as a staircase of tones at a height of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from lab.g711 import Pcm
from lab.hearing import Capture, NoticeHeard
from lab.rtp import Heard
from lab.tones import RATE, VOICES

_INK, _PALE, _PAPER = "#1f2933", "#7b8794", "#ffffff"
_NOTICE, _CAPTURE = "#c2410c", "#0f766e"
_SHADES = LinearSegmentedColormap.from_list("ink", [_PAPER, "#c7d5e6", "#3d6491", "#0b2545"])
_TOP_HZ = 3400


@dataclass(frozen=True, slots=True)
class Row:
    """One strip of the picture: audio, and the clock time of its first sample."""

    title: str
    pcm: Pcm
    clock_start: float


def recorded_rows(capture: Capture, titles: Sequence[str]) -> list[Row]:
    """A row for each channel, where the clock of its tones puts it (nowhere, if it has none)."""
    spans = capture.spans
    clock = spans[0].offset_s if spans else None
    return [
        Row(title, pcm, clock if clock is not None else float("nan"))
        for title, pcm in zip(titles, capture.channels, strict=True)
    ]


def draw_call(
    path: Path,
    title: str,
    heard: Heard,
    notice: NoticeHeard,
    capture: Capture | None,
    invite_at: float,
    moments: Mapping[str, float] | None = None,
) -> None:
    """Write a PNG.

    Args:
        heard: What the caller's telephone received.
        capture: The recording, left and right; ``None`` when there is none.
        invite_at: The clock time that becomes 0 on the axis.
        moments: Further clock times to mark, by what happened then.
    """
    rows = [Row("The caller heard", heard.pcm, heard.clock_start)]
    if capture is not None:
        rows += recorded_rows(capture, ["Recorded, left: caller", "Recorded, right: other side"])
    end = heard.clock_of(len(heard.pcm) / RATE) - invite_at
    captured = None
    if capture is not None and capture.first_sample_at is not None:
        assert capture.last_sample_at is not None
        captured = (capture.first_sample_at - invite_at, capture.last_sample_at - invite_at)
        end = max(end, captured[1])
    figure, panels = plt.subplots(
        len(rows) + 1,
        1,
        sharex=True,
        figsize=(11, 1.3 + 1.7 * len(rows)),
        gridspec_kw={"height_ratios": [0.7] + [1.0] * len(rows), "hspace": 0.3},
        squeeze=False,
    )
    top, *strips = panels[:, 0]
    told = None
    if notice.started_at is not None and notice.ended_at is not None:
        told = (notice.started_at - invite_at, notice.ended_at - invite_at)
    for panel, row in zip(strips, rows, strict=True):
        _spectrogram(panel, row, invite_at)
    _bands(top, strips, told, captured, notice.completed, end)
    for name, at in (moments or {}).items():
        _moment(top, strips, name, at - invite_at)
    top.set_xlim(-0.02 * end, end * 1.01)
    strips[-1].set_xlabel("seconds from the INVITE", color=_INK, fontsize=10)
    strips[-1].xaxis.set_visible(True)
    figure.text(0.075, 0.975, title, fontsize=14, fontweight="bold", color=_INK, va="top")
    if captured is None:
        words = "nothing was recorded"
        figure.text(0.925, 0.97, words, fontsize=11, color=_CAPTURE, va="top", ha="right")
    figure.subplots_adjust(left=0.075, right=0.925, top=0.93, bottom=0.55 / (1.3 + 1.7 * len(rows)))
    figure.savefig(path, dpi=140, facecolor=_PAPER)
    plt.close(figure)


def _bands(
    top: Axes,
    strips: Sequence[Axes],
    told: tuple[float, float] | None,
    captured: tuple[float, float] | None,
    completed: bool,
    end: float,
) -> None:
    """The labelled spans above the strips, and their edges through all of them."""
    top.set_ylim(0, 1)
    top.axis("off")
    notice_label = "notice" if completed else "notice, not completed"
    for span, colour, label in ((told, _NOTICE, notice_label), (captured, _CAPTURE, "captured")):
        if span is None:
            continue
        top.axvspan(span[0], span[1], ymin=0.0, ymax=0.36, color=colour, linewidth=0)
        seconds = f"{span[0]:.2f} to {span[1]:.2f} s"
        narrow = (span[1] - span[0]) / end < 0.22
        top.text(
            (span[0] + span[1]) / 2,
            0.17,
            label if narrow else f"{label}   {seconds}",
            ha="center",
            va="center",
            color="white",
            fontsize=9,
            fontweight="bold",
            clip_on=True,
        )
        for strip in strips:
            strip.axvspan(*span, color=colour, alpha=0.07, linewidth=0)
            for edge in span:
                strip.axvline(edge, color=colour, linewidth=1.1)


def _moment(top: Axes, strips: Sequence[Axes], name: str, at: float) -> None:
    top.annotate(
        name,
        (at, 0.38),
        (at, 0.62),
        ha="center",
        va="bottom",
        fontsize=8.5,
        color=_INK,
        arrowprops={"arrowstyle": "-", "color": _PALE, "linewidth": 0.8},
    )
    for strip in strips:
        strip.axvline(at, color=_PALE, linewidth=0.8, linestyle=(0, (2, 2)))


def _spectrogram(panel: Axes, row: Row, invite_at: float) -> None:
    panel.set_facecolor(_PAPER)
    panel.set_ylim(0, _TOP_HZ)
    panel.set_yticks([0, 1000, 2000, 3000], ["0", "1", "2", "3 kHz"])
    panel.tick_params(length=0, labelsize=8, colors=_PALE)
    panel.xaxis.set_visible(False)
    for side in panel.spines.values():
        side.set_color("#d2d6dc")
    start = row.clock_start - invite_at
    if len(row.pcm) >= _WINDOW and np.isfinite(start):
        panel.imshow(
            _loudness(row.pcm),
            aspect="auto",
            origin="lower",
            extent=(start, start + len(row.pcm) / RATE, 0, RATE / 2),
            cmap=_SHADES,
            vmin=0,
            vmax=1,
            interpolation="bilinear",
        )
        panel.set_ylim(0, _TOP_HZ)
        for voice in VOICES:
            _name_voice(panel, row, voice.name, voice.frequencies)
    panel.set_title(row.title, loc="left", fontsize=10, color=_INK, fontweight="bold", pad=4)


def _name_voice(panel: Axes, row: Row, name: str, frequencies: Sequence[int]) -> None:
    """Name a party at the right edge, at the height of its tones, if it is heard for long."""
    loud = _loudness(row.pcm)
    low, high = (round(hz / (RATE / 2) * len(loud)) for hz in (frequencies[0], frequencies[-1]))
    if (loud[low : high + 1].max(axis=0) > 0.75).sum() * _STEP > RATE // 4:
        panel.text(
            1.004,
            (frequencies[0] + frequencies[-1]) / 2,
            name,
            transform=blended_transform_factory(panel.transAxes, panel.transData),
            fontsize=8.5,
            color=_INK,
            va="center",
        )


_WINDOW, _STEP = 256, 64


def _loudness(pcm: Pcm) -> NDArray[np.float64]:
    """Rows of rising frequency, columns of time; 0 is silence, 1 as loud as a party."""
    windows = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float64), _WINDOW)[::_STEP]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), axis=1)).T
    decibels = 20 * np.log10(spectrum / (6000 * _WINDOW / 4) + 1e-6)
    loudness: NDArray[np.float64] = np.clip(1 + decibels / 48, 0, 1)
    return loudness
