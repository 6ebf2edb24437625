"""What the parts of a node may ask of it, and what it asks of parts that others make."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from asterisk_compliance.app.audit.backlog import Backlog
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.app.calls.caller_channel import CallerChannel
from asterisk_compliance.app.policy.policies import Policies
from asterisk_compliance.asterisk.ami.client import AmiClient
from asterisk_compliance.asterisk.ari import events as ari
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.requests import Bridge
from asterisk_compliance.domain.audit.rows import Detail, Draft, Kind
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import CallEvent
from asterisk_compliance.domain.call.state import (
    Arrival,
    Call,
    CallLimits,
    CallStep,
    DialplanWiring,
)
from asterisk_compliance.ids import CallId, ChannelId, NodeName, RecordingId


@dataclass(frozen=True, slots=True)
class NodeConnections:
    """The clients of one Asterisk; ``None`` where the site has none."""

    ari: AriClient | None = None
    ami: AmiClient | None = None


class Legs(Protocol):
    """Who is in whose company, as far as a recovery asks it."""

    changes: int
    away_since_ms: int | None

    @property
    def hearing(self) -> int | None: ...

    def awake(self, at_ms: int) -> None: ...

    def at_the_earliest(self, at_ms: int) -> int: ...

    def end_seen_on_other_wire(self, channel: ChannelId, at_ms: int) -> None: ...

    def is_blind(self, task: CallTask) -> None: ...

    def refresh(
        self,
        bridges: Iterable[Bridge],
        channels: Mapping[ChannelId, ari.Channel],
        at_ms: int,
        *,
        hearing: int | None,
    ) -> None: ...


class Strangers(Protocol):
    """Files that the dialplan recorded alone, and files of nobody."""

    async def run(self) -> None: ...

    async def set_strangers_aside(self) -> None: ...


class HearingRouter(Protocol):
    """Channels of our application that are no calls."""

    def __contains__(self, channel: ChannelId) -> bool: ...

    def hear(self, event: ari.AriCallEvent, at_ms: int) -> bool: ...

    def lost(self) -> None: ...


class CallObserver(Protocol):
    """Told when a call that waits for us has gone on."""

    def stepped(self, before: Call, after: Call) -> None: ...


class PlaybackWatch(Protocol):
    """The watchdog, as a node speaks to it."""

    @property
    def gaps(self) -> int: ...

    def plays(self, node: NodeName, call: Call) -> None: ...

    def over(self, node: NodeName, call: Call) -> None: ...


class NodeView(Protocol):
    """One Asterisk, for its own parts. To be narrowed part by part."""

    node: NodeName
    stopping: bool
    no_storage: Reason | None
    calls: dict[ChannelId, CallTask]
    wiring: DialplanWiring
    limits: CallLimits
    backlog: Backlog
    store: Path

    @property
    def policies(self) -> Policies: ...

    @property
    def ari(self) -> AriClient | None: ...

    @property
    def ami(self) -> AmiClient | None: ...

    @property
    def legs(self) -> Legs: ...

    @property
    def adoption(self) -> Strangers: ...

    def arrive(self, arrival: Arrival, line: CallerChannel) -> CallTask: ...

    def begin(self, stepped: CallStep, line: CallerChannel) -> CallTask: ...

    def follows(self, call: CallId) -> bool: ...

    def live_call(self, call: CallId) -> CallTask | None: ...

    def knows(self, recording: RecordingId) -> bool: ...

    def is_spooled(self, recording: RecordingId) -> bool: ...

    def gap_began(self, since_ms: int) -> None: ...

    def feed(self, channel: ChannelId, event: CallEvent) -> None: ...

    def row(self, kind: Kind, call: Call | None = None, **detail: Detail) -> None: ...

    def append(self, draft: Draft) -> None: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...
