"""A node with calls that keep what they are told; its ARI knows what is really so."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from app.handled_site import Wires
from asterisk_compliance.app.calls.leg_tracking import EndpointDirectory, LegTracker
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.decision import Decision
from asterisk_compliance.domain.call.events import CallEvent, CompanyChanged
from asterisk_compliance.domain.call.participants import Participant
from asterisk_compliance.domain.call.state import Call, Decided
from asterisk_compliance.domain.policy.notice import OnJoin
from asterisk_compliance.errors import AsteriskError, RequestRefused
from asterisk_compliance.ids import ChannelId, NodeName, call_id
from domain.call_builder import a_call
from domain.simulator import policy
from values import replace

CALLER, AGENT, FRIEND, CALLEE = (ChannelId(f"1700000000.{number}") for number in range(1, 5))
ONE, TWO = ChannelId("1700000000.11"), ChannelId("1700000000.12")
NAMES = {
    CALLER: "PJSIP/trunk-00000001",
    AGENT: "PJSIP/agent-7-00000002",
    FRIEND: "PJSIP/trunk-00000003",
    CALLEE: "PJSIP/mobile-00000004",
    ONE: "Local/7@office-00000001;1",
    TWO: "Local/7@office-00000001;2",
}
WITHIN_S = 5.0


class TrueState:
    """What ARI says: who is in which bridge, and that is so."""

    def __init__(self) -> None:
        self.where: dict[str, list[ChannelId]] = {}
        self.asked: list[str] = []
        self.subscribed: list[ChannelId] = []
        self.refuses: AsteriskError | None = None
        self.subscription = 500
        self.answers = asyncio.Event()
        self.answers.set()

    async def bridge_channels(self, bridge: str) -> list[ChannelId] | None:
        self.asked.append(bridge)
        await self.answers.wait()
        if self.refuses is not None:
            raise self.refuses
        return self.where.get(bridge)

    async def channel(self, channel: ChannelId) -> object:
        return SimpleNamespace(name=NAMES[channel]) if channel in self.all() else None

    def all(self) -> set[ChannelId]:
        return {channel for members in self.where.values() for channel in members}

    def subscribe(self, channel: ChannelId) -> asyncio.Future[None]:
        self.subscribed.append(channel)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.set_exception(RequestRefused("subscribe", self.subscription))
        return answer


@dataclass
class Task:
    """A call that keeps what it is told."""

    call: Call
    heard: list[CallEvent] = field(default_factory=list)

    def feed(self, event: CallEvent) -> None:
        self.heard.append(event)


class Site:
    """A node with live calls; ``moves`` are told by AMI, and true."""

    node = NodeName("pbx1")

    def __init__(self, endpoints: EndpointDirectory | None = None) -> None:
        self.calls: dict[ChannelId, Task] = {}
        self.ari: TrueState | None = TrueState()
        self.ami: Wires | None = Wires()
        self.rows: list[tuple[Kind, dict[str, object]]] = []
        self.running: set[asyncio.Task[None]] = set()
        self.legs = LegTracker(cast("Node", self), endpoints or EndpointDirectory())
        self.at_ms = 0

    def feed(self, channel: ChannelId, event: CallEvent) -> None:
        if channel in self.calls:
            self.calls[channel].feed(event)

    def row(self, kind: Kind, **detail: object) -> None:
        self.rows.append((kind, detail))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    # what happens

    def live(
        self,
        channel: ChannelId,
        decision: Decision | None = None,
        *,
        on_join: OnJoin = OnJoin.RENOTIFY,
    ) -> Task:
        identity = call_id(1_700_000_000_000, channel.encode()[-8:])
        terms = replace(policy(), on_join=on_join)
        call = a_call(call=identity, channel=channel, policy=terms).call
        if decision is not None:
            wording = terms.wording_for("")
            call = replace(call, stage=Decided(terms, wording, decision))
        self.calls[channel] = Task(call)
        return self.calls[channel]

    @property
    def truth(self) -> TrueState:
        assert self.ari is not None
        return self.ari

    def said(self, channel: ChannelId, bridge: str, kind: str = "basic") -> None:
        """AMI says that a channel entered a bridge."""
        self.at_ms += 10
        self.legs.entered(channel, bridge, NAMES[channel], kind, self.at_ms)

    def said_left(self, channel: ChannelId) -> None:
        self.at_ms += 10
        self.legs.left(channel, self.at_ms)

    def enters(self, bridge: str, *channels: ChannelId) -> None:
        for channel in channels:
            if self.ari is not None:
                self.leaves_in_truth(channel)
                self.ari.where.setdefault(bridge, []).append(channel)
            self.said(channel, bridge)

    def leaves(self, *channels: ChannelId) -> None:
        for channel in channels:
            self.leaves_in_truth(channel)
            self.said_left(channel)

    def leaves_in_truth(self, channel: ChannelId) -> None:
        if self.ari is None:
            return
        for bridge, members in list(self.ari.where.items()):
            if channel in members:
                members.remove(channel)
            if not members:
                del self.ari.where[bridge]

    async def settled(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            while self.running:
                await asyncio.gather(*self.running)

    # what was told

    def companies(self, channel: ChannelId) -> list[set[ChannelId]]:
        told = [one for one in self.calls[channel].heard if isinstance(one, CompanyChanged)]
        return [{peer.channel for peer in one.peers} for one in told]

    def peers(self, channel: ChannelId) -> tuple[Participant, ...]:
        told = [one for one in self.calls[channel].heard if isinstance(one, CompanyChanged)]
        return told[-1].peers

    def forged(self) -> list[object]:
        anomalies = [detail for kind, detail in self.rows if kind is Kind.ANOMALY]
        assert all(detail["code"] == "BRIDGE_FORGED" for detail in anomalies)
        return [detail["channel"] for detail in anomalies]
