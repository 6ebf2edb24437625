"""One call's task: feeds events to the pure domain and performs its commands, in order.

Nobody else touches the call's state. Commands are started without waiting for Asterisk's answer,
which comes back as an event. ``Commit`` waits for the rows; what steers a running MixMonitor waits,
because its order counts; what takes a recording in runs beside, because the call goes on. An event
that waits for nothing is dealt with where it is told; the task wakes up for what waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias

import structlog

from asterisk_compliance.app.audit.call_rows import CallAuditLog, CallRows, CommitOutcome
from asterisk_compliance.app.calls.caller_channel import CallerChannel
from asterisk_compliance.app.calls.mailbox import Mailbox
from asterisk_compliance.app.calls.ports import CallServices, ChannelActions
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    Announce,
    AnswerCommand,
    AppendRow,
    AwaitRows,
    CancelSegment,
    ClearDeadline,
    Command,
    CommandStep,
    CommitCommand,
    Continue,
    Deadline,
    EndWhisper,
    FollowAgain,
    Forget,
    HandOver,
    HangUp,
    Judge,
    Play,
    Redirect,
    RemoveRecording,
    RemoveSpooled,
    SetDeadline,
    SetMute,
    Show,
    StartSegment,
    StopCapture,
    StopPlayback,
    Whisper,
)
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CaptureGoesOn,
    CaptureStopped,
    ChannelGone,
    CommandFailed,
    Continued,
    DeadlinePassed,
    EntryWire,
    EventsOverflowed,
    HangupRequested,
    LateRowsSettled,
    MuteChanged,
    MuteRefused,
    RecordingJudged,
    RecordingRemoved,
    Reentered,
    RowsLate,
    RowsRefused,
    SegmentRefused,
    ServiceHung,
)
from asterisk_compliance.domain.call.state import Call, CallPhase
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.errors import RequestRefused
from asterisk_compliance.ids import RecordingId

__all__ = ["CallAuditLog", "CallTask", "monotonic_ms", "unix_ms"]

NOT_FOUND, NOT_IN_STASIS = 404, 409
"""ARI's answers for a channel that is gone, and for one that has left our application."""

_Rest: TypeAlias = "Coroutine[Any, Any, None] | None"
"""What is left of the work, where it has to wait; await it before anything else."""

_WAITED_FOR = (CommitCommand, AwaitRows, StopCapture, SetMute, StartSegment)
_NO_HURRY = (RemoveSpooled, RemoveRecording)
"""Nobody is kept waiting by rows before these: they may share the disk with other calls' rows."""

log = structlog.get_logger()


async def _raised(error: Exception) -> None:
    raise error


class CallTask:
    """A live call. Create it, ``feed`` it from the loop, await ``run`` in a task."""

    __slots__ = (
        "_around",
        "_asked",
        "_channel_control",
        "_context",
        "_gaps",
        "_gaps_seen",
        "_mailbox",
        "_rows",
        "_stepped",
        "_undone",
        "_waits",
        "call",
        "caller_channel",
        "linkedid",
    )

    def __init__(
        self,
        call: Call,
        caller_channel: CallerChannel,
        rows: CallAuditLog,
        around: CallServices,
        channel_control: ChannelActions,
        *,
        events: int,
        store_s: float = 5.0,
        stepped: Callable[[Call, CallEvent, Call], None] = lambda *_: None,
        gaps: Callable[[], int] = int,
        linkedid: str = "",
    ) -> None:
        self.call, self.caller_channel = call, caller_channel
        self.linkedid = linkedid
        self._rows = CallRows(rows, call.id, around.node, store_s, self._refused, self._settled)
        self._stepped = stepped
        self._gaps, self._gaps_seen = gaps, gaps()
        self._around = around
        self._channel_control = channel_control
        self._mailbox = Mailbox(events, self._deal)
        self._undone: tuple[_Rest, CallEvent] | None = None
        self._asked: list[tuple[CallEvent, asyncio.Future[Call]]] = []
        self._waits: dict[Deadline, asyncio.TimerHandle] = {}

    def feed(self, event: CallEvent) -> None:
        """Tell one event; never waits. A full queue is an event of its own."""
        self._mailbox.put(event)

    def reenter(self, caller_channel: CallerChannel) -> None:
        """The channel came again: from now on the call talks to it by ``caller_channel``."""
        self.caller_channel = caller_channel
        self.feed(Reentered())

    async def ask(self, event: CallEvent) -> Call:
        """Queue one event, and wait until it was applied: the call as it is then."""
        applied: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        self._asked.append((event, applied))
        self._mailbox.put_always(event)
        return await applied

    async def run(self, first: tuple[Command, ...]) -> None:
        """Perform the first commands, then live until the call is over."""
        self._context = copy_context()
        try:
            if (rest := self._perform(first)) is not None:
                await rest
            while self.call.phase is not CallPhase.OVER:
                await self._mailbox.filled()
                undone, self._undone = self._undone, None
                if undone is None and (event := self._mailbox.take()) is not None:
                    undone = self._step(event), event
                if undone and (undone[0] or self._asked or self._mailbox.overflowed):
                    await self._and_then(*undone)
            await self._rows.last_ones()  # who reads the log must not find it unfinished
        finally:
            for timer in self._waits.values():
                timer.cancel()
            self._answer(None)
            self.caller_channel.close()
            if self._undone and self._undone[0]:
                self._undone[0].close()

    def _deal(self, event: CallEvent) -> bool:
        """Deal with an event where it is told, in the call's context; whether nothing is left."""
        try:
            rest = self._context.run(self._step, event)
        except Exception as error:  # noqa: BLE001 - the call's, not that of who told the event
            rest = _raised(error)
        if rest is not None or self._asked:
            self._undone = rest, event
        return self._undone is None and self.call.phase is not CallPhase.OVER

    async def _and_then(self, rest: _Rest, event: CallEvent) -> None:
        """Who asked for a pause is told so when Asterisk has muted, or that it could not be."""
        if rest is not None:
            await rest
        while self._asked and (outcome := self._mailbox.outcome()) is not None:
            await self._do(outcome)
        self._answer(event)
        if self._mailbox.overflowed:
            await self._catch_up()

    def _answer(self, event: CallEvent | None) -> None:
        """Tell who asked for this event; of ``None``, everybody: nothing more will be applied."""
        for asked in [one for one in self._asked if event is None or one[0] is event]:
            self._asked.remove(asked)
            if not asked[1].done():
                asked[1].set_result(self.call)

    async def _catch_up(self) -> None:
        self._mailbox.overflow_seen()
        log.error("events_overflowed", call=self.call.id, queued=len(self._mailbox))
        await self._do(EventsOverflowed())
        if self._mailbox.gone is not None:
            await self._do(self._mailbox.gone)

    async def _do(self, event: CallEvent) -> None:
        """Step, and wait for what that waits for."""
        if (rest := self._step(event)) is not None:
            await rest

    def _step(self, event: CallEvent) -> _Rest:
        if (gaps := self._gaps()) != self._gaps_seen:
            self._gaps_seen = gaps
            if self.call.entry is EntryWire.ARI and self.call.undecided:
                return self._step_after(self._apply(ServiceHung()), event)
        return self._apply(event)

    async def _step_after(self, rest: _Rest, event: CallEvent) -> None:
        if rest is not None:
            await rest
        if (more := self._apply(event)) is not None:
            await more

    def _apply(self, event: CallEvent) -> _Rest:
        before = self.call
        self.call, commands = rules.step(before, event)
        self._stepped(before, event, self.call)
        return self._perform(commands) if commands else None

    def _perform(self, commands: tuple[Command, ...], drafts: Sequence[Draft] = ()) -> _Rest:
        """Start each command in its turn; rows of one step are stored together or not at all."""
        rows = [*drafts]
        for at, command in enumerate(commands):
            if isinstance(command, AppendRow):
                rows.append(self._rows.draft(command))
            elif isinstance(command, _WAITED_FOR):
                return self._perform_waiting(command, commands[at + 1 :], rows)
            else:
                if rows and isinstance(command, Announce | HandOver | Judge | RemoveSpooled):
                    self._rows.append(rows, patient=not isinstance(command, HandOver))  # before it
                    rows = []
                self._start(command)
        if rows:
            self._rows.append(rows)
        return None

    async def _perform_waiting(
        self, command: Command, undone: tuple[Command, ...], rows: list[Draft]
    ) -> None:
        """Wait for ``command``, with the rows before it, and go on with the others."""
        match command:
            case CommitCommand():
                patient = all(isinstance(one, _NO_HURRY) for one in undone)
                outcome = await self._rows.commit(rows, undone, patient=patient)
                if outcome is not CommitOutcome.STORED:
                    late = outcome is CommitOutcome.LATE
                    refused = RowsRefused(at_commit=True, undone=undone)
                    await self._do(RowsLate(undone) if late else refused)
                    return
                rows = []
            case AwaitRows():
                await self._rows.late_ones()
            case StopCapture(recording=recording):
                if rows:
                    self._rows.append(rows)
                    rows = []
                stopped = await self._channel_control.stop_capture(self.call.channel)
                self._mailbox.put_always(
                    CaptureStopped(recording, monotonic_ms())
                    if stopped
                    else CaptureGoesOn(recording)
                )
            case SetMute(mute=mute):
                muted = await self._channel_control.set_mute(self.call.channel, mute)
                outcome_of = MuteChanged if muted else MuteRefused
                self._mailbox.put_first(outcome_of(mute, monotonic_ms()))
            case StartSegment(recording=recording, options=options):
                self._around.follow_recording(recording)
                if not await self._channel_control.start_segment(
                    self.call.channel, recording, options
                ):
                    self._mailbox.put_always(SegmentRefused(recording, monotonic_ms()))
        if (rest := self._perform(undone, rows)) is not None:
            await rest

    def _refused(self) -> None:
        self._mailbox.put_always(RowsRefused())

    def _settled(self, stored: bool, undone: tuple[Command, ...]) -> None:
        self._mailbox.put_first(LateRowsSettled(stored, undone))

    def _start(self, command: Command) -> None:  # noqa: C901, PLR0912 - one arm a command
        match command:
            case AnswerCommand():
                self._report(CommandStep.ANSWER, self.caller_channel.answer())
            case Play(playback=playback, media=media):
                self._report(CommandStep.PLAY, self.caller_channel.play(playback, media))
            case StopPlayback(playback=playback):
                self.caller_channel.stop_playback(playback)
            case HandOver():
                self._around.follow(self.call)
                self._report(
                    CommandStep.HAND_OVER,
                    self.caller_channel.hand_over(self._around.encode(command)),
                )
            case Continue():
                self._report(CommandStep.CONTINUE, self.caller_channel.continue_dialplan())
            case SetDeadline(deadline=deadline, after_ms=after_ms):
                self._clear(deadline)
                loop = asyncio.get_running_loop()
                self._waits[deadline] = loop.call_later(after_ms / 1_000, self._passed, deadline)
            case ClearDeadline(deadline=deadline):
                self._clear(deadline)
            case Announce(status=status):
                self._channel_control.announce(self.call, status)
            case Show(status=status, channels=channels):
                self._channel_control.show(channels, status)
            case FollowAgain():
                self._around.follow(self.call)
            case CancelSegment():
                self._channel_control.cancel_segment(self.call.channel)
            case Whisper():
                self._around.spawn(self._whisper(command))
            case EndWhisper():
                self._channel_control.end_whisper(self.call)
            case Redirect():
                self._channel_control.redirect(self.call.channel)
            case HangUp():
                self._channel_control.hang_up(self.call.channel)
            case Judge(recording=recording, expected=expected):
                self._around.spawn(self._judge(recording, expected))
            case RemoveSpooled(recording=recording):
                self._around.spawn(self._remove_spooled(recording))
            case RemoveRecording(recording=recording):
                self._around.spawn(self._remove_recording(recording))
            case Forget():
                pass

    async def _whisper(self, command: Whisper) -> None:
        """A whisper that was ended before it began does not begin, and its failure is none."""
        if not self._still_wants(command):
            return
        if not await self._channel_control.whisper(self.call, command) and self._still_wants(
            command
        ):
            self._mailbox.put_first(CommandFailed(CommandStep.WHISPER))

    def _still_wants(self, whisper: Whisper) -> bool:
        now = self.call.whispering
        live = self.call.phase not in {CallPhase.CLOSING, CallPhase.OVER}
        return live and now is not None and now.playback == whisper.playback

    async def _judge(self, recording: RecordingId, expected: Expected) -> None:
        self._mailbox.put_first(
            RecordingJudged(recording, await self._around.judge(recording, expected))
        )

    async def _remove_spooled(self, recording: RecordingId) -> None:
        self._mailbox.put_first(await self._around.remove_spooled(recording))

    async def _remove_recording(self, recording: RecordingId) -> None:
        gone = await self._around.remove_recording(recording)
        self._mailbox.put_first(RecordingRemoved(recording, gone))

    def _passed(self, deadline: Deadline) -> None:
        self._mailbox.put_always(DeadlinePassed(deadline, monotonic_ms()))

    def _clear(self, deadline: Deadline) -> None:
        """Also where it has passed already and nobody has looked: it may be set anew."""
        timer = self._waits.pop(deadline, None)
        if timer is None:
            return
        timer.cancel()
        self._mailbox.drop(deadline)

    def _report(self, step: CommandStep, sent: asyncio.Future[None]) -> None:
        sent.add_done_callback(partial(self._answered, step))

    def _answered(self, step: CommandStep, done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None or done.cancelled():
            log.info("command_failed", call=self.call.id, step=step, why=str(error))
            self._failed(step, error.status if isinstance(error, RequestRefused) else None)
        elif step is CommandStep.CONTINUE:
            self._mailbox.put_always(Continued(monotonic_ms()))

    def _failed(self, step: CommandStep, status: int | None) -> None:
        """What ARI's refusal tells (``None``: it could not be asked).

        A channel that is gone has hung up, and nobody will report it again. One that has left
        our application while we meant to play to it is about to be reported as having left.
        """
        if status == NOT_FOUND:
            self._mailbox.put_always(HangupRequested())
        if status != NOT_IN_STASIS or step in {CommandStep.HAND_OVER, CommandStep.CONTINUE}:
            self._mailbox.put_always(CommandFailed(step, reachable=status is not None))
        if status == NOT_FOUND:
            self._mailbox.put_always(ChannelGone(monotonic_ms()))
