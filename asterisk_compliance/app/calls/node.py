"""One Asterisk: its connections, its spool, and its live calls.

What comes in on any wire becomes an event of the call that it belongs to
(``asterisk_listeners.py``). Nothing here decides.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace

from asterisk_compliance.app.calls.call_task import CallAuditLog, CallTask
from asterisk_compliance.app.calls.caller_channel import CallerChannel
from asterisk_compliance.app.calls.capture_growth import watch_growth
from asterisk_compliance.app.calls.channel_control import ChannelControl
from asterisk_compliance.app.calls.leg_tracking import EndpointDirectory, LegTracker
from asterisk_compliance.app.calls.node_view import CallObserver, NodeConnections, PlaybackWatch
from asterisk_compliance.app.calls.playing_notices import NoticeSlots
from asterisk_compliance.app.calls.recovery.adoption import FallbackAdoption
from asterisk_compliance.app.calls.recovery.liveness import LivenessRecord
from asterisk_compliance.app.calls.recovery.resumption import (
    CallResumption,
    look_again_after_standing_still,
)
from asterisk_compliance.app.dialplan.variables import encode_result
from asterisk_compliance.app.policy.configuration import CurrentPolicies
from asterisk_compliance.app.policy.policies import Policies
from asterisk_compliance.app.recordings.intake import RecordingIntake
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.asterisk.ami.client import AmiClient
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import AsteriskSettings
from asterisk_compliance.domain.audit.rows import Actor, Detail, Draft, Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import Command, CommandStep, HandOver
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CommandFailed,
    Continued,
    EntryWire,
    PlaybackFinished,
    ServiceStopping,
    SpoolKept,
    SpoolRemoved,
    StorageChanged,
)
from asterisk_compliance.domain.call.state import (
    Arrival,
    Call,
    CallLimits,
    CallPhase,
    CallStep,
    DialplanWiring,
)
from asterisk_compliance.domain.recording.verdict import Expected, RecordingVerdict
from asterisk_compliance.errors import ApplicationReplaced, AsteriskUnavailable, StoreError
from asterisk_compliance.ids import CallId, ChannelId, NodeName, RecordingId, call_id, call_of
from asterisk_compliance.storage.log.reader import StoreReader

log = structlog.get_logger()

_ON_ITS_WAY_S = 0.06
"""The end of a whisper arrives so much later than Asterisk reports: a conference mixes it first."""

_BUSY = frozenset(
    {CallPhase.NOTICE, CallPhase.ASKING, CallPhase.TELLING, CallPhase.CONTINUING, CallPhase.CLOSING}
)
"""Phases that a stopping service waits for; a call in the dialplan goes on without us."""


class Node:
    """The calls of one Asterisk. Called on the event loop; only coroutines wait.

    Attributes:
        calls: Live calls by channel: from arrival until the channel is gone and judged.
        events: How many were used, by wire and type.
        no_storage: Why nothing new is kept.
        synthetic: Channels of calls that the service itself is placing.
    """

    def __init__(
        self,
        settings: AsteriskSettings,
        policies: CurrentPolicies,
        limits: CallLimits,
        rows: CallAuditLog,
        *,
        connections: NodeConnections,
        store: Path,
        intake: RecordingIntake,
        notices: NoticeSlots,
        events_per_call: int,
        store_s: float,
        heartbeat: PlaybackWatch,
        liveness: LivenessRecord,
        undisturbed: asyncio.Lock,
        alone: bool,
    ) -> None:
        self.node = NodeName(settings.node)
        self._policies = policies
        self._connections = connections
        self.stopping = False
        self.no_storage: Reason | None = None
        self.calls: dict[ChannelId, CallTask] = {}
        self.events: Counter[tuple[str, str]] = Counter()
        self.synthetic: set[ChannelId] = set()
        self.channel_control = ChannelControl(self, show_in_name=settings.show_in_name)
        self.legs = LegTracker(self, EndpointDirectory(settings.staff, settings.consenting))
        self.wiring = DialplanWiring(
            settings.segments, staff_known=bool(settings.staff), shows=settings.show_agents
        )
        self._by_id: dict[CallId, CallTask] = {}
        self._by_linkedid: dict[str, CallTask] = {}
        self._settings = settings
        self.limits = limits
        self._rows = rows
        self._observers: list[CallObserver] = []
        self.backlog = rows.backlog
        self.adoption = FallbackAdoption(self, rows, intake)
        self.store = store
        self._intake = intake
        intake.report_files(self.feed_recording)
        self._notices = notices
        self._events_per_call = events_per_call
        self._store_s = store_s
        self._heartbeat = heartbeat
        self._alone = alone
        self.recovery = CallResumption(self, liveness, undisturbed)
        self._tasks: asyncio.TaskGroup | None = None
        self._log = log.bind(node=self.node)

    @property
    def ari(self) -> AriClient | None:
        return self._connections.ari

    @property
    def ami(self) -> AmiClient | None:
        return self._connections.ami

    @property
    def policies(self) -> Policies:
        """What an arriving call can ask for."""
        return self._policies.current

    def observe(self, observer: CallObserver) -> None:
        """Tell ``observer`` when a call that waits for us has gone on."""
        self._observers.append(observer)

    # -- life ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the connections and the calls alive until cancelled.

        Raises:
            ApplicationReplaced: another service took our application on the only Asterisk.
        """
        structlog.contextvars.bind_contextvars(node=self.node)
        self._intake.open(must_be_there=self._alone)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._intake.run())
                tasks.create_task(look_again_after_standing_still(self))
                tasks.create_task(watch_growth(self, self._intake))
                if self.ari is not None:
                    tasks.create_task(self._keep_ari(self.ari))
                if self.ami is not None:
                    self.legs.lost()
                    tasks.create_task(self.ami.run())
        finally:
            self._tasks = None
            self._intake.close()

    async def _keep_ari(self, ari: AriClient) -> None:
        """An Asterisk that is lost to another service is no reason to leave the others."""
        try:
            await ari.run()
        except ApplicationReplaced as why:
            if self._alone:
                raise
            self._log.error("application_taken", why=str(why), hint=why.hint)

    async def drain(self, within_s: float) -> None:
        """Take no new call; let notices finish and files close, at most ``within_s``."""
        self.stopping = True
        for task in self.calls.values():
            task.feed(ServiceStopping())
        try:
            async with asyncio.timeout(within_s):
                while any(  # noqa: ASYNC110 - only while we stop
                    task.call.phase in _BUSY for task in self.calls.values()
                ):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            self._log.warning("stopped_with_busy_calls", calls=len(self.calls))

    # -- arrivals ------------------------------------------------------------------------

    def arrive(self, arrival: Arrival, line: CallerChannel) -> CallTask:
        """Begin a call and perform its first commands."""
        identity = call_id(unix_ms(), secrets.token_bytes(8))
        arrival = replace(arrival, overloaded=self._notices.full, no_storage=self.no_storage)
        first = rules.arrive(identity, arrival, self.limits)
        task = self.begin(first, line, arrival.linkedid)
        if not arrival.joins:
            self._by_linkedid[arrival.linkedid] = task
        return task

    def joins(self, channel: ChannelId, dialler: ChannelId, linkedid: str) -> bool:
        """Whether a callee is about to join a call of ours that may be recorded.

        Who dialled it tells; and where a Local channel lies between, the linkedid.
        """
        task = self.calls.get(dialler) or self._by_linkedid.get(linkedid)
        if task is None or task.call.channel == channel or task.call.joins:
            return False
        decision = task.call.decision
        return decision is not None and decision.allowed and task.call.phase is CallPhase.DIALPLAN

    def follows(self, call: CallId) -> bool:
        return call in self._by_id

    def live_call(self, call: CallId) -> CallTask | None:
        """The live call with this id; ``None`` if none lives here."""
        return self._by_id.get(call)

    def begin(self, stepped: CallStep, line: CallerChannel, linkedid: str = "") -> CallTask:
        """Live a call from here on."""
        call, commands = stepped
        task = CallTask(
            call,
            line,
            self._rows,
            self,
            self.channel_control,
            events=self._events_per_call,
            store_s=self._store_s,
            stepped=self._stepped,
            gaps=lambda: self._heartbeat.gaps,
            linkedid=linkedid,
        )
        self._notices.begun(call)
        self._heartbeat.plays(self.node, call)
        self.calls[call.channel] = self._by_id[call.id] = task
        self.spawn(self._live(task, commands))
        self.legs.is_blind(task)
        if call.storage.no_storage is not self.no_storage:
            task.feed(StorageChanged(self.no_storage))
        return task

    def _stepped(self, before: Call, event: CallEvent, after: Call) -> None:
        if before.waits_for_us or after.waits_for_us:
            for observer in self._observers:
                observer.stepped(before, after)
            self._heartbeat.plays(self.node, after)
        elif not isinstance(event, Continued):  # so with most: nobody waits any more
            return
        self._notices.stepped(before, event, after)

    async def _live(self, task: CallTask, commands: tuple[Command, ...]) -> None:
        try:
            await task.run(commands)
        except Exception:  # noqa: BLE001 - one call's defect must not end the others
            self._log.exception("call_task_failed", call=task.call.id)
            self.row(Kind.ANOMALY, call=task.call, code="INTERNAL_ERROR")
            task.caller_channel.continue_dialplan().add_done_callback(ignore_outcome)
        finally:
            self.channel_control.end_whisper(task.call)
            self._notices.over(task.call)
            self._heartbeat.over(self.node, task.call)
            self.calls.pop(task.call.channel, None)
            self._by_id.pop(task.call.id, None)
            if self._by_linkedid.get(task.linkedid) is task:
                del self._by_linkedid[task.linkedid]

    def reenter(self, channel: ChannelId, line: CallerChannel, entry: EntryWire) -> CallTask | None:
        """Tell the live call of a channel, if there is one, that the channel came again.

        Raises:
            AsteriskUnavailable: it is still in its notice on another wire, so this is not it:
                anybody who reaches the FastAGI port can name a channel.
        """
        known = self.calls.get(channel)
        if known is None:
            return None
        if known.call.entry is not entry and known.call.phase is not CallPhase.DIALPLAN:
            raise AsteriskUnavailable("the channel is in its notice on another wire")
        known.reenter(line)
        return known

    async def recover(self) -> None:
        """Compare log, channels and spool, on every connect."""
        if self.ari is None:
            self.legs.gap_ended()
        elif self.ari.transport is not None:
            await self.recovery.run()

    def gap_began(self, since_ms: int) -> None:
        """What happened since then, on the monotonic clock, we are told too late: look."""
        self.legs.gap_began(since_ms)
        self.spawn(self.recover())

    def knows(self, recording: RecordingId) -> bool:
        """Whether the log, or a live call, knows this recording."""
        if call_of(recording) in self._by_id:
            return True
        with StoreReader(self.store) as reader:
            return reader.is_known(recording)

    def ari_lost(self) -> None:
        self.row(Kind.ASTERISK_DISCONNECTED, wire="ari")
        for task in self.calls.values():
            if task.call.entry is EntryWire.ARI and task.call.phase is CallPhase.NOTICE:
                task.feed(CommandFailed(CommandStep.PLAY, reachable=False))
            if task.call.whispering is not None:
                task.feed(CommandFailed(CommandStep.WHISPER, reachable=False))

    def ami_lost(self) -> None:
        """What AMI will not tell, ARI must: the end of every live call."""
        self.row(Kind.ASTERISK_DISCONNECTED, wire="ami", late_ms=self.legs.lost())
        for channel in self.calls:
            self._subscribe(channel)

    # -- what a call needs (Surroundings) ------------------------------------------------

    def encode(self, result: HandOver) -> str:
        return encode_result(result, synchronous=self.channel_control.synchronous)

    def follow(self, call: Call) -> None:
        if call.capture.is_open:
            self._intake.follow(call.recording)
        if self.ami is None or not self.ami.connected:
            self._subscribe(call.channel)

    def follow_recording(self, recording: RecordingId) -> None:
        self._intake.follow(recording)

    def storage_changed(self, reason: Reason | None) -> None:
        self.no_storage = reason
        self._intake.watch_again()
        if reason is None:
            self.recovery.again.storage_works()
        for task in self.calls.values():
            task.feed(StorageChanged(reason))

    def is_spooled(self, recording: RecordingId) -> bool:
        return self._intake.is_spooled(recording)

    async def judge(self, recording: RecordingId, expected: Expected) -> RecordingVerdict:
        return await self._intake.judge(recording, expected)

    async def remove_spooled(self, recording: RecordingId) -> SpoolRemoved | SpoolKept:
        return await self._intake.remove_spooled(recording)

    async def remove_recording(self, recording: RecordingId) -> bool:
        return await self._intake.remove(recording)

    # -- small ---------------------------------------------------------------------------

    def feed_recording(self, recording: RecordingId, event: CallEvent) -> None:
        """Give an event of a recording's files to its call."""
        task = self._by_id.get(call_of(recording))
        if task is not None:
            task.feed(event)

    def row(self, kind: Kind, call: Call | None = None, **detail: Detail) -> None:
        """Append a row about this Asterisk; when the store fails, the journal has to do."""
        of = call.id if call else None
        self.append(Draft(kind, unix_ms(), self.node, of, Actor.SERVICE, detail))

    def append(self, draft: Draft) -> None:
        """Append such a row that is made already."""
        try:
            self._rows.append(draft).add_done_callback(ignore_outcome)
        except StoreError as error:
            self._log.error("row_refused", kind=draft.kind, why=str(error))

    def feed(self, channel: ChannelId, event: CallEvent) -> None:
        """Give an event of a channel to its call."""
        task = self.calls.get(channel)
        if task is not None:
            task.feed(event)

    def feed_playback(self, channel: ChannelId, event: CallEvent) -> None:
        """The same for what plays there, or on a channel that whispers for the call."""
        told = self.channel_control.whispers.get(channel)
        if told is None or not isinstance(event, PlaybackFinished):
            self.feed(told or channel, event)
            return
        heard = replace(event, done=event.done and self.channel_control.was_heard(channel))
        asyncio.get_running_loop().call_later(_ON_ITS_WAY_S, self.feed, told, heard)

    def _subscribe(self, channel: ChannelId) -> None:
        if self.ari is not None:
            self.ari.subscribe(channel).add_done_callback(ignore_outcome)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:  # between two lives: nothing runs that could use it
            work.close()
            return
        task = self._tasks.create_task(self._beside_the_calls(work))
        task.add_done_callback(lambda _: work.close())  # where it was ended before it began

    async def _beside_the_calls(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - a defect here must not end the calls
            self._log.exception("work_failed")
            self.row(Kind.ANOMALY, code="INTERNAL_ERROR")
