"""The judge: what was told and what was kept, from the audio alone.

Nothing here reads a row, a variable or a log of the service. A caller's telephone says what the
caller heard; the tones in a recording say which moments are in it; a notice is looked for by its
sound. All times are ``time.monotonic()``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from lab.g711 import Pcm
from lab.notice_search import NoticeSearch, Stretch
from lab.rtp import FRAME_S, Heard
from lab.tone_spans import Span, find_spans, undated
from lab.tones import RATE, Schedule
from lab.wav import read_wav

_GAP_S = 0.06
"""Of a notice that counts as heard, no more than this may be missing at a time."""
_EDGE_S = 0.125
"""So much may seem to be missing at its begin or its end: where packets were held up next to it,
what is left there is too short to be recognised."""
_HELD_UP_S = 0.3
"""So long a notice that counts as heard may pause, where a busy machine held packets up."""
_SILENT = 60.0
"""A channel whose loudest 20 ms stay below this amplitude (RMS) is silent."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that must hold, whether it does, and what was measured."""

    name: str
    ok: bool
    measured: str


@dataclass(frozen=True, slots=True)
class NoticeHeard:
    """What a telephone received of a notice.

    Attributes:
        completed: All of its sounds arrived, in order and in one go, short pauses aside.
        started_at: When the first sound of it arrived; ``None`` if none did.
        ended_at: When the last sound of it had arrived.
    """

    completed: bool
    started_at: float | None
    ended_at: float | None

    @classmethod
    def of(cls, search: NoticeSearch, heard: Heard) -> Self:
        """The first complete notice in what was heard, else whatever there was of one."""
        stretches = search.find(heard.pcm)
        if not stretches:
            return cls(False, None, None)
        for playing in _playings(stretches):
            if _is_whole(playing, search):
                return cls._between(True, playing, heard)
        return cls._between(False, stretches, heard)

    @classmethod
    def _between(cls, completed: bool, parts: list[Stretch], heard: Heard) -> Self:
        until_s = max(part.until_s for part in parts)
        return cls(completed, heard.clock_of(parts[0].at_s), heard.clock_of(until_s))


def _playings(stretches: list[Stretch]) -> list[list[Stretch]]:
    """Stretches that belong to the same playing of the notice, each in order."""
    playings: list[list[Stretch]] = []
    for stretch in stretches:
        for playing in playings:
            last = playing[-1]
            waited = stretch.at_s - stretch.notice_from_s - (last.at_s - last.notice_from_s)
            if -_GAP_S < waited < _HELD_UP_S:
                playing.append(stretch)
                break
        else:
            playings.append([stretch])
    return playings


def _is_whole(playing: list[Stretch], search: NoticeSearch) -> bool:
    if playing[0].notice_from_s > search.audible_from_s + _EDGE_S:
        return False
    heard_until_s = playing[0].notice_to_s
    for stretch in playing[1:]:
        if stretch.notice_from_s > heard_until_s + _GAP_S:
            return False
        heard_until_s = max(heard_until_s, stretch.notice_to_s)
    return heard_until_s >= search.audible_to_s - _EDGE_S


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """What one channel of a recording holds of one party.

    Attributes:
        channel: 0 is left.
        undated_s: Seconds in which the party is heard, too short or broken to be dated.
    """

    party: str
    channel: int
    spans: tuple[Span, ...]
    undated_s: float


@dataclass(frozen=True, slots=True)
class Capture:
    """A recording, read back.

    Attributes:
        voiceprints: One for each party and channel in which the party is heard.
        notices: Stretches of the notice, with the channel in which each lies.
        silent_channels: Channels in which nothing is heard.
    """

    channels: tuple[Pcm, ...]
    voiceprints: tuple[Voiceprint, ...]
    notices: tuple[tuple[int, Stretch], ...]
    silent_channels: tuple[int, ...]

    @classmethod
    def read(
        cls,
        path: Path,
        schedules: Mapping[str, Schedule],
        search: NoticeSearch,
        earliest: float,
        latest: float,
    ) -> Self:
        """Read a WAV file, mono or stereo; its samples lie between two clock times.

        Args:
            schedules: What each party that could be in it said, by the party's name.
            earliest: When the call began: no sample can be older (see
                :func:`lab.tone_spans.find_spans`). ``latest``: when it had ended.
        """
        channels = read_wav(path)
        prints = []
        for channel, pcm in enumerate(channels):
            for party, schedule in schedules.items():
                spans = find_spans(pcm, schedule, earliest, latest)
                rest = undated(pcm, schedule.voice, spans)
                if spans or rest:
                    prints.append(Voiceprint(party, channel, tuple(spans), rest))
        return cls(
            tuple(channels),
            tuple(prints),
            tuple((at, part) for at, pcm in enumerate(channels) for part in search.find(pcm)),
            tuple(at for at, pcm in enumerate(channels) if _loudest(pcm) < _SILENT),
        )

    @property
    def length_s(self) -> float:
        return len(self.channels[0]) / RATE

    @property
    def spans(self) -> list[Span]:
        """Every dated span, of whichever party, by its time."""
        every = (span for print_ in self.voiceprints for span in print_.spans)
        return sorted(every, key=lambda span: span.clock_start)

    @property
    def first_sample_at(self) -> float | None:
        """The oldest moment in the recording; ``None`` where nothing can be dated."""
        return min((span.clock_start for span in self.spans), default=None)

    @property
    def last_sample_at(self) -> float | None:
        return max((span.clock_end for span in self.spans), default=None)

    @property
    def undated_s(self) -> float:
        """Seconds of a party that cannot be dated: too short, or in an order time does not have."""
        return sum(print_.undated_s + _out_of_order_s(print_.spans) for print_ in self.voiceprints)

    def heard_s(self, party: str, channel: int) -> float:
        """For how long a party is heard in a channel."""
        return sum(
            span.end_s - span.start_s
            for print_ in self.voiceprints
            if (print_.party, print_.channel) == (party, channel)
            for span in print_.spans
        )


def _out_of_order_s(spans: tuple[Span, ...]) -> float:
    """How long spans are that would be younger than what follows them in the recording."""
    return sum(
        span.end_s - span.start_s
        for span, following in itertools.pairwise(spans)
        if span.clock_start > following.clock_start
    )


def _loudest(pcm: Pcm) -> float:
    whole = pcm[: len(pcm) // 160 * 160].astype(np.float64).reshape(-1, 160)
    return float(np.sqrt((whole**2).mean(axis=1)).max()) if len(whole) else 0.0


def notice_completed(notice: NoticeHeard) -> Claim:
    if notice.started_at is None or notice.ended_at is None:
        return Claim("the notice was heard to its end", False, "no notice was heard")
    length_s = notice.ended_at - notice.started_at
    measured = f"{'all of it' if notice.completed else 'not all of it'}, {length_s:.2f} s"
    return Claim("the notice was heard to its end", notice.completed, measured)


def nothing_before_notice(
    capture: Capture, notice: NoticeHeard, tolerance_s: float = FRAME_S
) -> Claim:
    """No sample is older than the completed notice; one frame is the accuracy of the clock.

    Sound of a party that cannot be dated counts against it, but for a tenth of a second in all:
    the edges of gaps that lost packets leave.
    """
    name = "no sample is older than the completed notice"
    first = capture.first_sample_at
    if capture.undated_s > 0.1:
        return Claim(name, False, f"{capture.undated_s:.2f} s of a party cannot be dated")
    if first is None:
        return Claim(name, True, "no party is in it")
    if not notice.completed or notice.ended_at is None:
        return Claim(name, False, "recorded, and the notice was not completed")
    after_s = first - notice.ended_at
    return Claim(name, after_s >= -tolerance_s, f"first sample {after_s:+.3f} s after it")


def notice_not_recorded(capture: Capture) -> Claim:
    """No part of the notice, were it a fifth of a second, is in the recording."""
    parts = [
        f"{part.length_s:.2f} s of it at {part.at_s:.2f} s in channel {channel}"
        for channel, part in capture.notices
    ]
    return Claim("the notice is not in the recording", not parts, "; ".join(parts) or "none of it")


def parties_recorded(capture: Capture, parties: Iterable[str], least_s: float = 0.5) -> list[Claim]:
    """Each party is in its channel (in the order given, left first), and in no other."""
    claims = []
    for own, party in enumerate(parties):
        seconds = [capture.heard_s(party, channel) for channel in range(len(capture.channels))]
        elsewhere = sum(seconds) - seconds[own]
        claims.append(
            Claim(
                f"{party} is in channel {own} only",
                seconds[own] >= least_s and elsewhere == 0,
                f"{seconds[own]:.2f} s there, {elsewhere:.2f} s elsewhere",
            )
        )
    return claims


def party_heard(heard: Heard, speaker: Schedule, since: float, least_s: float = 0.5) -> Claim:
    """A telephone received another party's voice, said no earlier than ``since``."""
    until = heard.clock_of(len(heard.pcm) / RATE)
    spans = find_spans(heard.pcm, speaker, since, until)
    seconds = sum(span.end_s - span.start_s for span in spans)
    return Claim(f"{speaker.voice.name} was heard", seconds >= least_s, f"{seconds:.2f} s")
