"""Calls with several parties, and who of them is in which recording, and when: from audio alone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lab.hearing import Capture, Claim
from lab.leg import Leg
from lab.notice_search import NoticeSearch, Signal, low_band
from lab.rtp import FRAME_S
from lab.sip import Phone
from lab.site import TEST_POLICIES, Site, install_test_prompts
from lab.tones import AGENT, AGENT2, CALLER, OTHER, RATE
from lab.wav import read_wav, write_wav

TOLD, OTHERS = 0, 1
"""Channels of a recording: left and right."""

PHONES = {"agent": AGENT, "agent2": AGENT2, "agent3": OTHER, "outside": OTHER}
"""Who can be called. The last two sound alike: a test uses one of them."""

EXTENSIONS = """
[globals]

[from-lab]
exten => 100,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Queue(support,r,,,30)
exten => 102,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
exten => 104,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20,t)
exten => 142,1,Gosub(compliance-notice,s,1(stopping))
 same => n,Dial(PJSIP/agent,20)
exten => 122,1,Gosub(compliance-notice,s,1(going-on))
 same => n,Dial(PJSIP/agent,20)
; not through us at all
exten => _9.,1,Answer()
 same => n,Wait(0.2)
exten => 202,1,Dial(PJSIP/agent2,20)
exten => 203,1,Dial(PJSIP/agent3,20)
exten => 209,1,Dial(PJSIP/outside,20)
"""

POLICIES = f"""
{TEST_POLICIES}

[[policy]]
name = "stopping"
notice = "test"
languages = ["en"]
on_join = "stop"

[[policy]]
name = "going-on"
notice = "test"
languages = ["en"]
on_join = "continue"
"""

_SOUNDS = ("pbx-transfer", "beep", "beeperr", "pbx-invalid")
"""What feature codes need to work at all."""
_MATCH = 0.5
"""Correlation from which a tenth of a second of the notice is there; other sound gives 0.4."""
_ASTRAY_S, _LATE_S = 0.1, 1.0
"""A piece may come so much too early, and all together so much too late, on a machine that is
busy."""


@dataclass(slots=True)
class Stage:
    """A site and the telephones of everybody.

    Attributes:
        began: No sample is older.
    """

    site: Site
    caller: Phone
    phones: Mapping[str, Phone]
    began: float = field(default_factory=time.monotonic)

    @classmethod
    @asynccontextmanager
    async def set_up(cls, **options: Any) -> AsyncIterator[Stage]:
        """Open telephones and a site; arguments as of :meth:`Site.open`."""
        async with AsyncExitStack() as stack:
            caller = await stack.enter_async_context(await Phone.open("caller", CALLER))
            phones = {
                name: await stack.enter_async_context(await Phone.open(name, voice))
                for name, voice in PHONES.items()
            }
            for phone in phones.values():
                phone.answer_after = 0.05
                phone.lines = 2
            with_defaults: dict[str, Any] = {
                "extensions": EXTENSIONS,
                "policies": POLICIES,
                "install_prompts": install_prompts,
            } | options
            ports = {name: phone.port for name, phone in phones.items()}
            site = await Site.open(ports, **with_defaults)
            await stack.enter_async_context(site)
            yield cls(site, caller, phones)

    @property
    def port(self) -> int:
        return self.site.asterisk.sip_port

    async def connect(self, exten: str, *, callee: str = "agent") -> tuple[Leg, Leg]:
        """The caller dials and is connected: his leg, and the callee's."""
        self.began = time.monotonic()
        leg = await self.caller.dial(exten, self.port)
        return leg, await self.answered(callee)

    async def answered(self, name: str) -> Leg:
        """The next call of this telephone, when it is up."""
        leg = await self.phones[name].next_call()
        await leg.answered()
        return leg

    async def row(self, kind: str, number: int = 1, **detail: str) -> dict[str, Any]:
        """Wait for a row with this detail; the ``number``-th of them."""

        def found(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [
                row
                for row in rows
                if row["kind"] == kind and detail.items() <= row["detail"].items()
            ]

        rows = await self.site.rows_until(lambda rows: len(found(rows)) >= number)
        return found(rows)[number - 1]

    def rows(self, *kinds: str) -> list[dict[str, Any]]:
        """Rows of calls: all, or those of some kinds."""
        return [
            row for row in self.site.rows() if row["call"] and (not kinds or row["kind"] in kinds)
        ]

    def details(self, kind: str) -> list[dict[str, Any]]:
        return [row["detail"] for row in self.rows(kind)]

    @staticmethod
    def seconds_between(one: dict[str, Any], other: dict[str, Any]) -> float:
        """From one row to another."""
        at, then = (datetime.fromisoformat(row["at"]) for row in (one, other))
        return (then - at).total_seconds()

    def search(self, language: str = "en") -> NoticeSearch:
        prompt = self.site.asterisk.sounds_here / language / "notice-test.wav"
        return NoticeSearch(read_wav(prompt)[0])

    async def end(self, leg: Leg) -> Kept:
        """One hangs up; what was kept of the call, once it is dealt with."""
        await leg.hang_up()
        await self.site.until_ended()
        assert self.site.spooled() == []
        return self.kept()

    def kept(self, call: str = "*") -> Kept:
        """What is kept of a call; of the only one, unless its id is given."""
        speakers = (self.caller, *self.phones.values())
        schedules = {phone.schedule.voice.name: phone.schedule for phone in speakers}
        search, now = self.search(), time.monotonic()
        files = {
            int(file.stem.rpartition("-")[2]): file
            for file in sorted(self.site.recordings.glob(f"r-{call.removeprefix('c-')}-*.wav"))
        }
        return Kept(
            {
                number: Capture.read(file, schedules, search, self.began, now)
                for number, file in sorted(files.items())
            }
        )

    def told(self, leg: Leg) -> float:
        """When the whisper to this party was over; see :func:`whispered`."""
        return whispered(self.site.asterisk.sounds_here / "en/notice-test.wav", leg)

    def hears_no_notice(self, leg: Leg, since: float = 0.0) -> Claim:
        """No part of the notice arrived at this telephone after that time."""
        heard = leg.heard_pcm()
        parts = [
            part for part in self.search().find(heard.pcm) if heard.clock_of(part.at_s) > since
        ]
        return Claim("no notice was heard", not parts, str(parts))


def whispered(prompt: Path, leg: Leg) -> float:
    """When a whisper to this party was over; the party heard it from beginning to end.

    A whisper is mixed into what the others say: with each packet of theirs that is lost a
    piece of it is lost as well. So it is not looked for as a whole: of its tenths of a second
    three quarters must be there, in their order, one of the first three and of the last three.
    """
    (notice,) = read_wav(prompt)
    heard = leg.heard_pcm()
    assert len(heard.pcm) >= len(notice), "less than the notice was heard"
    places, matches = _places(low_band(notice), low_band(heard.pcm))
    there = np.flatnonzero(matches > _MATCH)
    found = f"{matches.round(2)} at {places.round(2)}"
    assert len(there) >= 0.75 * len(matches), f"not all of the notice was heard: {found}"
    assert there[0] < 3, f"its beginning was not heard: {found}"
    assert there[-1] >= len(matches) - 3, f"its end was not heard: {found}"
    later = np.diff(places[there])
    assert later.min() > -_ASTRAY_S, f"it was not heard in its order: {found}"
    assert later.sum() < _LATE_S, f"it was not heard in one go: {found}"
    return heard.clock_of(float(places[there[-1]]) + NoticeSearch(notice).audible_to_s)


def _places(notice: Signal, audio: Signal) -> tuple[Signal, Signal]:
    """Where in the audio each tenth of a second of the notice fits best, as if the notice began
    there, in seconds; and how well, as a correlation.
    """
    window = RATE // 10
    energy = np.concatenate(([0.0], np.cumsum(audio**2)))
    loudness = np.sqrt(energy[window:] - energy[:-window] + 1.0)
    places, matches = [], []
    for start in range(0, len(notice) - window + 1, window):
        part = notice[start : start + window]
        match = np.correlate(audio, part, "valid") / (loudness * np.linalg.norm(part))
        places.append((int(match.argmax()) - start) / RATE)
        matches.append(float(match.max()))
    return np.array(places), np.array(matches)


def install_prompts(sounds: Path) -> None:
    """The notice, and the sounds without which Asterisk's own transfers do not work."""
    install_test_prompts(sounds)
    for name in _SOUNDS:
        write_wav(sounds / "en" / f"{name}.wav", np.zeros(RATE // 10, np.int16))


@dataclass(frozen=True, slots=True)
class Kept:
    """All recordings of a call, by their segment's number."""

    segments: Mapping[int, Capture]

    def times(self, party: str, channel: int) -> list[tuple[float, float]]:
        """When what is kept of a party was said: from and to, on the clock."""
        return sorted(
            (span.clock_start, span.clock_end)
            for capture in self.segments.values()
            for print_ in capture.voiceprints
            if (print_.party, print_.channel) == (party, channel)
            for span in print_.spans
        )

    def undated_s(self, party: str) -> float:
        return sum(
            print_.undated_s
            for capture in self.segments.values()
            for print_ in capture.voiceprints
            if print_.party == party
        )

    def seconds(self, party: str, channel: int, since: float, until: float) -> float:
        """How much is kept of what a party said between two times."""
        return sum(
            max(0.0, min(end, until) - max(start, since))
            for start, end in self.times(party, channel)
        )

    def nothing_of(self, party: str, until: float = float("inf")) -> Claim:
        """Nothing is kept of what a party said until then, in no channel."""
        early = [
            (start, end)
            for channel in (TOLD, OTHERS)
            for start, end in self.times(party, channel)
            if start < until - FRAME_S
        ]
        undated = self.undated_s(party)
        ok = not early and undated < 0.1
        measured = f"from {early} and {undated:.2f} s undated, and it is {until:.3f}"
        return Claim(f"nothing of {party} too early", ok, measured)

    def all_of(
        self, party: str, channel: int, since: float, until: float, less_s: float = 0.2
    ) -> Claim:
        """What a party said between two times is kept in its channel, and in no other.

        On a machine that is busy the telephones leave out frames; so much may be missing.
        """
        there = self.seconds(party, channel, since, until)
        elsewhere = self.seconds(party, 1 - channel, since, until)
        ok = there >= until - since - less_s and elsewhere == 0
        measured = f"{there:.3f} of {until - since:.3f} s there, {elsewhere:.2f} s elsewhere"
        return Claim(f"all of {party}", ok, measured)

    def no_notice(self) -> Claim:
        parts = [(number, *part) for number, one in self.segments.items() for part in one.notices]
        return Claim("no part of the notice is kept", not parts, str(parts))


def must_hold(*claims: Claim) -> None:
    wrong = [f"{claim.name}: {claim.measured}" for claim in claims if not claim.ok]
    assert not wrong, "; ".join(wrong)
