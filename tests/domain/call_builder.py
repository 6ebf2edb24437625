"""A call in the state that a test is about, made by the events that lead to it.

``a_call().told().recorded()`` is a call that heard the notice, was let go on and is recorded. Each
step feeds the events that a real Asterisk would send, so no test builds a state that cannot be.
"""

from __future__ import annotations

from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import Command
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    ChannelGone,
    CompanyChanged,
    Continued,
    FileGrew,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
    Unbridged,
)
from asterisk_compliance.domain.call.participants import Participant
from asterisk_compliance.domain.call.state import Arrival, Call, CallLimits, Decided, Undecided
from asterisk_compliance.ids import CallId
from domain.simulator import CALL, LIMITS, arrival
from values import replace

NOTICE_STARTS_MS, NOTICE_ENDS_MS = 10, 1_010
CONTINUES_MS, RECORDS_MS, BRIDGED_MS, GROWS_MS = 1_020, 1_030, 2_000, 2_500
UNBRIDGED_MS, GONE_MS = 8_000, 9_000
ASTERISK_AHEAD_MS = 4_990
"""Asterisk's clock is not ours."""


class CallBuilder:
    """A call, and the commands that followed from the last event."""

    def __init__(self, call: Call, commands: tuple[Command, ...]) -> None:
        self.call, self.commands = call, commands

    def then(self, *events: CallEvent) -> CallBuilder:
        """... and then this happened."""
        call, commands = self.call, self.commands
        for event in events:
            call, commands = rules.step(call, event)
        return CallBuilder(call, commands)

    def told(self) -> CallBuilder:
        """The notice was heard to its end."""
        began, ended = NOTICE_STARTS_MS, NOTICE_ENDS_MS
        playback = self.call.playback
        return self.then(
            PlaybackStarted(playback, began, began + ASTERISK_AHEAD_MS),
            PlaybackFinished(playback, True, ended, ended + ASTERISK_AHEAD_MS),
        )

    def continued(self) -> CallBuilder:
        """The channel went on in the dialplan."""
        return self.then(Continued(CONTINUES_MS), LeftStasis())

    def recorded(self) -> CallBuilder:
        """The channel went on, is bridged, and its recording grows."""
        there = self.continued()
        return there.then(
            MixMonitorStarted(RECORDS_MS),
            Bridged(BRIDGED_MS),
            FileGrew(there.call.recording, GROWS_MS),
        )

    def joined_by(self, *peers: Participant, at_ms: int = BRIDGED_MS) -> CallBuilder:
        """These are in the call now."""
        return self.then(CompanyChanged(at_ms, peers))

    def ended(self) -> CallBuilder:
        """The channel is gone; its recording is not judged yet."""
        return self.then(Unbridged(UNBRIDGED_MS), ChannelGone(GONE_MS))


def a_call(
    value: Arrival | None = None,
    *,
    call: CallId = CALL,
    limits: CallLimits = LIMITS,
    **changed: object,
) -> CallBuilder:
    """A call that arrived; ``changed`` as in :func:`~domain.simulator.arrival`."""
    return CallBuilder(*rules.arrive(call, value or arrival(**changed), limits))


def with_segment(call: Call, **changed: object) -> Call:
    """The same call with another running segment, where no few events lead to it."""
    segment = replace(call.capture.segment, **changed)
    return replace(call, capture=replace(call.capture, segment=segment))


def undecided(call: Call) -> Undecided:
    """Its stage, which must be that."""
    assert isinstance(call.stage, Undecided)
    return call.stage


def decided(call: Call) -> Decided:
    """Its stage, which must be that."""
    assert isinstance(call.stage, Decided)
    return call.stage
