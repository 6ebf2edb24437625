"""What Asterisk tells, turned into events of the calls: one listener per wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from asterisk_compliance.app.calls import channel_control, do_not_call
from asterisk_compliance.app.calls.caller_channel import AriCallerChannel
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.calls.node_view import HearingRouter
from asterisk_compliance.app.calls.recording_control import asked_event
from asterisk_compliance.app.calls.recovery.untracked import release_untracked
from asterisk_compliance.app.dialplan.variables import CHECK_EVENT, HEARING_ROUTINE
from asterisk_compliance.app.policy.arrivals import outside_number, parse_arguments, personal_facts
from asterisk_compliance.app.policy.policies import AppliedPolicy
from asterisk_compliance.asterisk.ami import events as ami_events
from asterisk_compliance.asterisk.ami.client import AmiListener, AnyEvent
from asterisk_compliance.asterisk.ari import events as ari
from asterisk_compliance.asterisk.ari.client import AriClient, AriListener, TransportName
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    AskedBy,
    ChannelGone,
    DigitReceived,
    EntryWire,
    HangupRequested,
    LeftStasis,
    Leg,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
)
from asterisk_compliance.domain.call.state import Arrival, CallPhase
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable
from asterisk_compliance.ids import CallId, ChannelId, is_call_id

log = structlog.get_logger()

_SHOWN_STILL_S = (0.1, 0.4, 1.5)
"""An Asterisk 16 now and then still shows a channel over ARI when AMI has told of its end: after
so long, one after the other, it is looked at again before AMI is not believed."""

_ASKING = {"agent": AskedBy(Actor.AGENT), "caller": AskedBy(Actor.CALLER)}


class AriListeners:
    """The listeners to ARI of one Asterisk. The client is made first; they register afterwards."""

    def __init__(self) -> None:
        self._listeners: list[AriListener] = []

    def register(self, listener: AriListener) -> None:
        self._listeners.append(listener)

    def on_connected(self, transport: TransportName, version: str) -> None:
        for listener in self._listeners:
            listener.on_connected(transport, version)

    def on_disconnected(self, why: AsteriskUnavailable) -> None:
        for listener in self._listeners:
            listener.on_disconnected(why)

    def on_malformed(self, why: str) -> None:
        for listener in self._listeners:
            listener.on_malformed(why)

    def on_event(self, event: ari.AriCallEvent, received_monotonic: float) -> None:
        for listener in self._listeners:
            listener.on_event(event, received_monotonic)


class AmiListeners:
    """The same for AMI."""

    def __init__(self) -> None:
        self._listeners: list[AmiListener] = []

    def register(self, listener: AmiListener) -> None:
        self._listeners.append(listener)

    def on_connected(self, version: str) -> None:
        for listener in self._listeners:
            listener.on_connected(version)

    def on_disconnected(self, why: AsteriskUnavailable) -> None:
        for listener in self._listeners:
            listener.on_disconnected(why)

    def on_login_failed(self, why: AsteriskUnavailable) -> None:
        for listener in self._listeners:
            listener.on_login_failed(why)

    def on_malformed(self, why: str) -> None:
        for listener in self._listeners:
            listener.on_malformed(why)

    def on_event(self, event: AnyEvent, received_monotonic: float) -> None:
        for listener in self._listeners:
            listener.on_event(event, received_monotonic)


class AriEventRouter:
    """Listens to ARI for one node; see ``AriListener``."""

    def __init__(self, node: Node, hearing: HearingRouter | None = None) -> None:
        self._node = node
        self._hearing = hearing

    @property
    def _ari(self) -> AriClient:
        assert self._node.ari is not None
        return self._node.ari

    def on_connected(self, transport: TransportName, version: str) -> None:
        self._node.row(Kind.ASTERISK_CONNECTED, wire="ari", transport=transport, version=version)
        self._node.channel_control.use_version(version)
        self._node.spawn(self._go_on())

    def on_disconnected(self, why: AsteriskUnavailable) -> None:
        self._node.ari_lost()
        if self._hearing is not None:
            self._hearing.lost()

    def on_malformed(self, why: str) -> None:
        self._node.row(Kind.EVENT_MALFORMED, wire="ari")

    def on_event(self, event: ari.AriCallEvent, received_monotonic: float) -> None:
        self._node.events["ari", ari.EVENT_NAMES[type(event)]] += 1
        at_ms = int(received_monotonic * 1_000)
        if self._hearing is not None and self._hearing.hear(event, at_ms):
            return
        match event:
            case ari.StasisStart(channel=channel, args=arguments):
                self._entered(channel, arguments, at_ms)
            case ari.StasisEnd(channel=channel):
                self._left(channel.id, at_ms)
            case ari.AriPlaybackStarted(playback=playback) if playback.channel:
                started = PlaybackStarted(playback.id, at_ms, event.at_ms)
                self._node.feed_playback(playback.channel, started)
            case ari.AriPlaybackFinished(playback=playback) if playback.channel:
                done = playback.state == "done"
                finished = PlaybackFinished(playback.id, done, at_ms, event.at_ms)
                self._node.feed_playback(playback.channel, finished)
            case ari.ChannelDtmfReceived(channel=channel, digit=digit):
                self._node.feed(channel.id, DigitReceived(digit, at_ms))
            case ari.ChannelHangupRequest(channel=channel):
                self._node.feed(channel.id, HangupRequested())
                self._node.legs.dialler_hung_up(channel.id, at_ms)
            case ari.ChannelDestroyed(channel=channel):
                self._node.legs.end_seen_on_other_wire(channel.id, at_ms)
                self._node.feed(channel.id, ChannelGone(at_ms))
                self._node.legs.dialler_hung_up(channel.id, at_ms)
            case _:
                pass

    def _entered(self, channel: ari.Channel, arguments: tuple[str, ...], at_ms: int) -> None:
        match arguments:
            case (channel_control.WHISPER,):
                self._node.channel_control.whisper_entered(channel.id)
            case (asked,) if asked.startswith(do_not_call.ARGUMENT):
                answer = do_not_call.answer_may_call(self._node, self._ari, channel.id, asked)
                self._node.spawn(answer)
            case _:
                line = self._line(channel, arguments)
                if self._node.reenter(channel.id, line, EntryWire.ARI) is None:
                    self._arrive(channel, arguments, at_ms, line)

    def _line(self, channel: ari.Channel, arguments: tuple[str, ...]) -> AriCallerChannel:
        callee = f"leg={Leg.CALLEE}" in arguments
        return AriCallerChannel(
            self._ari, channel.id, channel.dialplan.priority + 2 if callee else None
        )

    def _left(self, channel: ChannelId, at_ms: int) -> None:
        """The channel hung up, was let go on, or was taken back by its dialplan.

        Who hung up before we heard of the call is reported by nobody else: AMI said so when the
        call was not ours yet, and ARI does not speak of a channel that has left.
        """
        known = self._node.calls.get(channel)
        in_notice = known is not None and known.call.phase is CallPhase.NOTICE
        self._node.feed(channel, LeftStasis())
        if in_notice:
            self._node.spawn(self._look_whether_gone(channel, at_ms))

    async def _look_whether_gone(self, channel: ChannelId, at_ms: int) -> None:
        try:
            if await self._ari.channel(channel) is None:
                self._node.feed(channel, ChannelGone(at_ms))
        except AsteriskError as error:
            log.warning("channel_not_looked_at", channel=channel, why=str(error))

    def _arrive(
        self, channel: ari.Channel, arguments: tuple[str, ...], at_ms: int, line: AriCallerChannel
    ) -> None:
        asked = parse_arguments(arguments)
        values = {} if isinstance(asked, Reason) else asked
        applied = self._node.policies.apply(
            asked,
            number=channel.caller.number,
            dialled=values.get("dialled", ""),
            language=channel.language,
        )
        arrival = self._arrival(channel, applied, at_ms, values)
        self._node.arrive(arrival, line)
        if arrival.leg is Leg.CALLEE:
            dialler = ChannelId(values.get("dialler", ""))
            self._node.legs.watch_dialler(channel.id, dialler)

    def _arrival(
        self,
        channel: ari.Channel,
        applied: AppliedPolicy,
        at_ms: int,
        arguments: Mapping[str, str],
    ) -> Arrival:
        leg = Leg(arguments.get("leg", Leg.CALLER))
        dialler = ChannelId(arguments.get("dialler", ""))
        linkedid = arguments.get("linkedid", "")
        return Arrival(
            channel=channel.id,
            linkedid=linkedid,
            entry=EntryWire.ARI,
            at_ms=at_ms,
            policy=applied.policy,
            policy_name=arguments.get("policy", ""),
            language=channel.language,
            answered=channel.state == "Up",
            stopping=self._node.stopping,
            rules=applied.rules,
            published=applied.published,
            leg=leg,
            joins=leg is Leg.CALLEE and self._node.joins(channel.id, dialler, linkedid),
            wiring=self._node.wiring,
            synthetic=channel.id in self._node.synthetic,
            queue=arguments.get("queue", ""),
            outside=self._node.policies.comparable(
                outside_number(arguments, channel.caller.number)
            ),
            facts=personal_facts(
                number=channel.caller.number,
                name=channel.caller.name,
                dialled=arguments.get("dialled", ""),
            ),
        )

    async def _go_on(self) -> None:
        """Who waits for us first; then everything else that went on without us."""
        await self._continue_strangers()
        await self._node.recover()

    async def _continue_strangers(self) -> None:
        """Send each channel of our application that no live call plays to back to its dialplan.

        Asterisk does not repeat the events of an outage: who is stranded would wait for ever.
        """
        try:
            channels = await self._ari.application_channels()
        except AsteriskError as error:
            log.warning("strangers_not_listed", node=self._node.node, why=str(error))
            return
        for channel in channels:
            try:
                await self._continue_stranger(channel)
            except AsteriskError as error:
                log.warning("stranger_not_continued", channel=channel, why=str(error))

    async def _continue_stranger(self, channel: ChannelId) -> None:
        """Let ``channel`` go on unless we lead it, or it is only subscribed to."""
        known = self._node.calls.get(channel)
        if known is not None and known.call.phase is CallPhase.NOTICE:
            return
        if self._hearing is not None and channel in self._hearing:
            return
        found = await self._ari.channel(channel)
        if found is None or found.dialplan.app_name != "Stasis":
            return
        if found.name.startswith("Snoop/"):
            if channel not in self._node.channel_control.whispers:
                self._node.channel_control.hang_up(channel)
            return
        if found.dialplan.context in {do_not_call.ROUTINE, HEARING_ROUTINE}:
            await self._ari.continue_in_dialplan(channel)
            return
        log.warning("stranger_continued", node=self._node.node, channel=channel)
        line = AriCallerChannel(
            self._ari, channel
        )  # of a callee's leg nobody knows the line any more
        if self._node.reenter(channel, line, EntryWire.ARI) is None:
            arrival = self._arrival(
                found, AppliedPolicy(Reason.SERVICE_RESTARTED), monotonic_ms(), {}
            )
            await release_untracked(self._node, arrival, line)


class AmiEventRouter:
    """Listens to AMI for one node; see ``AmiListener``."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def on_connected(self, version: str) -> None:
        self._node.row(Kind.ASTERISK_CONNECTED, wire="ami", version=version)
        self._node.spawn(self._node.recover())

    def on_disconnected(self, why: AsteriskUnavailable) -> None:
        self._node.ami_lost()

    def on_login_failed(self, why: AsteriskUnavailable) -> None:
        log.error("ami_login_failed", node=self._node.node, why=str(why), hint=why.hint)
        self._node.ami_lost()

    def on_malformed(self, why: str) -> None:
        self._node.row(Kind.EVENT_MALFORMED, wire="ami")

    def on_event(self, event: AnyEvent, received_monotonic: float) -> None:
        self._node.events["ami", type(event).__name__] += 1
        at_ms = int(received_monotonic * 1_000)
        legs = self._node.legs
        match event:
            case ami_events.BridgeEnter(channel=channel, bridge=bridge, name=name, kind=kind):
                legs.entered(channel, bridge, name, kind, at_ms)
            case ami_events.BridgeLeave(channel=channel):
                legs.left(channel, at_ms)
            case ami_events.LocalBridge(one=one, two=two):
                legs.joined_halves(one, two)
            case ami_events.DialBegin(channel=dialler):
                legs.dial_began(dialler, at_ms)
            case ami_events.BlindTransfer(bridge=bridge, result="Success"):
                legs.transfer_seen(bridge, at_ms)
            case ami_events.Hangup(channel=channel):
                legs.gone(channel)
                if channel in self._node.calls:
                    self._node.spawn(self._confirm_gone(channel, at_ms))
            case ami_events.MixMonitorStart(channel=channel):
                self._node.feed(channel, MixMonitorStarted(at_ms))
            case ami_events.UserEvent(name=name, headers=headers) if name != CHECK_EVENT:
                self._asked(name, headers, at_ms)
            case _:
                pass

    def _asked(self, name: str, headers: Mapping[str, str], at_ms: int) -> None:
        """What the dialplan asks for a live call: ``UserEvent(CompliancePause,Call: ...)``.

        The id of the call is the right to ask: no caller can guess it, or forge it therefore.
        """
        by = _ASKING.get(headers.get("By", ""), AskedBy(Actor.DIALPLAN))
        event = asked_event(name, headers.get("Reason", ""), at_ms, by)
        call = headers.get("Call", "")
        task = self._node.live_call(CallId(call)) if is_call_id(call) else None
        if event is None or task is None:
            log.warning("user_event_of_no_call", node=self._node.node)
        else:
            task.feed(event)

    async def _confirm_gone(self, channel: ChannelId, at_ms: int) -> None:
        """Believe AMI only where ARI agrees.

        AMI writes a caller's number as it came: one with line breaks in it can forge an event
        of any other channel. ARI's JSON cannot be forged. Without ARI the files decide: a
        recording that Asterisk has not closed is left alone.
        """
        seen = await self._looked(channel)
        for later_s in _SHOWN_STILL_S:
            if seen is not True:
                break
            await asyncio.sleep(later_s)
            seen = await self._looked(channel) is not False  # who cannot be asked says no more
        if not seen:
            self._node.feed(channel, ChannelGone(at_ms))
        elif channel in self._node.calls:
            log.error("ami_event_forged", node=self._node.node, channel=channel)
            self._node.row(Kind.ANOMALY, code="HANGUP_FORGED", channel=channel)

    async def _looked(self, channel: ChannelId) -> bool | None:
        """Whether ARI knows the channel as alive; ``None`` where it cannot be asked."""
        if self._node.ari is None:
            return None
        try:
            return await self._node.ari.channel(channel) is not None
        except AsteriskError as error:
            log.warning("hangup_not_confirmed", channel=channel, why=str(error))
            return None
