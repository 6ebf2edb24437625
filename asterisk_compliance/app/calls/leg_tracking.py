"""Everybody on every leg: who is in company with our calls, who dialled whom, who may come next.

AMI tells it, and AMI can be forged by a caller whose number holds line breaks. What it says mutes
at once; whether somebody is really there who may not be kept, or really left, ARI is asked before
anything else follows.
"""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from asterisk_compliance.app.calls.bridges import Bridges
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.events import Channel
from asterisk_compliance.asterisk.ari.requests import Bridge
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CompanyChanged,
    DiallerGone,
    LookedAway,
    TransferSeen,
    Unbridged,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.state import SLIP_BEFORE_MS
from asterisk_compliance.domain.policy.notice import OnJoin
from asterisk_compliance.errors import AsteriskError, RequestRefused
from asterisk_compliance.ids import ChannelId

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node_view import NodeView

STOOD_STILL_MS = 50 + SLIP_BEFORE_MS
"""Who was not awake for so long is told of everything too late."""

_AMI_LAG_S = 0.1
"""After so long AMI has told what ARI knows of a bridge, unless an event was forged."""

_TRANSFER_S = 0.5
"""After so long a transfer that Asterisk reported has moved the channels."""

_NOBODY_HEARS = frozenset({"holding", "parking"})
"""Kinds of bridges in which channels wait, and hear music and not each other."""

_NO_SUCH_SOURCE = 422
"""ARI's answer to a subscription to a channel that is gone."""

LONGEST_ENDPOINT = 128
"""Characters of the name of an endpoint by which its calls can be found."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EndpointDirectory:
    """The site's own endpoints, as patterns of names such as ``PJSIP/agent-*``."""

    staff: Sequence[str] = ()
    consenting: Sequence[str] = ()

    def peer(self, channel: ChannelId, name: str) -> Participant:
        endpoint = _endpoint(name)
        cover = CoverageBasis.STAFF if _is_among(endpoint, self.staff) else CoverageBasis.UNKNOWN
        consenting = _is_among(endpoint, self.consenting)
        return Participant(channel, cover, consenting, endpoint[:LONGEST_ENDPOINT])


def _endpoint(name: str) -> str:
    """``name`` is an endpoint, a hyphen and a number: the number is Asterisk's."""
    return name.rpartition("-")[0].partition(";")[0] or name


def _is_among(endpoint: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(endpoint, pattern) for pattern in patterns)


class LegTracker:
    """Follows the legs of one Asterisk and tells its calls.

    Attributes:
        changes: How often AMI said that somebody entered or left a bridge.
        awake_ms: When this process was last seen not to stand still, on the monotonic clock.
        away_since_ms: Since when nobody looked who is there; ``None``: somebody does.
        blind_since_ms: Since when nobody tells us of bridges, either; it is not before that.
    """

    def __init__(self, node: NodeView, endpoints: EndpointDirectory) -> None:
        self.changes = 0
        self.awake_ms: int | None = None
        self.away_since_ms: int | None = None
        self.blind_since_ms: int | None = None
        self._losses = 0
        self._node = node
        self._endpoints = endpoints
        self._bridges = Bridges()
        self._watched: dict[ChannelId, ChannelId] = {}
        self._told: dict[ChannelId, dict[ChannelId, str]] = {}
        self._suspected: set[ChannelId] = set()

    # -- when nobody looks ---------------------------------------------------------------

    def awake(self, at_ms: int) -> None:
        """Note that the process did not stand still until then."""
        self.awake_ms = at_ms

    def lost(self) -> int:
        """AMI is not there: blind until we look again, and from when it last told us in time.

        Returns:
            How long ago that was, in ms.
        """
        now_ms = monotonic_ms()
        since_ms = self._told_until(now_ms)
        if self.awake_ms is not None:
            since_ms = min(since_ms, self.awake_ms)
        self._losses += 1
        if self.blind_since_ms is None:
            self.blind_since_ms = since_ms
        self.gap_began(since_ms)
        for task in self._node.calls.values():
            self.is_blind(task)
        return now_ms - self.blind_since_ms

    def gap_began(self, since_ms: int) -> None:
        if self.away_since_ms is None or since_ms < self.away_since_ms:
            self.away_since_ms = since_ms

    def is_blind(self, task: CallTask) -> None:
        """Tell a call so, if it is: whoever is believed to be there now, that was not looked at."""
        if self.blind_since_ms is not None:
            task.feed(LookedAway(self.blind_since_ms, blind=True))

    def gap_ended(self) -> None:
        """Nobody can look who is there, since there is no ARI: that is so for calls from now on."""
        if self.hearing is not None:
            self.away_since_ms = self.blind_since_ms = None

    @property
    def hearing(self) -> int | None:
        """Which connection tells us of bridges; ``None``: there is none, and should be."""
        ami = self._node.ami
        return self._losses if ami is None or ami.connected else None

    def at_the_earliest(self, at_ms: int) -> int:
        """What is heard late may have happened at any time since: AMI stood still, or we did."""
        told_ms = self._told_until(at_ms)
        if self.awake_ms is None or at_ms - self.awake_ms <= STOOD_STILL_MS:
            return told_ms
        return min(told_ms, self.awake_ms)

    def end_seen_on_other_wire(self, channel: ChannelId, at_ms: int) -> None:
        """Another wire tells of a channel's end; whoever came before it AMI may not have told."""
        if (told_ms := self._told_until(at_ms)) != at_ms:
            self._node.feed(channel, LookedAway(told_ms, blind=True))

    @property
    def hears_in_time(self) -> bool:
        """Whether nothing is known to be late; since when AMI is not there has a row."""
        now_ms, ami = monotonic_ms(), self._node.ami
        return (ami is not None and not ami.connected) or self.at_the_earliest(now_ms) == now_ms

    def _told_until(self, at_ms: int) -> int:
        if self._node.ami is None:
            return at_ms
        at_s = at_ms / 1_000
        told_s = self._node.ami.told_until_s(at_s)
        return at_ms if told_s >= at_s else int(told_s * 1_000)

    # -- bridges -------------------------------------------------------------------------

    def entered(self, channel: ChannelId, bridge: str, name: str, kind: str, at_ms: int) -> None:
        self.changes += 1
        self._node.feed(channel, Bridged(at_ms))
        before = self._bridges.bridge_of(channel)
        if before != bridge or kind in _NOBODY_HEARS:
            self._leave(channel, at_ms)
        if kind in _NOBODY_HEARS:
            return
        self._bridges.enter(channel, bridge, name, basic=kind == "basic")
        unsure = self._tell(self._bridges.reached(bridge), at_ms, newcomers_only=True)
        self._check(bridge, unsure, at_ms)

    def left(self, channel: ChannelId, at_ms: int) -> None:
        """Somebody left. Our calls hear of it when ARI has confirmed it."""
        self.changes += 1
        self._node.feed(channel, Unbridged(at_ms))
        self._leave(channel, at_ms)

    def joined_halves(self, one: ChannelId, two: ChannelId) -> None:
        self._bridges.join_halves(one, two)

    def gone(self, channel: ChannelId) -> None:
        """A channel is gone; one that still is in a bridge has left it, if ARI confirms it."""
        now_ms = monotonic_ms()
        if (earliest_ms := self.at_the_earliest(now_ms)) != now_ms:
            self._node.feed(channel, LookedAway(earliest_ms))
        if self._bridges.bridge_of(channel) is None:
            self._bridges.forget(channel)
        else:
            self._leave(channel, now_ms)
        self._watched.pop(channel, None)
        self._told.pop(channel, None)
        self._suspected.discard(channel)

    def _leave(self, channel: ChannelId, at_ms: int) -> None:
        bridge = self._bridges.bridge_of(channel)
        if bridge is None:
            return
        reached = self._bridges.reached(bridge)
        self._bridges.leave(channel)
        self._check(bridge, [one for one in reached if self._told.get(one)], at_ms)

    def _tell(
        self, channels: Iterable[ChannelId], at_ms: int, *, newcomers_only: bool = False
    ) -> list[ChannelId]:
        """Tell each of our calls among ``channels`` its company, if that changed.

        With ``newcomers_only`` nothing is told of who left, nor of a newcomer who may not be kept:
        he mutes the others at once, and what else follows waits for ARI.

        Returns:
            Those that had company before and have somebody new in it: that must be checked.
        """
        unsure = []
        for channel in channels:
            task = self._node.calls.get(channel)
            if task is None:
                continue
            before, company = self._told.get(channel), self._bridges.company(channel)
            new = set() if before is None else company.keys() - before.keys()
            if new:
                unsure.append(channel)
            again = not newcomers_only and channel in self._suspected
            if newcomers_only:
                doubtful = {one for one in new if not self._is_kept(task, one, company[one])}
                if doubtful:
                    self._suspect(channel, at_ms)
                sure = {one: name for one, name in company.items() if one not in doubtful}
                company = (before or {}) | sure
            if company.keys() == (before or {}).keys() and not again:
                continue
            self._suspected -= {channel} if again else set()
            self._told[channel] = company
            peers = tuple(sorted(self._peer(one, name) for one, name in company.items()))
            basic = self._bridges.is_basic(channel)
            if (earliest_ms := self.at_the_earliest(at_ms)) != at_ms:
                task.feed(LookedAway(earliest_ms))
            task.feed(CompanyChanged(at_ms, peers, two_party=basic))
            self.is_blind(task)
        return unsure

    def _suspect(self, channel: ChannelId, at_ms: int) -> None:
        """Mute the others of a call until it is told for certain who is there."""
        self._suspected.add(channel)
        self._node.feed(channel, TransferSeen(self.at_the_earliest(at_ms)))

    def _is_kept(self, task: CallTask, channel: ChannelId, name: str) -> bool:
        """Nothing would follow for a recording if this party joined it but to go on."""
        policy = task.call.policy
        goes_on = policy is not None and policy.on_join is OnJoin.CONTINUE
        cover = self._peer(channel, name).cover
        return cover in {CoverageBasis.STAFF, CoverageBasis.TOLD} or (
            goes_on and cover is CoverageBasis.UNKNOWN
        )

    def _peer(self, channel: ChannelId, name: str) -> Participant:
        peer = self._endpoints.peer(channel, name)
        task = self._node.calls.get(channel)
        decision = task.call.decision if task else None
        if decision is None or peer.cover is CoverageBasis.STAFF:
            return peer
        if decision.allowed and task is not None and not task.call.consent.withdrawn:
            return Participant(channel, CoverageBasis.TOLD, consenting=True)
        refused = decision.status is Status.REFUSED or decision.allowed
        return Participant(channel, CoverageBasis.REFUSED if refused else CoverageBasis.UNKNOWN)

    def refresh(
        self,
        bridges: Iterable[Bridge],
        channels: Mapping[ChannelId, Channel],
        at_ms: int,
        *,
        hearing: int | None,
    ) -> None:
        """Begin anew with what ARI says, and tell every call who is there, changed or not.

        ``hearing``: as it was before ARI was asked. If that is over, we are blind again.
        """
        heard = hearing is not None and hearing == self.hearing
        self.away_since_ms = self.blind_since_ms = None if heard else at_ms
        self._bridges.clear()
        halves = {channel.name: channel.id for channel in channels.values()}
        for name, channel in halves.items():
            stem, semicolon, half = name.rpartition(";")
            if semicolon and half == "1" and (other := halves.get(f"{stem};2")):
                self._bridges.join_halves(channel, other)
        for bridge in bridges:
            for member in bridge.channels if bridge.kind not in _NOBODY_HEARS else ():
                if member in channels:
                    name = channels[member].name
                    self._bridges.enter(member, bridge.id, name, basic=bridge.kind == "basic")
        for channel, task in self._node.calls.items():
            bridged = self._bridges.bridge_of(channel) is not None
            task.feed(Bridged(at_ms) if bridged else Unbridged(at_ms))
            company = self._bridges.company(channel)
            if company or channel in self._told or task.call.participants.met:
                self._told[channel] = company  # else its first party is still to come
            peers = tuple(sorted(self._peer(one, name) for one, name in company.items()))
            basic = self._bridges.is_basic(channel)
            task.feed(CompanyChanged(at_ms, peers, two_party=basic))
            self.is_blind(task)

    # -- what ARI says of it -------------------------------------------------------------

    def _check(self, bridge: str, channels: Sequence[ChannelId], at_ms: int) -> None:
        """Look whether the bridge is as AMI says, then tell ``channels`` who is there."""
        if not channels:
            return
        ari = self._node.ari
        if ari is None:
            self._tell(channels, at_ms)
        else:
            self._node.spawn(self._compare(ari, bridge, channels, at_ms))

    async def _compare(
        self, ari: AriClient, bridge: str, channels: Sequence[ChannelId], at_ms: int
    ) -> None:
        """ARI's JSON cannot be forged by a caller. Where it cannot be asked, AMI is believed."""
        try:
            differing = await self._differing(ari, bridge)
            if differing:
                await asyncio.sleep(_AMI_LAG_S)
                differing &= await self._differing(ari, bridge)
            for channel in sorted(differing):
                await self._correct(ari, bridge, channel, at_ms)
        except AsteriskError as error:
            log.warning("bridge_not_checked", node=self._node.node, why=str(error))
        self._tell(channels, at_ms)

    async def _differing(self, ari: AriClient, bridge: str) -> set[ChannelId]:
        """Who is in the bridge for one of AMI and ARI, and not for the other."""
        there = await ari.bridge_channels(bridge) or ()
        return self._bridges.members(bridge).symmetric_difference(there)

    async def _correct(self, ari: AriClient, bridge: str, channel: ChannelId, at_ms: int) -> None:
        if self._bridges.bridge_of(channel) == bridge:
            self._bridges.leave(channel)
            self._node.feed(channel, Unbridged(at_ms))
        else:
            found = await ari.channel(channel)
            if found is None:
                return
            self._bridges.enter(channel, bridge, found.name)
            self._node.feed(channel, Bridged(at_ms))  # from when AMI said otherwise
        log.error("ami_event_forged", node=self._node.node, channel=channel)
        self._node.row(Kind.ANOMALY, code="BRIDGE_FORGED", channel=channel)

    # -- who may come --------------------------------------------------------------------

    def dial_began(self, dialler: ChannelId | None, at_ms: int) -> None:
        """Somebody is dialled. Nobody dials who is in a bridge: then the event was forged."""
        if dialler is not None and self._bridges.bridge_of(dialler) is None:
            self._node.feed(dialler, TransferSeen(self.at_the_earliest(at_ms)))

    def transfer_seen(self, bridge: str | None, at_ms: int) -> None:
        channels = self._bridges.reached(bridge)
        for channel in channels:
            self._suspect(channel, at_ms)
        self._node.spawn(self._look_whether_transferred(channels))

    async def _look_whether_transferred(self, channels: Sequence[ChannelId]) -> None:
        """Who was transferred has left by now; with whom nothing happened the event was forged."""
        await asyncio.sleep(_TRANSFER_S)
        self._tell([one for one in channels if one in self._suspected], monotonic_ms())

    # -- who dialled ---------------------------------------------------------------------

    def watch_dialler(self, callee: ChannelId, dialler: ChannelId) -> None:
        """``Dial()`` does not look at its own caller while the callee hears the notice: we do."""
        if self._node.ari is None or dialler in {"", callee}:
            return
        self._watched[dialler] = callee

        def answered(done: asyncio.Future[None]) -> None:
            """Asterisk knows no such channel: it is gone already, and nobody will say so again."""
            refused = None if done.cancelled() else done.exception()
            if isinstance(refused, RequestRefused) and refused.status == _NO_SUCH_SOURCE:
                self.dialler_hung_up(dialler, monotonic_ms())

        self._node.ari.subscribe(dialler).add_done_callback(answered)

    def dialler_hung_up(self, dialler: ChannelId, at_ms: int) -> None:
        callee = self._watched.pop(dialler, None)
        if callee is not None:
            self._node.feed(callee, DiallerGone(at_ms))
