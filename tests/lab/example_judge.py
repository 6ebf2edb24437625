"""What must have come of the calls of an example: by the telephones, the files and the rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lab.asterisk import MUSIC_HZ
from lab.g711 import Pcm
from lab.hearing import Capture, Claim, NoticeHeard
from lab.leg import Leg
from lab.notice_search import NoticeSearch, Signal
from lab.parties import whispered
from lab.rtp import FRAME_S
from lab.sip import Phone
from lab.site import Site
from lab.tone_spans import amplitudes, presence
from lab.tones import FRAME, Voice
from lab.wav import read_wav

_LEAST_S = 0.4
"""Whoever is in a recording is heard in it for so long."""
_MUSIC = 1_500.0
"""Amplitude, over 0.2 s, from which the waiting music is there; of it Asterisk keeps one frame."""
_EDGE_S = 0.15
"""A row of a pause may be so far from the pause, and what cannot be dated well from its time."""
_WITHIN_S = 1.0
"""So soon a recording that is ended has ended."""
_NEVER = float("inf")


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must come of a call.

    Attributes:
        decisions: Status and reason of each.
        told: Which prompts somebody hears to their end, in this order, before he is kept.
        hears: Which others he hears to their end; ``begins``: of which he hears a part. Nobody
            hears any of a prompt of the policies that is not named.
        left, right: Whose voices are in which channel of the recordings, and nobody else's.
        silent: Between the rows of which two kinds nothing is kept; an empty one is the end.
        rows: Kinds of which there are rows, in this order.
        shown: What the telephone of somebody who was called was told.
        dialled: By which number somebody was called.
    """

    decisions: tuple[str, ...] = ()
    told: Mapping[str, tuple[str, ...]] = {}
    hears: Mapping[str, tuple[str, ...]] = {}
    begins: Mapping[str, tuple[str, ...]] = {}
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    silent: tuple[tuple[str, str], ...] = ()
    rows: tuple[str, ...] = ()
    shown: Mapping[str, str] = {}
    dialled: Mapping[str, str] = {}


class Judge:
    """Knows the voices and the prompts of an example."""

    def __init__(
        self,
        site: Site,
        phones: Mapping[str, Phone],
        prompts: Sequence[str],
        sounds: Sequence[str],
    ) -> None:
        self._site, self._phones, self._prompts = site, phones, prompts
        self._searches = {
            name: NoticeSearch(read_wav(self._file(name))[0]) for name in (*prompts, *sounds)
        }
        self._recordings: set[Path] = set()

    def _file(self, prompt: str) -> Path:
        return self._site.asterisk.sounds_here / f"en/{prompt}.wav"

    def claims(
        self,
        outcome: Outcome,
        legs: Mapping[str, Leg],
        rows: Sequence[Mapping[str, Any]],
        began: float,
    ) -> list[Claim]:
        """Everything that is claimed of one call, which began then and wrote these rows."""
        told: dict[str, float] = {}
        return [
            *self._logged(outcome, rows),
            *self._heard(outcome, legs, told),
            *self._kept(outcome, rows, told, began),
        ]

    @staticmethod
    def _logged(outcome: Outcome, rows: Sequence[Mapping[str, Any]]) -> Iterator[Claim]:
        decisions = tuple(
            f"{row['detail']['status']} {row['detail']['reason']}"
            for row in rows
            if row["kind"] == "decision"
        )
        yield Claim("decided", decisions == outcome.decisions, _listed(decisions))
        for kind in _missing(outcome.rows, (row["kind"] for row in rows)):
            yield Claim(f"there is a row {kind} in its place", False, "none")
        closed = [row["detail"] for row in rows if row["kind"] == "recording_closed"]
        recorded = bool(outcome.left or outcome.right)
        whole = bool(closed) == recorded and all(one["whole"] for one in closed)
        yield Claim("recorded whole" if recorded else "not recorded", whole, f"{len(closed)}")

    def _heard(
        self, outcome: Outcome, legs: Mapping[str, Leg], told: dict[str, float]
    ) -> Iterator[Claim]:
        """What the telephones heard; ``told`` gets when each of them knew everything."""
        for person, leg in legs.items():
            since = 0.0
            for prompt in outcome.told.get(person, ()):
                ended, measured = self._ended(prompt, leg)
                whole = since <= ended < _NEVER
                yield Claim(f"{person} is told {prompt}", whole, measured)
                told[person] = since = ended
            for prompt in outcome.hears.get(person, ()):
                ended, measured = self._ended(prompt, leg)
                yield Claim(f"{person} hears {prompt}", ended < _NEVER, measured)
            heard = leg.heard_pcm()
            for prompt in outcome.begins.get(person, ()):
                part = NoticeHeard.of(self._searches[prompt], heard)
                only = part.started_at is not None and not part.completed
                yield Claim(f"{person} hears {prompt} begin", only, f"completed {part.completed}")
            named = {
                *outcome.told.get(person, ()),
                *outcome.hears.get(person, ()),
                *outcome.begins.get(person, ()),
            }
            others = [
                name
                for name in self._prompts
                if name not in named and self._searches[name].find(heard.pcm)
            ]
            yield Claim(f"{person} hears no other prompt", not others, _listed(others))
            if status := outcome.shown.get(person):
                shown = leg.received[0].header("X-Compliance-Status")
                yield Claim(f"{person} is shown {status}", shown == status, shown)
            if number := outcome.dialled.get(person):
                asked = leg.received[0].start
                yield Claim(f"{person} is {number}", f" sip:{number}@" in asked, asked)
        for person in {*outcome.told, *outcome.hears, *outcome.shown, *outcome.dialled} - set(legs):
            yield Claim(f"{person} takes part", False, "in no call")

    def _ended(self, prompt: str, leg: Leg) -> tuple[float, str]:
        """When a telephone had heard all of a prompt, and what was found of it."""
        try:
            return whispered(self._file(prompt), leg), "all of it"
        except AssertionError as error:
            return _NEVER, str(error)

    def _kept(
        self,
        outcome: Outcome,
        rows: Sequence[Mapping[str, Any]],
        told: Mapping[str, float],
        began: float,
    ) -> Iterator[Claim]:
        """What is in the recordings that are new."""
        spooled = self._site.spooled()
        yield Claim("nothing is left in the spool", not spooled, _listed(spooled))
        found = set(self._site.recordings.glob("r-*.wav")) - self._recordings
        self._recordings |= found
        if not found and not outcome.left and not outcome.right:
            return
        first, *others = self._searches.values()
        schedules = {person: phone.schedule for person, phone in self._phones.items()}
        captures = [
            Capture.read(file, schedules, first, began, time.monotonic()) for file in sorted(found)
        ]
        channels = [pcm for capture in captures for pcm in capture.channels]
        parts = sum(len(capture.notices) for capture in captures)
        parts += sum(len(search.find(pcm)) for search in others for pcm in channels)
        yield Claim("no part of a prompt is kept", not parts, str(parts))
        music = max(map(_music, channels), default=0.0)
        yield Claim("no waiting music is kept", music < _MUSIC, f"{music:.0f}")
        times = _times(rows)
        everybody_from = max(
            (min(told[one], times.get("notice_completed", _NEVER)) for one in outcome.left),
            default=0.0,
        )
        for person, phone in self._phones.items():
            heard = [_heard(capture, phone.schedule.voice) for capture in captures]
            for side, (channel, inside) in enumerate(
                (("left", outcome.left), ("right", outcome.right))
            ):
                yield _is_in(heard, person, side, channel, wanted=person in inside)
            since = everybody_from
            if person in told and person not in outcome.left:
                since = max(since, min(told[person], times.get("party_told", _NEVER)))
            said = np.concatenate([np.zeros(0), *(sides for one in heard for sides in one)])
            early = float((said < since - _EDGE_S).sum()) * FRAME_S
            yield Claim(f"nothing of {person} before", not early, f"{early:.2f} s")
            for begin, end in outcome.silent:
                since = times.get(begin, 0.0) + (_EDGE_S if end else _WITHIN_S)
                until = times[end] - _EDGE_S if end in times else time.monotonic()
                meanwhile = float(((since < said) & (said < until)).sum()) * FRAME_S
                name = f"nothing of {person} meanwhile"
                ok = not meanwhile and until > since
                yield Claim(name, ok, f"{meanwhile:.2f} of {until - since:.2f} s")


def _heard(capture: Capture, voice: Voice) -> tuple[Signal, Signal]:
    """In each channel: when the moments were said in which this voice is heard, and goes on for a
    tenth of a second.

    A recording has one clock, which all that can be dated in it tells. What one voice alone says in
    less than a second can be dated wrongly, on a machine that is so busy that telephones leave
    frames out.
    """
    offsets = [
        np.full(round((span.end_s - span.start_s) / FRAME_S) + 1, span.offset_s)
        for span in capture.spans
    ]
    clock = float(np.median(np.concatenate(offsets))) if offsets else 0.0
    left, right = (
        np.flatnonzero(np.convolve(presence(pcm, voice), np.ones(5), "valid") == 5)
        if len(pcm) >= 5 * FRAME
        else np.zeros(0)
        for pcm in capture.channels
    )
    return clock + FRAME_S * left.astype(np.float64), clock + FRAME_S * right.astype(np.float64)


def _is_in(
    heard: Sequence[tuple[Signal, Signal]], person: str, side: int, channel: str, *, wanted: bool
) -> Claim:
    """Whether somebody is heard in a channel."""
    seconds = sum(len(one[side]) for one in heard) * FRAME_S
    name = f"{person} is {'' if wanted else 'not '}in the {channel} channel"
    return Claim(name, seconds >= _LEAST_S if wanted else not seconds, f"{seconds:.2f} s")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _missing(wanted: Sequence[str], kinds: Iterable[str]) -> list[str]:
    """Which of the wanted kinds do not follow, in their order."""
    rest = list(wanted)
    for kind in kinds:
        if rest and kind == rest[0]:
            del rest[0]
    return rest


def _music(pcm: Pcm) -> float:
    loud = amplitudes(pcm, (MUSIC_HZ,), 10 * FRAME, FRAME)
    return float(loud.max()) if loud.size else 0.0


def _times(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """When the first row of each kind was written, on the clock of the tones."""
    ahead = time.time() - time.monotonic()
    return {
        row["kind"]: datetime.fromisoformat(row["at"]).timestamp() - ahead for row in reversed(rows)
    }
