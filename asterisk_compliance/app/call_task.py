"""One call's task: feeds events to the pure domain and performs its commands, in order.

Only this task touches the call's state. Commands are started without waiting for Asterisk's
answer, which comes back as an event; only ``Commit``, ``Judge`` and ``RemoveSpooled`` wait.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Protocol

import structlog

from asterisk_compliance.app.line import Line
from asterisk_compliance.domain import call as rules
from asterisk_compliance.domain.call_state import Call, Phase
from asterisk_compliance.domain.commands import (
    Announce,
    Answer,
    AppendRow,
    ClearDeadline,
    Command,
    Commit,
    Continue,
    Forget,
    HandOver,
    Judge,
    Play,
    RemoveSpooled,
    SetDeadline,
    StopCapture,
    StopPlayback,
)
from asterisk_compliance.domain.decision import Status
from asterisk_compliance.domain.events import (
    CaptureGoesOn,
    ChannelGone,
    CommandFailed,
    Continued,
    Deadline,
    DeadlinePassed,
    Event,
    EventsOverflowed,
    HangupRequested,
    Judged,
    RowsRefused,
    SpoolKept,
    SpoolRemoved,
    Step,
)
from asterisk_compliance.domain.recording import Verdict
from asterisk_compliance.domain.rows import Draft
from asterisk_compliance.errors import RequestRefused, StoreError
from asterisk_compliance.ids import ChannelId, NodeName, RecordingId

NOT_FOUND, NOT_IN_STASIS = 404, 409
"""ARI's answers for a channel that is gone, and for one that has left our application."""

log = structlog.get_logger()


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


class Rows(Protocol):
    """The audit log, as a call needs it."""

    def append(self, *drafts: Draft) -> asyncio.Future[int]:
        """Store all of them or none; resolves when they are durable."""
        ...


class Surroundings(Protocol):
    """What a call needs of its Asterisk beside its own line."""

    node: NodeName

    def encode(self, result: HandOver) -> str: ...

    def follow(self, call: Call) -> None:
        """Hear of the channel's bridges and end, and of the files of its recording."""

    def announce(self, channel: ChannelId, status: Status) -> None: ...

    async def stop_capture(self, channel: ChannelId) -> bool:
        """Whether Asterisk says that it stopped."""
        ...

    async def judge(self, recording: RecordingId, expected_ms: int | None) -> Verdict: ...

    async def remove_spooled(self, recording: RecordingId) -> SpoolRemoved | SpoolKept: ...


class CallTask:
    """A live call. Create it, ``feed`` it from the loop, await ``run`` in a task."""

    __slots__ = (
        "_around",
        "_gone",
        "_log",
        "_outcome",
        "_overflowed",
        "_queue",
        "_rows",
        "_waits",
        "call",
        "line",
    )

    def __init__(
        self, call: Call, line: Line, rows: Rows, around: Surroundings, *, events: int
    ) -> None:
        self.call = call
        self.line = line
        self._rows = rows
        self._around = around
        self._queue: asyncio.Queue[Event] = asyncio.Queue(maxsize=events)
        self._waits: dict[Deadline, asyncio.TimerHandle] = {}
        self._overflowed = False
        self._gone: ChannelGone | None = None
        self._outcome: Event | None = None
        self._log = log.bind(call=call.id)

    def feed(self, event: Event) -> None:
        """Queue one event; never waits. A full queue is an event of its own.

        The channel's end is kept even then, or the call would never be over.
        """
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._overflowed = True
            if isinstance(event, ChannelGone):
                self._gone = event

    async def run(self, first: tuple[Command, ...]) -> None:
        """Perform the first commands, then live until the call is over."""
        try:
            await self._perform(first)
            while self.call.phase is not Phase.OVER:
                await self._step(await self._next())
                if self._overflowed:
                    await self._catch_up()
        finally:
            for timer in self._waits.values():
                timer.cancel()
            self.line.close()

    async def _next(self) -> Event:
        """What this task waited for itself comes first, and needs no place in the queue."""
        outcome, self._outcome = self._outcome, None
        return await self._queue.get() if outcome is None else outcome

    async def _catch_up(self) -> None:
        self._overflowed = False
        self._log.error("events_overflowed", queued=self._queue.qsize())
        await self._step(EventsOverflowed())
        if self._gone is not None:
            await self._step(self._gone)

    async def _step(self, event: Event) -> None:
        self.call, commands = rules.step(self.call, event)
        await self._perform(commands)

    async def _perform(self, commands: tuple[Command, ...]) -> None:
        """Start each command in its turn; rows of one step are stored together or not at all."""
        drafts: list[Draft] = []
        for command in commands:
            match command:
                case AppendRow():
                    drafts.append(self._draft(command))
                case Commit():
                    if not await self._durable(drafts):
                        await self._step(RowsRefused(at_commit=True))
                        return
                    drafts = []
                case Announce() | Judge() | RemoveSpooled() | StopCapture() if drafts:
                    self._append(drafts).add_done_callback(self._appended)  # before what it says
                    drafts = []
                    await self._start(command)
                case _:
                    await self._start(command)
        if drafts:
            self._append(drafts).add_done_callback(self._appended)

    def _draft(self, row: AppendRow) -> Draft:
        return Draft(
            row.kind,
            unix_ms(),
            self._around.node,
            call=self.call.id,
            actor=row.actor,
            detail=row.detail,
            party=row.party,
            role="caller" if row.party else None,
            facts=row.facts,
        )

    def _append(self, drafts: list[Draft]) -> asyncio.Future[int]:
        try:
            return self._rows.append(*drafts)
        except StoreError as error:
            refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    async def _durable(self, drafts: list[Draft]) -> bool:
        try:
            await self._append(drafts)
        except (StoreError, ValueError) as error:
            self._log.error("rows_refused", why=str(error), kinds=[d.kind for d in drafts])
            return False
        return True

    def _appended(self, done: asyncio.Future[int]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self._log.error("rows_refused", why=str(error))
            self.feed(RowsRefused())

    async def _start(self, command: Command) -> None:  # noqa: C901, PLR0912 - one arm a command
        match command:
            case Answer():
                self._report(Step.ANSWER, self.line.answer())
            case Play(playback=playback, media=media):
                self._report(Step.PLAY, self.line.play(playback, media))
            case StopPlayback(playback=playback):
                self.line.stop_playback(playback)
            case HandOver():
                self._around.follow(self.call)
                self._report(Step.HAND_OVER, self.line.hand_over(self._around.encode(command)))
            case Continue():
                self._report(Step.CONTINUE, self.line.go_on())
            case SetDeadline(deadline=deadline, after_ms=after_ms):
                self._clear(deadline)
                loop = asyncio.get_running_loop()
                self._waits[deadline] = loop.call_later(after_ms / 1_000, self._passed, deadline)
            case ClearDeadline(deadline=deadline):
                self._clear(deadline)
            case Announce(status=status):
                self._around.announce(self.call.channel, status)
            case StopCapture():
                if not await self._around.stop_capture(self.call.channel):
                    self._outcome = CaptureGoesOn()
            case Judge(recording=recording, expected_ms=expected_ms):
                self._outcome = Judged(await self._around.judge(recording, expected_ms))
            case RemoveSpooled(recording=recording):
                self._outcome = await self._around.remove_spooled(recording)
            case Forget():
                pass

    def _passed(self, deadline: Deadline) -> None:
        self.feed(DeadlinePassed(deadline, monotonic_ms()))

    def _clear(self, deadline: Deadline) -> None:
        timer = self._waits.pop(deadline, None)
        if timer is not None:
            timer.cancel()

    def _report(self, step: Step, sent: asyncio.Future[None]) -> None:
        sent.add_done_callback(partial(self._answered, step))

    def _answered(self, step: Step, done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None or done.cancelled():
            self._log.info("command_failed", step=step, why=str(error))
            self._failed(step, error.status if isinstance(error, RequestRefused) else None)
        elif step is Step.CONTINUE:
            self.feed(Continued(monotonic_ms()))

    def _failed(self, step: Step, status: int | None) -> None:
        """What ARI's refusal tells (``None``: it could not be asked).

        A channel that is gone has hung up, and nobody will report it again. One that has left
        our application while we meant to play to it is about to be reported as having left.
        """
        if status == NOT_FOUND:
            self.feed(HangupRequested())
        if status != NOT_IN_STASIS or step in {Step.HAND_OVER, Step.CONTINUE}:
            self.feed(CommandFailed(step, reachable=status is not None))
        if status == NOT_FOUND:
            self.feed(ChannelGone(monotonic_ms()))
