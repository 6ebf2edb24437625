"""The notice on one channel of somebody else's Stasis application: its rules and rows are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, NoReturn, Protocol, TypeAlias

import structlog

from asterisk_compliance.app.calls.call_task import NOT_FOUND, CallAuditLog, CallTask
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.domain.call.commands import CaptureOptions, HandOver, Mute, Whisper
from asterisk_compliance.domain.call.decision import Decision, Status
from asterisk_compliance.domain.call.events import (
    CallEvent,
    ChannelGone,
    LeftStasis,
    ServiceStopping,
)
from asterisk_compliance.domain.call.state import Call, CallStep
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.errors import ComplianceError, RequestRefused
from asterisk_compliance.ids import ChannelId, NodeName, PlaybackId, RecordingId

PendingAction: TypeAlias = Callable[[], Awaitable[None]]
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]

EVENTS = 256
"""So many events of one channel wait at most; more of them, and the call is not told."""

log = structlog.get_logger()


class AriActions(Protocol):
    """What a notice asks of your ARI client: four requests, for one channel one after the other.

    Return when Asterisk has answered with 2xx. Raise
    :class:`~asterisk_compliance.RequestRefused` with the status for any other answer; any other
    exception means that Asterisk could not be asked. The notice does not count then.
    """

    async def answer(self, channel: str, /) -> None:
        """``POST /channels/{channel}/answer``."""

    async def play(self, channel: str, playback: str, media: str, /) -> None:
        """``POST /channels/{channel}/play/{playback}`` with ``media``: one file, under this id."""

    async def stop_playback(self, playback: str, /) -> None:
        """``DELETE /playbacks/{playback}``; 404 is no error: it was over already."""

    async def subscribe(self, channel: str, /) -> None:
        """``POST /applications/{yours}/subscription`` with ``eventSource=channel:{channel}``.

        So that you hear of its end when it has left your application; pass that on too.
        """


class NoticeFlow:
    """One call, from its ``StasisStart`` to its end. Made by :meth:`asterisk_compliance.Site.tell`.

    Attributes:
        call: Its id, which stands in each of its rows: ``c-`` and 28 hex digits.
        channel: Asterisk's ``uniqueid``.
    """

    def __init__(
        self,
        stepped: CallStep,
        actions: AriActions,
        rows: CallAuditLog,
        *,
        node: NodeName,
        store_s: float,
        request_s: float,
        spawn: Spawn,
    ) -> None:
        call, self._first = stepped
        self.call: str = call.id
        self.channel: str = call.channel
        self.is_gone = False
        self._decided: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        line = _Line(actions, call.channel, request_s, self._go_on)
        around = _Around(node, actions, spawn)
        self._task = CallTask(
            call, line, rows, around, around, events=EVENTS, store_s=store_s, stepped=self._stepped
        )

    async def decision(self) -> Decision:
        """Wait until it is decided, and until the row that says so is durable.

        From then on the channel is yours again: nothing plays, and nothing more is asked of it.
        ``decision.allowed`` says whether it may be recorded, for ``decision.purposes`` and for no
        others; ``decision.next`` what the policy wants to happen to a call that may not.
        """
        return await asyncio.shield(self._decided)

    @property
    def is_decided(self) -> bool:
        return self._decided.done()

    def feed(self, event: CallEvent) -> None:
        self.is_gone = self.is_gone or isinstance(event, ChannelGone)
        self._task.feed(event)

    def stop(self) -> None:
        """Let a notice that plays come to its end, but not for long; begin no other."""
        self._task.feed(ServiceStopping())

    async def run(self) -> None:
        """Live the call; whatever happens, who waits for the decision gets an answer."""
        try:
            await self._task.run(self._first)
            self._answer(self._task.call)
        finally:
            if not self._decided.done():
                self._decided.set_exception(ComplianceError("the call ended undecided"))
                self._decided.exception()  # nobody need wait for it

    def _stepped(self, before: Call, event: CallEvent, after: Call) -> None:
        """A channel that has left cannot be let go on: then the decision itself is the end."""
        if isinstance(event, LeftStasis | ChannelGone):
            self._answer(after)

    def _go_on(self) -> None:
        self._answer(self._task.call)

    def _answer(self, call: Call) -> None:
        if call.decision is not None and not self._decided.done():
            self._decided.set_result(call.decision)


class _Line:
    """The channel, through somebody else's client. Implements :class:`app.line.Line`."""

    def __init__(
        self, actions: AriActions, channel: ChannelId, request_s: float, decided: Callable[[], None]
    ) -> None:
        self._actions = actions
        self._channel = channel
        self._request_s = request_s
        self._decided = decided
        self._last: asyncio.Task[None] | None = None

    def answer(self) -> asyncio.Future[None]:
        return self._then(partial(self._actions.answer, self._channel))

    def play(self, playback: PlaybackId, media: str) -> asyncio.Future[None]:
        return self._then(partial(self._actions.play, self._channel, playback, media))

    def stop_playback(self, playback: PlaybackId) -> None:
        stopped = self._then(partial(self._actions.stop_playback, playback))
        stopped.add_done_callback(ignore_outcome)

    def set_variable(self, name: str, value: str) -> asyncio.Future[None]:
        return _done()

    def hand_over(self, result: str) -> asyncio.Future[None]:
        """Nobody takes a result apart: the decision is one."""
        return _done()

    def continue_dialplan(self) -> asyncio.Future[None]:
        """The channel is its owner's; that it goes on in a dialplan nobody will ever say."""
        self._decided()
        return asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """There is nothing to close."""

    def _then(self, work: PendingAction) -> asyncio.Task[None]:
        """One request after the other: a client may send two at once on two connections."""
        self._last = asyncio.create_task(self._in_turn(self._last, work))
        return self._last

    async def _in_turn(self, before: asyncio.Task[None] | None, work: PendingAction) -> None:
        if before is not None:
            await asyncio.wait({before})
        async with asyncio.timeout(self._request_s):
            await work()


class _Around:
    """There is no recording of ours, and no bridge: the channel's owner sees to all that."""

    def __init__(self, node: NodeName, actions: AriActions, spawn: Spawn) -> None:
        self.node = node
        self._actions = actions
        self._spawn = spawn

    def encode(self, result: HandOver) -> str:
        return ""

    def follow(self, call: Call) -> None:
        self._spawn(self._follow(call))

    async def _follow(self, call: Call) -> None:
        try:
            await self._actions.subscribe(call.channel)
        except RequestRefused as refused:
            if refused.status != NOT_FOUND:  # then it is gone, which is its end
                log.warning("call_not_followed", call=call.id, why=str(refused))

    def follow_recording(self, recording: RecordingId) -> None:
        _never()

    async def judge(self, recording: RecordingId, expected: Expected) -> NoReturn:
        _never()

    async def remove_spooled(self, recording: RecordingId) -> NoReturn:
        _never()

    async def remove_recording(self, recording: RecordingId) -> NoReturn:
        _never()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._spawn(work)

    def announce(self, call: Call, status: Status) -> None:
        _never()

    def show(self, channels: Iterable[ChannelId], status: Status) -> None:
        _never()

    async def stop_capture(self, channel: ChannelId) -> NoReturn:
        _never()

    async def set_mute(self, channel: ChannelId, mute: Mute) -> NoReturn:
        _never()

    async def start_segment(
        self, channel: ChannelId, recording: RecordingId, options: CaptureOptions
    ) -> NoReturn:
        _never()

    def cancel_segment(self, channel: ChannelId) -> None:
        _never()

    async def whisper(self, call: Call, command: Whisper) -> NoReturn:
        _never()

    def end_whisper(self, call: Call) -> None:
        _never()

    def redirect(self, channel: ChannelId) -> None:
        _never()

    def hang_up(self, channel: ChannelId) -> None:
        _never()


def _never() -> NoReturn:
    raise AssertionError("a call that nobody records has no recording")


def _done() -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done
