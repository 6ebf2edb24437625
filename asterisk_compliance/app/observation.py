"""Observes how another system records on one Asterisk: AMI events become rows.

Asterisk is asked nothing, and no call is touched. The rules are in
``domain/observation/tracker.py``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asterisk_compliance.app.calls.asterisk_listeners import AmiEventRouter
from asterisk_compliance.asterisk.ami import events as ami
from asterisk_compliance.asterisk.ami import observed_events as observed
from asterisk_compliance.asterisk.ami.client import AnyEvent
from asterisk_compliance.config.asterisk import ObserveSettings
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.observation.tracker import Observing
from asterisk_compliance.domain.observation.values import (
    Began,
    Ended,
    Fact,
    InformedState,
    Recorder,
    Where,
)
from asterisk_compliance.ids import ChannelId

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.call_task import CallTask
    from asterisk_compliance.app.calls.node import Node


TORN_EVERY_S = 1.0


class Observer:
    """Observes for one node. ``spool``: where the service's own recordings are written."""

    def __init__(self, node: Node, settings: ObserveSettings, spool: Path) -> None:
        notices = {sounds: round(s * 1_000) for sounds, s in settings.notices.items()}
        self._node = node
        self._known = Observing(notices, str(spool))

    def forget(self) -> None:
        """AMI was away, or told something torn: what is known is not to be relied on."""
        self._known.forget()

    def hear(self, event: AnyEvent, at_ms: int) -> None:
        self._follow(event, at_ms)
        for fact in (*self._of_recorders(event, at_ms), *self._of_channels(event, at_ms)):
            match fact:
                case Began():
                    self._began(self._told_by_us(fact))
                case Ended():
                    self._ended(fact)

    def _follow(self, event: AnyEvent, at_ms: int) -> None:
        match event:
            case observed.Newchannel(channel, linkedid):
                self._known.born(channel, linkedid)
            case observed.Newexten(channel, linkedid, application, data):
                self._known.executed(channel, linkedid, application, data, at_ms)
            case observed.VarSet(channel, linkedid, variable, value):
                self._known.played(channel, linkedid, variable, value, at_ms)
            case _:
                pass

    def _of_recorders(self, event: AnyEvent, at_ms: int) -> Sequence[Fact]:
        match event:
            case ami.MixMonitorStart(channel, linkedid):
                ours = any(task.call.capture.is_open for task in self._calls(channel))
                by = Recorder.MIXMONITOR
                return self._known.started(channel, linkedid, by, at_ms, perhaps_ours=ours)
            case ami.MixMonitorStop(channel):
                return self._known.stopped(channel, Recorder.MIXMONITOR, at_ms)
            case observed.MonitorStart(channel, linkedid):
                return self._known.started(channel, linkedid, Recorder.MONITOR, at_ms)
            case observed.MonitorStop(channel):
                return self._known.stopped(channel, Recorder.MONITOR, at_ms)
            case observed.ConfbridgeRecord(bridge):
                return self._known.conference_recorded(bridge, at_ms)
            case observed.ConfbridgeStopRecord(bridge):
                return self._known.conference_stopped(bridge, at_ms)
            case _:
                return ()

    def _of_channels(self, event: AnyEvent, at_ms: int) -> Sequence[Fact]:
        match event:
            case ami.BridgeEnter(channel=channel, linkedid=linkedid, bridge=bridge):
                return self._known.entered(channel, linkedid, bridge, at_ms)
            case ami.BridgeLeave(channel=channel):
                return self._known.left(channel, at_ms)
            case ami.Hangup(channel=channel):
                return self._known.gone(channel, at_ms)
            case _:
                return ()

    def _began(self, seen: Began) -> None:
        self._node.row(
            Kind.RECORDING_OBSERVED,
            channel=seen.channel,
            number=seen.number,
            by=seen.by,
            bridged=seen.bridged,
            told=seen.told,
            where=seen.where,
            notice=seen.notice,
        )

    def _ended(self, seen: Ended) -> None:
        self._node.row(
            Kind.OBSERVED_ENDED,
            channel=seen.channel,
            number=seen.number,
            cause=seen.cause,
            ran_ms=seen.ran_ms,
            told_after_ms=seen.told_after_ms,
        )

    def _told_by_us(self, seen: Began) -> Began:
        """Where the call was in our routine too, its notice counts, and a no counts more."""
        for task in self._calls(seen.channel, seen.linkedid):
            decision = task.call.decision
            if decision is None:
                continue
            if decision.status is Status.REFUSED or task.call.consent.withdrawn:
                return replace(seen, told=InformedState.REFUSED, where=Where.SERVICE, notice="")
            if decision.allowed and seen.told is not InformedState.TOLD:
                return replace(seen, told=InformedState.TOLD, where=Where.SERVICE, notice="")
        return seen

    def _calls(self, channel: ChannelId, linkedid: str = "") -> Iterator[CallTask]:
        """Our live calls that this channel is, or belongs to."""
        for task in self._node.calls.values():
            if task.call.channel == channel or (linkedid and task.linkedid == linkedid):
                yield task


class ObservingAmiEventRouter(AmiEventRouter):
    """Listens to AMI for one node, and lets an observer hear it first."""

    def __init__(self, node: Node, settings: ObserveSettings, spool: Path) -> None:
        super().__init__(node)
        self._observer = Observer(node, settings, spool)
        self._torn_s = -math.inf

    def on_connected(self, version: str) -> None:
        self._observer.forget()
        super().on_connected(version)

    def on_malformed(self, why: str) -> None:
        """What is torn was perhaps torn by a caller, and what follows it is his.

        Every step of his dialplan is torn; one row a second says it.
        """
        self._observer.forget()
        now_s = time.monotonic()
        if now_s - self._torn_s >= TORN_EVERY_S:
            self._torn_s = now_s
            super().on_malformed(why)

    def on_event(self, event: AnyEvent, received_monotonic: float) -> None:
        self._observer.hear(event, int(received_monotonic * 1_000))
        super().on_event(event, received_monotonic)
