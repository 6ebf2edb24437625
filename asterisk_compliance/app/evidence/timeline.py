"""The timeline of a call as SVG: notice and capture as bands, recordings as outlines below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT = 800.0, 8.0, 792.0
_NOTICE, _CAPTURE, _INK, _GREY = "#c2410c", "#0f766e", "#1f2933", "#52606d"
_STRIP, _LINE = 36.0, 11.0


@dataclass(frozen=True, slots=True)
class Band:
    """Something that lasted; times in Unix milliseconds. ``name``: ``notice``, or a recording."""

    name: str
    label: str
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Outline:
    """A recording by its loudness, each channel in equal steps, 0 to 1."""

    name: str
    until_ms: int
    lasts_ms: int
    channels: Sequence[Sequence[float]]


def draw(began_ms: int, ended_ms: int, bands: Sequence[Band], outlines: Sequence[Outline]) -> str:
    """An ``svg`` element. Seconds are counted from ``began_ms``."""
    drawing = _Drawing(began_ms, ended_ms)
    for band in bands:
        drawing.band(band)
    for outline in outlines:
        drawing.outline(outline)
    drawing.axis()
    return str(drawing)


class _Drawing:
    def __init__(self, began_ms: int, ended_ms: int) -> None:
        self._began, self._ended = began_ms, ended_ms
        self._parts: list[str] = []
        self._at = 6.0

    def band(self, band: Band) -> None:
        colour = _NOTICE if band.name == "notice" else _CAPTURE
        left, right = self._x(band.from_ms), self._x(band.until_ms)
        seconds = f"{self._s(band.from_ms):.2f} to {self._s(band.until_ms):.2f} s"
        self._rectangle(left, self._at, max(right - left, 1.5), 12, colour)
        label = f"{band.label}: {seconds}"
        end = left > _WIDTH * 0.6
        self._text(right if end else left, self._at + 24, label, "end" if end else "start")
        self._at += 30

    def outline(self, outline: Outline) -> None:
        left = self._x(outline.until_ms - outline.lasts_ms)
        step = (self._x(outline.until_ms) - left) / max(1, *map(len, outline.channels))
        for side, channel in zip(
            ("left: caller", "right: other side"), outline.channels, strict=False
        ):
            self._text(_LEFT, self._at + 8, f"{outline.name}, {side}", "start", _GREY)
            middle = self._at + _LINE + _STRIP / 2
            tall = [max(0.3, value**0.5 * _STRIP / 2) for value in channel]
            points = [(left + number * step, high) for number, high in enumerate(tall)]
            above = [f"{x:.1f},{middle - high:.1f}" for x, high in points]
            below = [f"{x:.1f},{middle + high:.1f}" for x, high in reversed(points)]
            self._parts.append(f'<polygon fill="{_CAPTURE}" points="{" ".join(above + below)}"/>')
            self._at += _LINE + _STRIP + 4

    def axis(self) -> None:
        self._rectangle(_LEFT, self._at, _RIGHT - _LEFT, 1, _INK)
        lasts = (self._ended - self._began) / 1_000
        for number in range(6):
            x = _LEFT + (_RIGHT - _LEFT) * number / 5
            self._rectangle(x, self._at, 1, 4, _INK)
            anchor = {0: "start", 5: "end"}.get(number, "middle")
            self._text(x, self._at + 14, f"{lasts * number / 5:.1f} s", anchor)
        self._at += 20

    def __str__(self) -> str:
        box = f'viewBox="0 0 {_WIDTH:.0f} {self._at:.0f}"'
        begin = f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">'
        return "\n".join([begin, "<title>Timeline</title>", *self._parts, "</svg>"])

    def _s(self, ms: int) -> float:
        return (ms - self._began) / 1_000

    def _x(self, ms: int) -> float:
        share = (ms - self._began) / (self._ended - self._began)
        return _LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share))

    def _rectangle(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
            f' fill="{colour}"/>'
        )

    def _text(self, x: float, y: float, text: str, anchor: str, colour: str = _INK) -> None:
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="9" fill="{colour}"'
            f' text-anchor="{anchor}">{escape(text)}</text>'
        )
