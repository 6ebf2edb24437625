"""A configuration and a log for somebody else's Stasis application: who comes is told by our rules.

The process owns its log as the service owns its own: one process, one store. What an earlier life
left undecided is decided at the next start, as not recorded.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
import structlog

from asterisk_compliance.api.notice_flow import AriActions, NoticeFlow
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.audit.open_log import owned_log
from asterisk_compliance.app.policy.arrivals import outside_number, parse_arguments, personal_facts
from asterisk_compliance.app.policy.configuration import Configuration, load_configuration
from asterisk_compliance.app.service.configuration_rows import introduce
from asterisk_compliance.app.service.node_assembly import limits_of
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.asterisk.ari import events as ari
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.domain.audit.encoding import decode, milliseconds
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import AppendRow
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    ChannelGone,
    DigitReceived,
    EntryWire,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    Reentered,
    Unbridged,
)
from asterisk_compliance.domain.call.recovery import Clock, finish
from asterisk_compliance.domain.call.replay import replay_call
from asterisk_compliance.domain.call.state import Arrival
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, NodeName, call_id
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.version import __version__

REQUEST_S = 5.0
"""So long each of your requests to Asterisk may take."""

log = structlog.get_logger()


class Site:
    """What a configuration says, and the log that it names, which this process owns meanwhile.

    ::

        async with Site.open("compliance.toml") as site:
            flow = site.tell(stasis_start, policy="inbound", actions=actions)
            decision = await flow.decision()

    Pass every event of your application to :meth:`hear`. All of it belongs to the event loop on
    which it was opened.
    """

    def __init__(self, configuration: Configuration, rows: MeteredLog) -> None:
        self._configuration = configuration
        self._settings = configuration.settings
        self._limits = limits_of(configuration.settings.limits)
        self._rows = rows
        self._flows: dict[tuple[str, str], NoticeFlow] = {}
        self._lives: dict[NoticeFlow, asyncio.Task[None]] = {}
        self._stopping = False
        self._tasks: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, configuration: Path | str) -> AsyncIterator[Self]:
        """Read the configuration and own its log, until the block ends.

        Args:
            configuration: As for the service, and with a store of its own: ``[audit] store``.
                Secrets for Asterisk are not read.

        Raises:
            ConfigError: with everything that is wrong in it.
            StoreLocked: another process owns the log, such as the service.
            StoreError: the log cannot be used, or is not the one that was signed.
        """
        source = Path(configuration)
        loaded = await asyncio.to_thread(partial(load_configuration, source, secrets=False))
        async with owned_log(loaded.settings, Metrics()) as (rows, checkpoints):
            left = await asyncio.to_thread(_left, loaded)
            started = _draft(
                Kind.SERVICE_STARTED, version=__version__, nodes=tuple(loaded.policies)
            )
            await introduce(rows, loaded, started, *checkpoints.first_rows)
            if left:
                await rows.append(*left)
            site, failed = cls(loaded, rows), None
            async with asyncio.TaskGroup() as site._tasks:
                storing = site._tasks.create_task(rows.backlog.run(lambda: None))
                try:
                    yield site
                except BaseException as error:  # noqa: BLE001 - it comes out as it is, in no group
                    failed = error
                live = await site._stop()
                storing.cancel()
            await rows.backlog.stored()
            with suppress(StoreUnavailable):
                await rows.append(_draft(Kind.SERVICE_STOPPED, live_calls=live))
        if failed is not None:
            raise failed

    @property
    def store(self) -> Path:
        """Where the log is; :class:`~asterisk_compliance.AuditLog` reads it, here or elsewhere."""
        return self._settings.audit.store

    def tell(
        self,
        stasis_start: Mapping[str, Any],
        *,
        policy: str,
        actions: AriActions,
        node: str | None = None,
        dialled: str = "",
        direction: str = "inbound",
        queue: str = "",
        linkedid: str = "",
    ) -> NoticeFlow:
        """Begin to tell a channel: its first row, answer and notice.

        Args:
            stasis_start: The event, as Asterisk sent it.
            policy: Of the configuration. A name that is none is a decision too:
                ``POLICY_UNKNOWN``.
            actions: Through whom it is told.
            node: Which Asterisk of the configuration; its only one unless given.
            dialled: The number that was dialled: digits, ``+``, ``*`` and ``#``.
            direction: ``inbound``, ``outbound`` or ``callback``.
            queue: As rules name it.
            linkedid: ``CHANNEL(linkedid)``, for comparing the log with CDR.

        Returns:
            The flow, or that of this channel which has not ended: nobody is told twice.

        Raises:
            ValueError: it is no ``StasisStart``, or ``node`` is none of the configuration.
        """
        event = ari.decode(msgspec.json.encode(stasis_start))
        if not isinstance(event, ari.StasisStart):
            raise ValueError("it is no StasisStart")  # noqa: TRY004 - of a value that Asterisk sent
        name, channel, at_ms = self._node(node), event.channel, monotonic_ms()
        known = self._flows.get((name, channel.id))
        if known is not None:
            known.feed(Reentered())
            return known
        given = {
            "policy": policy,
            "dialled": dialled,
            "direction": direction,
            "queue": queue,
            "linkedid": linkedid or "none",
        }
        asked = parse_arguments([f"{key}={value}" for key, value in given.items() if value])
        values = {} if isinstance(asked, Reason) else asked
        policies = self._configuration.policies[name]
        applied = policies.apply(
            asked, number=channel.caller.number, dialled=dialled, language=channel.language
        )
        arrival = Arrival(
            channel=channel.id,
            linkedid=values.get("linkedid", ""),
            entry=EntryWire.APPLICATION,
            at_ms=at_ms,
            policy=applied.policy,
            policy_name=values.get("policy", ""),
            language=channel.language,
            answered=channel.state == "Up",
            stopping=self._stopping,
            rules=applied.rules,
            published=applied.published,
            joins=True,  # it is told, and a recording of ours does not follow
            outside=policies.comparable(outside_number(values, channel.caller.number)),
            queue=values.get("queue", ""),
            facts=personal_facts(
                number=channel.caller.number, name=channel.caller.name, dialled=dialled
            ),
        )
        identity = call_id(unix_ms(), secrets.token_bytes(8))
        flow = NoticeFlow(
            rules.arrive(identity, arrival, self._limits),
            actions,
            self._rows,
            node=name,
            store_s=self._settings.limits.store_s,
            request_s=REQUEST_S,
            spawn=self._spawn,
        )
        self._flows[name, channel.id] = flow
        self._lives[flow] = self._begin(self._live(flow, name))
        return flow

    def hear(self, event: Mapping[str, Any], *, node: str | None = None) -> None:
        """Take note of an event of your application; never waits.

        Pass on all of them, until a channel's ``ChannelDestroyed``. What is about no call that is
        told here, or is not what ARI says, changes nothing.

        Raises:
            ValueError: ``node`` is none of the configuration.
        """
        name, at_ms = self._node(node), monotonic_ms()
        try:
            heard = _heard(event, at_ms)
        except ValueError as error:
            log.warning("ari_event_malformed", why=str(error))
            return
        for channel, said in heard:
            flow = self._flows.get((name, channel))
            if flow is not None:
                flow.feed(said)

    def _node(self, name: str | None) -> NodeName:
        nodes = list(self._configuration.policies)
        if name is None and len(nodes) == 1:
            return NodeName(nodes[0])
        if name not in nodes:
            raise ValueError(f"name one of the configuration's nodes: {', '.join(nodes)}")
        return NodeName(name)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._begin(work)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self._tasks is not None
        task = self._tasks.create_task(self._beside_the_others(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: work.close())  # where it was ended before it began
        return task

    async def _beside_the_others(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - one call, or one request, must not end the others
            log.error("work_failed", why=type(error).__name__)

    async def _live(self, flow: NoticeFlow, node: NodeName) -> None:
        try:
            await flow.run()
        finally:
            self._flows.pop((node, flow.channel), None)
            self._lives.pop(flow, None)

    async def _stop(self) -> int:
        """Let notices that play come to an end; how many calls had none."""
        self._stopping = True
        flows = list(self._flows.values())
        for flow in flows:
            flow.stop()
        waiting = [flow.decision() for flow in flows if not flow.is_decided]
        ending = [self._lives[flow] for flow in flows if flow.is_gone]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.limits.stop_s + 1.0):
                await asyncio.gather(*waiting, *ending, return_exceptions=True)
        live = len(self._flows)
        for task in self._running:
            task.cancel()
        return live


def _heard(event: Mapping[str, Any], at_ms: int) -> list[tuple[str, CallEvent]]:
    """What an event says, and about which channel."""
    if event.get("type") in {"ChannelEnteredBridge", "ChannelLeftBridge"}:
        channel = event.get("channel")
        named = channel.get("id") if isinstance(channel, Mapping) else None
        bridged = event["type"] == "ChannelEnteredBridge"
        return [(str(named), Bridged(at_ms) if bridged else Unbridged(at_ms))]
    match ari.decode(msgspec.json.encode(event)):
        case ari.AriPlaybackStarted(playback=playback) as one if playback.channel:
            return [(playback.channel, PlaybackStarted(playback.id, at_ms, one.at_ms))]
        case ari.AriPlaybackFinished(playback=playback) as one if playback.channel:
            done = playback.state == "done"
            return [(playback.channel, PlaybackFinished(playback.id, done, at_ms, one.at_ms))]
        case ari.ChannelDtmfReceived(channel=channel, digit=digit):
            return [(channel.id, DigitReceived(digit, at_ms))]
        case ari.ChannelHangupRequest(channel=channel):
            return [(channel.id, HangupRequested())]
        case ari.StasisEnd(channel=channel):
            return [(channel.id, LeftStasis())]
        case ari.ChannelDestroyed(channel=channel):
            return [(channel.id, ChannelGone(at_ms))]
        case _:
            return []


def _left(configuration: Configuration) -> list[Draft]:
    """What is to be said of the calls that an earlier life left: nobody follows them any more."""
    settings = configuration.settings
    drafts: list[Draft] = []
    with StoreReader(settings.audit.store) as reader:
        last = reader.last_at()
        for node in configuration.policies:
            for call in reader.unfinished(node):
                rows = [decode(stored.data) for stored in reader.rows(RowQuery(call=call))]
                known = replay_call(rows)
                if known is None or known.entry is not EntryWire.APPLICATION or last is None:
                    continue
                now = Clock(monotonic_ms(), unix_ms())
                unseen_ms = now.since_ms(milliseconds(last))
                limits = limits_of(settings.limits)
                _, commands = finish(known, limits=limits, now=now, unseen_ms=unseen_ms)
                drafts += [
                    Draft(row.kind, now.unix_ms, NodeName(node), CallId(call), detail=row.detail)
                    for row in commands
                    if isinstance(row, AppendRow)
                ]
    return drafts


def _draft(kind: Kind, **detail: Any) -> Draft:
    return Draft(kind, unix_ms(), NodeName(SERVICE_NODE), detail=detail)
