"""Reading a party's tones back from audio: where the party is heard, and which time that is.

All frequencies are multiples of 100 Hz, so a 10 ms window tells them apart exactly; every 5 ms the
strongest of a party's four is noted. Windows of six slots of these notes are compared with the
schedule, which gives candidates for the difference between the clock and the position in the file;
a window that fits another time nearly as well gives none.
A best path through the candidates then says, for every 5 ms, to which of them (or to none) the
audio belongs: lost frames do not end a span, a jump of time starts a new one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.g711 import Pcm
from lab.tones import FRAME, PERIOD, PERIOD_S, RATE, SLOT, Schedule, Voice

_HOP = 40
"""Samples between two notes, 5 ms."""
_WINDOW = 80
_NOTES = 120
"""Notes in the 0.6 s that are compared with the schedule: six slots, which occur once."""
_PHASES = PERIOD // _HOP
_AUDIBLE = 300.0
"""Amplitude from which a tone counts as heard: 26 dB below what a party sends."""
_PURE = 0.6
"""Part of the four amplitudes that the strongest must have."""
_AGREE = 0.75
"""Part of a window's notes that must agree before its phase is a candidate."""
_AHEAD = 0.04
"""By how much the best phase must beat every other that is more than a slot away. Without it a
piece of less than a second is dated wrongly once in thirty times; with it, it stays undated."""
_SWITCH = 8.0
"""What a change of candidate costs, in notes."""
_SPLIT_S = 0.1
"""A silence longer than this ends a span."""
_SHORTEST_S = 0.04
_SAME_S = 0.01
"""Candidates that differ by less are one."""

Notes = NDArray[np.int8]
"""For each 5 ms: 0 to 3 for the frequency heard, or one of the two below."""
_SILENCE, _UNCLEAR = -1, -2


@dataclass(frozen=True, slots=True)
class Span:
    """A party heard without a break, and the times for which its first and last sample stand.

    ``start_s`` and ``end_s`` are positions in the audio, the clock is ``time.monotonic()``.
    """

    start_s: float
    end_s: float
    clock_start: float
    clock_end: float

    @property
    def offset_s(self) -> float:
        """Clock time less position in the audio; differs between spans where time jumped."""
        return self.clock_start - self.start_s


def amplitudes(
    pcm: Pcm, frequencies: tuple[int, ...], window: int, hop: int
) -> NDArray[np.float64]:
    """Amplitude of each frequency (rows) in windows that begin every ``hop`` samples (columns)."""
    samples = np.arange(len(pcm))
    starts = np.arange(0, max(0, len(pcm) - window + 1), hop)
    rows = []
    for hz in frequencies:
        turned = pcm * np.exp(-2j * np.pi * hz / RATE * samples)
        total = np.concatenate(([0.0], np.cumsum(turned)))
        rows.append(np.abs(total[starts + window] - total[starts]) * 2 / window)
    return np.array(rows).reshape(len(frequencies), len(starts))


def presence(pcm: Pcm, voice: Voice) -> NDArray[np.bool_]:
    """For each 20 ms of the audio, whether the voice is in it, whatever the schedule says.

    A 20 ms window resolves 50 Hz: in a tone the voice's own lines hold the energy of the band,
    in speech or noise the lines between them hold as much. Glides are filled in.
    """
    low, high = min(voice.frequencies) - 50, max(voice.frequencies) + 50
    band = amplitudes(pcm, tuple(range(low, high + 1, 50)), FRAME, FRAME) ** 2
    if not band.size:
        return np.zeros(0, np.bool_)
    own = np.sort(band[1::2], axis=0)[-2:].sum(axis=0)
    heard: NDArray[np.bool_] = (own > _AUDIBLE**2) & (own > 0.8 * band.sum(axis=0))
    loud = band.sum(axis=0) > _AUDIBLE**2
    for first in np.flatnonzero(heard):
        following = np.flatnonzero(heard[first + 1 : first + 4])
        if len(following) and loud[first : first + 1 + following[0]].all():
            heard[first : first + 1 + following[0]] = True
    return heard


def find_spans(pcm: Pcm, schedule: Schedule, earliest: float, latest: float) -> list[Span]:
    """Where the party is heard in ``pcm``, and which clock times that is.

    Accurate to 10 ms at a start or end that is not itself damaged. A stretch is dated only if it
    lies within a second or so of audio that is long enough to be placed (half a second), or goes
    on at the same difference; :func:`presence` also sees what cannot be dated.

    Args:
        earliest: No sample can be older than this clock time. The schedule repeats after 48.6 s;
            of several times that fit, the first after ``earliest`` is taken, and then the one
            that continues what came before.
        latest: No sample can be younger than this.
    """
    notes = _notes(pcm, schedule.voice)
    offsets = _candidates(notes, schedule, earliest, latest)
    if not offsets:
        return []
    chosen = _best_path(notes, schedule, offsets)
    spans = []
    for candidate, offset in enumerate(offsets):
        heard = np.flatnonzero((chosen == candidate) & (notes >= 0))
        for run in np.split(heard, np.flatnonzero(np.diff(heard) * _HOP > _SPLIT_S * RATE) + 1):
            if len(run) * _HOP < _SHORTEST_S * RATE:
                continue
            start, end = _edges(notes, int(run[0]), int(run[-1]), len(pcm))
            spans.append(Span(start, end, start + offset, end + offset))
    return sorted(spans, key=lambda span: span.start_s)


def _edges(notes: Notes, first: int, last: int, samples: int) -> tuple[float, float]:
    """Where the sound around these notes begins and ends, in seconds.

    A span can begin in a glide, which is loud and no clear note: up to 20 ms of that belong to it.
    The first loud window holds little more than one hop of sound, unless the audio begins with it.
    """
    low, high = max(0, first - FRAME // _HOP), min(len(notes) - 1, last + FRAME // _HOP)
    while first > low and notes[first - 1] == _UNCLEAR:
        first -= 1
    while last < high and notes[last + 1] == _UNCLEAR:
        last += 1
    start = 0 if first == 0 else first * _HOP + _WINDOW - _HOP // 2
    end = samples if last == len(notes) - 1 else last * _HOP + _HOP // 2
    return start / RATE, end / RATE


def undated(pcm: Pcm, voice: Voice, spans: list[Span]) -> float:
    """Seconds in which the voice is heard outside ``spans``, their edges left aside."""
    heard = presence(pcm, voice)
    middles = (np.arange(len(heard)) + 0.5) * FRAME / RATE
    for span in spans:
        edge = FRAME / RATE
        heard &= (middles < span.start_s - edge) | (middles > span.end_s + edge)
    return float(heard.sum()) * FRAME / RATE


def _notes(pcm: Pcm, voice: Voice) -> Notes:
    heard = amplitudes(pcm, voice.frequencies, _WINDOW, _HOP)
    if not heard.size:
        return np.zeros(0, np.int8)
    best = heard.max(axis=0)
    clear = best > _PURE * heard.sum(axis=0)
    notes = np.where(clear, heard.argmax(axis=0), _UNCLEAR)
    return np.where(best > _AUDIBLE, notes, _SILENCE).astype(np.int8)


def _candidates(notes: Notes, schedule: Schedule, earliest: float, latest: float) -> list[float]:
    """Differences between clock and position that about half a second of the audio supports."""
    padded = np.concatenate((notes, np.full(_NOTES, _SILENCE, np.int8)))
    starts = np.arange(0, max(1, len(notes) - _NOTES // 2), SLOT // _HOP)
    windows = padded[starts[:, None] + np.arange(_NOTES)]
    audible = (windows >= 0).sum(axis=1)
    starts, windows = starts[audible >= _NOTES * 0.4], windows[audible >= _NOTES * 0.4]
    if not len(starts):
        return []
    middle = np.arange(_PHASES + _NOTES) * _HOP + _WINDOW // 2
    expected = schedule.letters(middle)
    agree = np.zeros((len(starts), _PHASES), np.float32)
    for letter in range(4):
        table = np.lib.stride_tricks.sliding_window_view(
            (expected == letter).astype(np.float32), _NOTES
        )[:_PHASES]
        agree += (windows == letter).astype(np.float32) @ table.T
    agree /= (windows >= 0).sum(axis=1)[:, None]
    offsets: list[float] = []
    for start, row in zip(starts, agree, strict=True):
        best = np.flatnonzero(row >= np.max(row) - _AHEAD)
        if np.max(row) < _AGREE or np.ptp(best) > SLOT // _HOP:
            continue  # no phase fits, or several do: the neighbours will place this audio
        position = start * _HOP / RATE
        offset = schedule.clock_of(float(best.mean()) * _HOP) - position
        placed = _unwrap(offset, earliest - position, latest - position, offsets)
        if placed is not None and all(abs(placed - other) > _SAME_S for other in offsets):
            offsets.append(placed)
    return offsets


def _unwrap(offset: float, low: float, high: float, known: list[float]) -> float | None:
    """Of the times 48.6 s apart that fit, the one that continues, else the first after ``low``."""
    slack = _NOTES * _HOP / RATE  # a window may begin before the audio does
    first = offset + np.ceil((low - slack - offset) / PERIOD_S) * PERIOD_S
    fitting = np.arange(first, high + slack, PERIOD_S)
    if not len(fitting):
        return None
    return float(min(fitting, key=lambda time: abs(time - known[-1])) if known else fitting[0])


def _best_path(notes: Notes, schedule: Schedule, offsets: list[float]) -> NDArray[np.intp]:
    """For each note the candidate it belongs to, or ``len(offsets)`` for none (Viterbi)."""
    middles = np.arange(len(notes)) * _HOP + _WINDOW // 2
    score = np.zeros((len(notes), len(offsets) + 1))
    for candidate, offset in enumerate(offsets):
        shift = round((offset - schedule.epoch) * RATE)
        agrees = schedule.letters(middles + shift) == notes
        score[:, candidate] = np.where(notes < 0, 0.0, np.where(agrees, 1.0, -1.0))
    score[:, -1] = np.where(notes < 0, 0.05, -0.25)
    total = score[0].copy()
    came_from = np.zeros(score.shape, np.intp)
    stay = np.arange(len(total))
    for at in range(1, len(notes)):
        best = int(total.argmax())
        switch = total[best] - _SWITCH > total
        came_from[at] = np.where(switch, best, stay)
        total = np.where(switch, total[best] - _SWITCH, total) + score[at]
    path = np.empty(len(notes), np.intp)
    path[-1] = total.argmax()
    for at in range(len(notes) - 1, 0, -1):
        path[at - 1] = came_from[at, path[at]]
    return path
