"""Calls that hear a recording, on one Asterisk: channels of our application that are no calls.

They enter it with the argument ``hearing`` from the routine ``compliance-hearing``. Nothing here
decides; ``domain/access/hearing_machine.py`` does.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, assert_never

import structlog

from asterisk_compliance.app.access.hearing_loans import LoanRegister
from asterisk_compliance.app.dialplan.variables import HEARING_ARGUMENT, HEARING_VARIABLE
from asterisk_compliance.app.policy.prompts import in_language
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.asterisk.ari import events as ari
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.access.hearing_machine import arrive, step, turned_away
from asterisk_compliance.domain.access.hearing_state import (
    CheckCode,
    CodeAccepted,
    CodeRefused,
    GiveBack,
    Hearing,
    HearingCommand,
    HearingEvent,
    HearingPhase,
    HearingReason,
    HearingTerms,
    Leave,
    LoanGone,
    Said,
    Wait,
    Waited,
)
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.domain.call.commands import (
    AnswerCommand,
    AppendRow,
    CommandStep,
    Play,
    StopPlayback,
)
from asterisk_compliance.domain.call.events import (
    CommandFailed,
    DigitReceived,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    RowsRefused,
    ServiceStopping,
)
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable, StoreError
from asterisk_compliance.ids import ChannelId, LoanId

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node_view import NodeView


MARGIN_MS = 2_000
"""So much longer than it is a playback may take before it is given up."""

EVENTS = 200
"""So many wait for one call; who presses more keys than that loses them."""

log = structlog.get_logger()


class HearingCallRouter:
    """The calls that hear, on one Asterisk; one task each.

    Args:
        node: Whose channels.
        loans: What can be heard.
        said: The prompts by language, the first one first.
    """

    def __init__(self, node: NodeView, loans: LoanRegister, said: Mapping[str, Said]) -> None:
        self._node = node
        self._loans = loans
        self._said = said
        self._calls: dict[ChannelId, _Task] = {}
        settings = loans.settings
        self._terms = HearingTerms(settings.attempts, round(settings.wait_s * 1_000), MARGIN_MS)

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, channel: ChannelId) -> bool:
        return channel in self._calls

    def hear(self, event: ari.AriCallEvent, at_ms: int) -> bool:
        """An event of ARI; whether it is about a call that hears, and nobody else's."""
        match event:
            case ari.StasisStart(channel=channel, args=(argument,)) if argument == HEARING_ARGUMENT:
                self._entered(channel)
                return True
            case ari.StasisStart():
                return False
            case ari.AriPlaybackStarted(playback=playback):
                started = PlaybackStarted(playback.id, at_ms, event.at_ms)
                return self._feed(playback.channel, started)
            case ari.AriPlaybackFinished(playback=playback):
                done = playback.state == "done"
                finished = PlaybackFinished(playback.id, done, at_ms, event.at_ms)
                return self._feed(playback.channel, finished)
            case ari.ChannelDtmfReceived(channel=channel, digit=digit):
                return self._feed(channel.id, DigitReceived(digit, at_ms))
            case ari.ChannelHangupRequest(channel=channel):
                self._feed(channel.id, HangupRequested())
                return False
            case ari.StasisEnd(channel=channel):
                return self._feed(channel.id, LeftStasis())
            case ari.ChannelDestroyed(channel=channel):
                self._feed(channel.id, LeftStasis())
                return False
            case _ as never:
                assert_never(never)

    def lost(self) -> None:
        """ARI is gone: nobody tells any more how far a recording was played."""
        for channel in self._calls:
            self._feed(channel, CommandFailed(CommandStep.PLAY, reachable=False))

    def stop(self) -> None:
        """The service stops."""
        for channel in self._calls:
            self._feed(channel, ServiceStopping())

    def _feed(self, channel: ChannelId | None, event: HearingEvent) -> bool:
        task = self._calls.get(channel) if channel is not None else None
        if task is not None:
            task.feed(event)
        return task is not None

    def _entered(self, channel: ari.Channel) -> None:
        client = self._node.ari
        if client is None or channel.id in self._calls:
            return
        why = self._unwelcome(channel.id)
        if why is None:
            name = f"{unix_ms() & 0xFFFFFFFFFFFF:012x}{secrets.token_hex(8)}"
            said = in_language(self._said, channel.language)
            hearing, commands = arrive(name, channel.id, said, self._terms)
            task = _Task(self._node, client, self._loans, hearing)
            self._calls[channel.id] = task
            self._node.spawn(self._live(task, commands))
        else:
            hearing = Hearing("", channel.id, next(iter(self._said.values())), self._terms)
            task = _Task(self._node, client, self._loans, hearing)
            self._node.spawn(task.perform_only(turned_away(channel.id, why)))

    def _unwelcome(self, channel: ChannelId) -> HearingReason | None:
        if self._node.stopping:
            return HearingReason.SERVICE_STOPPING
        known = self._node.calls.get(channel)
        if known is not None and known.call.decision is not None and known.call.decision.allowed:
            return HearingReason.RECORDED
        if len(self) >= self._loans.settings.calls_max:
            return HearingReason.BUSY
        return None

    async def _live(self, task: _Task, commands: tuple[HearingCommand, ...]) -> None:
        try:
            await task.run(commands)
        finally:
            del self._calls[task.hearing.channel]
            await task.let_go()


class _Task:
    """One call that hears. Only :meth:`run` changes ``hearing``."""

    def __init__(
        self, node: NodeView, client: AriClient, loans: LoanRegister, hearing: Hearing
    ) -> None:
        self.hearing = hearing
        self._node = node
        self._ari = client
        self._loans = loans
        self._held: LoanId | None = None
        self._events: asyncio.Queue[HearingEvent] = asyncio.Queue(EVENTS)
        self._until_s = 0.0

    def feed(self, event: HearingEvent) -> None:
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            log.warning("hearing_event_dropped", what=type(event).__name__)

    async def run(self, commands: tuple[HearingCommand, ...]) -> None:
        """Until it is over, and everything that follows from that is done."""
        while True:
            event = await self._perform(commands)
            if event is None:
                if self.hearing.phase is HearingPhase.OVER:
                    return
                event = await self._next()
            self.hearing, commands = step(self.hearing, event)

    async def perform_only(self, commands: tuple[HearingCommand, ...]) -> None:
        """Without a call that could go on; a row that is refused does not keep the channel."""
        if await self._perform(commands) is not None:
            await self._perform(commands[-1:])

    async def let_go(self) -> None:
        """Whatever ended the task: nobody hears the copy any more."""
        await self._give_back(GiveBack(begun=True))

    async def _next(self) -> HearingEvent:
        try:
            async with asyncio.timeout(max(0.0, self._until_s - time.monotonic())):
                return await self._events.get()
        except TimeoutError:
            return Waited()

    async def _perform(  # noqa: C901 - one arm a command
        self, commands: tuple[HearingCommand, ...]
    ) -> HearingEvent | None:
        """Do them in order; what one of them is answered by at once comes back, and ends it."""
        channel = self.hearing.channel
        for command in commands:
            match command:
                case AnswerCommand():
                    self._watch(self._ari.answer(channel), CommandStep.ANSWER)
                case Play(playback=playback, media=media):
                    self._watch(self._ari.play(channel, media, playback), CommandStep.PLAY)
                case StopPlayback(playback=playback):
                    self._ari.stop_playback(channel, playback).add_done_callback(ignore_outcome)
                case AppendRow():
                    if not await self._written(command):
                        return RowsRefused()
                case CheckCode(code=code):
                    return await self._take(code)
                case Wait(ms=ms):
                    self._until_s = time.monotonic() + ms / 1_000
                case GiveBack():
                    await self._give_back(command)
                case Leave(outcome=outcome):
                    await _tried(self._ari.set_variable(channel, HEARING_VARIABLE, outcome))
                    await _tried(self._ari.continue_in_dialplan(channel))
                case _ as never:
                    assert_never(never)
        return None

    async def _take(self, code: str) -> CodeAccepted | CodeRefused:
        found = await self._loans.take(code, lambda: self.feed(LoanGone()))
        if isinstance(found, CodeAccepted):
            self._held = found.loan.id
        return found

    async def _give_back(self, how: GiveBack) -> None:
        """Once: behind it the copy may be somebody else's."""
        held, self._held = self._held, None
        if held is not None:
            await self._loans.give_back(held, how)

    async def _written(self, row: AppendRow) -> bool:
        """Whether it is durable, in time."""
        loan = self.hearing.loan
        call = loan.call if loan is not None else None
        draft = Draft(row.kind, unix_ms(), self._node.node, call, row.actor, row.detail)
        try:
            await self._loans.append(draft)
        except StoreError as error:
            log.error("row_refused", kind=row.kind, why=str(error))
            return False
        return True

    def _watch(self, sent: asyncio.Future[None], what: CommandStep) -> None:
        def look(done: asyncio.Future[None]) -> None:
            error = None if done.cancelled() else done.exception()
            if error is not None:
                reachable = not isinstance(error, AsteriskUnavailable)
                self.feed(CommandFailed(what, reachable=reachable))

        sent.add_done_callback(look)


async def _tried(request: Awaitable[Any]) -> None:
    """The channel may be gone; then nothing is left to be done."""
    try:
        await request
    except AsteriskError as error:
        log.info("hearing_channel_gone", why=str(error))
