"""Recordings of others: what whoever is recorded had been told when each of them began.

Somebody else's dialplan plays a notice and records; we see what it executes, and change nothing.

    O1  A notice begins when an application that plays is given exactly the notice's sounds.
    O2  It is completed when that application says SUCCESS, no sooner than the notice is long.
        Whatever comes first instead makes it incomplete.
    O3  A recording begins when its application runs; with option b, when its channel is in a
        bridge; that of a conference, for each who is in it.
    O4  Told is who is recorded on a channel on which a notice was completed, or in a call in which
        it was. In a conference everybody has to hear it on his own channel.
    O5  Where something could have happened before we looked, nothing is said to be untold.

What comes in was written by Asterisk, and in part by whoever calls: nothing of it is kept but ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from asterisk_compliance.domain.dialplan.actions import executed
from asterisk_compliance.domain.dialplan.expressions import options, separated
from asterisk_compliance.domain.observation.values import (
    Began,
    End,
    Ended,
    Fact,
    InformedState,
    Recorder,
    Where,
)
from asterisk_compliance.ids import ChannelId

TOLERANCE_MS = 100
"""So much sooner than its length a notice can seem to end: a busy process reads events late."""
MOST_CHANNELS = 20_000
MOST_BRIDGES = 1_000
MOST_RUNNING = 16
"""Recordings of one channel that are followed to their end."""

STATUS_OF: Final = {"playback": "PLAYBACKSTATUS", "background": "BACKGROUNDSTATUS"}
"""Applications that play sounds, and the variable that each sets when it is over."""

_CHANNEL = re.compile(r"[A-Za-z0-9_.-]{1,150}(;[12])?")


@dataclass(slots=True)
class _Recording:
    number: int
    by: Recorder
    began_ms: int | None = None
    told: bool = False
    told_ms: int | None = None

    def told_late(self, at_ms: int) -> None:
        if self.began_ms is not None and not self.told and self.told_ms is None:
            self.told_ms = at_ms


@dataclass(frozen=True, slots=True)
class _Playing:
    notice: str
    status: str
    began_ms: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a channel's dialplan is about to record."""

    by: Recorder
    bridged: bool
    ours: bool


@dataclass(slots=True)
class _Heard:
    """The notices that ended, the last of each kind."""

    completed: str = ""
    incomplete: str = ""

    def also(self, other: _Heard) -> None:
        self.completed = self.completed or other.completed
        self.incomplete = self.incomplete or other.incomplete


@dataclass(slots=True)
class _Leg:
    """A channel. ``whole``: seen from its beginning."""

    channel: ChannelId
    linkedid: str
    whole: bool = False
    executed: bool = False
    heard: _Heard = field(default_factory=_Heard)
    playing: _Playing | None = None
    asked: _Asked | None = None
    bridge: str = ""
    recordings: list[_Recording] = field(default_factory=list)
    begun: int = 0
    ours: int = 0


@dataclass(slots=True)
class _Call:
    """Channels with one linkedid. ``whole``: seen from the beginning of the first."""

    whole: bool = False
    executed: bool = False
    heard: _Heard = field(default_factory=_Heard)
    legs: dict[ChannelId, _Leg] = field(default_factory=dict)


class Observing:
    """What is known of the channels of one Asterisk.

    Events of channels with an id that Asterisk does not make are ignored. Times are milliseconds
    of one clock.

    Args:
        notices: Their lengths in milliseconds, by their sounds as the dialplan writes them.
        ours: Where the service's own recordings are written.
    """

    def __init__(self, notices: Mapping[str, int], ours: str, *, most: int = MOST_CHANNELS) -> None:
        self._notices = notices
        self._ours = f"{ours}/"
        self._most = most
        self._legs: dict[ChannelId, _Leg] = {}
        self._calls: dict[str, _Call] = {}
        self._bridges: dict[str, dict[ChannelId, _Leg]] = {}
        self._recorded: dict[str, None] = {}

    def __len__(self) -> int:
        """How many channels, calls and bridges are remembered."""
        return len(self._legs) + len(self._calls) + len(self._bridges) + len(self._recorded)

    def forget(self) -> None:
        """Something was not told, or cannot be believed: from here on anew."""
        for known in (self._legs, self._calls, self._bridges, self._recorded):
            known.clear()

    # -- notices -------------------------------------------------------------------------

    def born(self, channel: ChannelId, linkedid: str) -> None:
        leg = self._leg(channel, linkedid)
        if leg is not None:
            leg.whole = True
            self._calls[linkedid].whole |= channel == linkedid

    def executed(
        self, channel: ChannelId, linkedid: str, application: str, data: str, at_ms: int
    ) -> None:
        """A channel's dialplan goes on to an application."""
        leg = self._leg(channel, linkedid)
        if leg is None:
            return
        leg.executed = self._calls[linkedid].executed = True
        self._over(leg, completed=False, at_ms=at_ms)
        leg.asked = None
        app, text = executed(application, data)
        arguments = [one.strip() for one in separated(text)] + [""] * 3
        match app:
            case "playback" | "background" if arguments[0] in self._notices:
                leg.playing = _Playing(arguments[0], STATUS_OF[app], at_ms)
            case "mixmonitor":
                leg.asked = self._asked(Recorder.MIXMONITOR, arguments[1], text)
            case "monitor":
                leg.asked = self._asked(Recorder.MONITOR, arguments[2], text)
            case _:
                pass

    def _asked(self, by: Recorder, letters: str, text: str) -> _Asked:
        bridged = any(one.letter == "b" for one in options(letters))
        return _Asked(by, bridged and by is Recorder.MIXMONITOR, self._ours in text)

    def played(
        self, channel: ChannelId, linkedid: str, variable: str, value: str, at_ms: int
    ) -> None:
        """An application that plays is over and says how: O2."""
        leg = self._leg(channel, linkedid)
        if leg is None or leg.playing is None or leg.playing.status != variable:
            return
        length_ms = self._notices[leg.playing.notice]
        lasted_ms = at_ms - leg.playing.began_ms
        whole = value == "SUCCESS" and lasted_ms >= length_ms - TOLERANCE_MS
        self._over(leg, completed=whole, at_ms=at_ms)

    def _over(self, leg: _Leg, *, completed: bool, at_ms: int) -> None:
        if leg.playing is None:
            return
        notice, leg.playing = leg.playing.notice, None
        call = self._calls[leg.linkedid]
        for heard in (leg.heard, call.heard):
            if completed:
                heard.completed = notice
            else:
                heard.incomplete = notice
        for one in call.legs.values() if completed else ():
            for recording in one.recordings:
                if one is leg or recording.by is not Recorder.CONFBRIDGE:
                    recording.told_late(at_ms)

    # -- recordings ----------------------------------------------------------------------

    def started(
        self,
        channel: ChannelId,
        linkedid: str,
        by: Recorder,
        at_ms: int,
        *,
        perhaps_ours: bool = False,
    ) -> list[Fact]:
        """Asterisk says that a recorder runs; ``perhaps_ours``: one of the service's could."""
        leg = self._leg(channel, linkedid)
        if leg is None:
            return []
        asked, leg.asked = leg.asked, None
        if asked is None or asked.by is not by:
            asked = _Asked(by, bridged=False, ours=perhaps_ours)
        if asked.ours:
            leg.ours += 1
            return []
        return list(self._record(leg, by, asked.bridged, at_ms))

    def stopped(self, channel: ChannelId, by: Recorder, at_ms: int) -> list[Fact]:
        """Somebody stopped a recorder. Of several nobody says which: they end with the channel."""
        leg = self._legs.get(channel)
        if leg is None:
            return []
        running = [one for one in leg.recordings if one.by is by]
        if not running and by is Recorder.MIXMONITOR:
            leg.ours = max(0, leg.ours - 1)
        if leg.ours or len(running) != 1:
            return []
        return list(self._end(leg, running, End.STOPPED, at_ms))

    def entered(self, channel: ChannelId, linkedid: str, bridge: str, at_ms: int) -> list[Fact]:
        leg = self._leg(channel, linkedid)
        if leg is None or leg.bridge == bridge:
            return []
        facts = list(self._leave(leg, at_ms))
        leg.bridge = bridge
        self._bridges.setdefault(bridge, {})[channel] = leg
        waiting = [one for one in leg.recordings if one.began_ms is None]
        facts += [self._begin(leg, one, at_ms, bridged=True) for one in waiting]
        if bridge in self._recorded:
            facts += self._record(leg, Recorder.CONFBRIDGE, False, at_ms)
        return facts

    def left(self, channel: ChannelId, at_ms: int) -> list[Fact]:
        leg = self._legs.get(channel)
        return [] if leg is None else list(self._leave(leg, at_ms))

    def conference_recorded(self, bridge: str, at_ms: int) -> list[Fact]:
        """The recorder comes into a conference before whoever opens it."""
        if bridge in self._recorded:
            return []
        if len(self._recorded) >= MOST_BRIDGES:
            del self._recorded[next(iter(self._recorded))]
        self._recorded[bridge] = None
        return [
            fact
            for leg in self._bridges.get(bridge, {}).values()
            for fact in self._record(leg, Recorder.CONFBRIDGE, False, at_ms)
        ]

    def conference_stopped(self, bridge: str, at_ms: int) -> list[Fact]:
        self._recorded.pop(bridge, None)
        return [
            fact
            for leg in self._bridges.get(bridge, {}).values()
            for fact in self._end(leg, _of_conference(leg), End.STOPPED, at_ms)
        ]

    def gone(self, channel: ChannelId, at_ms: int) -> list[Fact]:
        leg = self._legs.get(channel)
        if leg is None:
            return []
        facts = list(self._end(leg, list(leg.recordings), End.HANGUP, at_ms))
        self._drop(leg)
        return facts

    def _record(self, leg: _Leg, by: Recorder, bridged: bool, at_ms: int) -> Iterator[Fact]:
        leg.begun += 1
        recording = _Recording(leg.begun, by)
        if len(leg.recordings) < MOST_RUNNING:
            leg.recordings.append(recording)
        if not bridged or leg.bridge:
            yield self._begin(leg, recording, at_ms, bridged=bridged)

    def _begin(self, leg: _Leg, recording: _Recording, at_ms: int, *, bridged: bool) -> Began:
        told, where, notice = self._told(leg, recording.by)
        recording.began_ms, recording.told = at_ms, told is InformedState.TOLD
        return Began(
            leg.channel, leg.linkedid, recording.number, recording.by, bridged, told, where, notice
        )

    def _end(
        self, leg: _Leg, recordings: list[_Recording], cause: End, at_ms: int
    ) -> Iterator[Fact]:
        for one in recordings:
            leg.recordings.remove(one)
            if one.began_ms is None:
                continue  # it waited for a bridge, and nothing of it was kept
            late_ms = None if one.told_ms is None else one.told_ms - one.began_ms
            yield Ended(leg.channel, one.number, cause, at_ms - one.began_ms, late_ms)

    def _told(self, leg: _Leg, by: Recorder) -> tuple[InformedState, Where | None, str]:
        """O4 and O5."""
        call = self._calls[leg.linkedid]
        alone = by is Recorder.CONFBRIDGE
        heard = _Heard() if alone else call.heard
        if leg.heard.completed:
            return InformedState.TOLD, Where.CHANNEL, leg.heard.completed
        if heard.completed:
            return InformedState.TOLD, Where.CALL, heard.completed
        seen = leg.whole and (leg.executed if alone else call.whole and call.executed)
        if not seen:
            return InformedState.UNKNOWN, None, ""
        if leg.playing is not None:
            return InformedState.DURING, Where.CHANNEL, leg.playing.notice
        for one in () if alone else call.legs.values():
            if one.playing is not None:
                return InformedState.DURING, Where.CALL, one.playing.notice
        if leg.heard.incomplete:
            return InformedState.INCOMPLETE, Where.CHANNEL, leg.heard.incomplete
        if heard.incomplete:
            return InformedState.INCOMPLETE, Where.CALL, heard.incomplete
        return InformedState.UNTOLD, None, ""

    # -- channels ------------------------------------------------------------------------

    def _leg(self, channel: ChannelId, linkedid: str) -> _Leg | None:
        """The channel, in the call in which it is now; ``None`` if no channel has such an id."""
        leg = self._legs.get(channel)
        if leg is not None and leg.linkedid == linkedid:
            return leg
        if not (_CHANNEL.fullmatch(channel) and _CHANNEL.fullmatch(linkedid)):
            return None
        if leg is None:
            if len(self._legs) >= self._most:
                self._drop(next(iter(self._legs.values())))
            leg = self._legs[channel] = _Leg(channel, linkedid)
        else:
            self._out_of_call(leg)
            leg.linkedid = linkedid
        call = self._calls.setdefault(linkedid, _Call())
        call.legs[channel] = leg
        call.heard.also(leg.heard)
        return leg

    def _leave(self, leg: _Leg, at_ms: int) -> Iterator[Fact]:
        self._out_of_bridge(leg)
        yield from self._end(leg, _of_conference(leg), End.LEFT, at_ms)

    def _drop(self, leg: _Leg) -> None:
        self._out_of_bridge(leg)
        self._out_of_call(leg)
        del self._legs[leg.channel]

    def _out_of_bridge(self, leg: _Leg) -> None:
        members = self._bridges.get(leg.bridge, {})
        members.pop(leg.channel, None)
        if leg.bridge and not members:
            del self._bridges[leg.bridge]
            self._recorded.pop(leg.bridge, None)
        leg.bridge = ""

    def _out_of_call(self, leg: _Leg) -> None:
        legs = self._calls[leg.linkedid].legs
        del legs[leg.channel]
        if not legs:
            del self._calls[leg.linkedid]


def _of_conference(leg: _Leg) -> list[_Recording]:
    return [one for one in leg.recordings if one.by is Recorder.CONFBRIDGE]
