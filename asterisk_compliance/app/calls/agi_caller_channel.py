"""The FastAGI entry: the same call, the same domain, over a wire that can do one thing at a time.

AGI hears a key only while a command listens for it, and a key that ``STREAM FILE`` listens for
ends the prompt. So the prompt is played in pieces: after a key the call is told of it, and the
prompt goes on where it stopped unless the call now wants something else. ``CONTROL STREAM FILE``
cannot be ended by another command, and ``GET DATA`` does not tell where a key stopped it.

Between two commands, for about a millisecond, Asterisk drops what it hears, a key as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.dialplan.variables import RESULT_VARIABLE
from asterisk_compliance.app.policy.arrivals import outside_number, parse_arguments, personal_facts
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.asterisk.agi.server import AgiHangup, AgiSession
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    CallEvent,
    DigitReceived,
    EntryWire,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
)
from asterisk_compliance.domain.call.state import EARLY_TOLERANCE_MS, Arrival, CallPhase
from asterisk_compliance.domain.policy.notice import Consent
from asterisk_compliance.errors import AsteriskError
from asterisk_compliance.ids import PlaybackId
from asterisk_compliance.storage.recordings.assembly import SAMPLE_RATE

SCRIPT = "notice"
_LISTEN_S = 5.0
"""For how long one command listens; longer than most calls are asked, since keys between two
commands are lost."""

_Work = Callable[[], Awaitable[None]]


class AgiCallerChannel:
    """A channel in ``AGI()``: commands queue up and are executed one after another.

    What plays or listens ends when another command comes.
    """

    def __init__(self, session: AgiSession, limit_s: float) -> None:
        self._session = session
        self._limit_s = limit_s
        self._work: asyncio.Queue[tuple[_Work | None, asyncio.Future[None]]] = asyncio.Queue()
        self._stopped: PlaybackId | None = None
        self._task: CallTask | None = None

    async def run(self, task: CallTask) -> None:
        """Execute commands of a call until the channel goes on; the session then ends.

        Raises:
            AgiHangup, AsteriskUnavailable: the session is over; what is queued has failed.
        """
        self._task = task
        while True:
            work, done = await self._work.get()
            if work is None:
                done.set_result(None)
                return
            try:
                await work()
            except AgiHangup as error:
                self._feed(HangupRequested())  # before the failure that follows from it
                self._fail(done, error)
                raise
            except (AsteriskError, ValueError) as error:
                self._fail(done, error)
                raise
            done.set_result(None)

    def answer(self) -> asyncio.Future[None]:
        return self._queue(self._session.answer)

    def play(self, playback: PlaybackId, media: str) -> asyncio.Future[None]:
        return self._queue(lambda: self._play(playback, media.removeprefix("sound:")))

    def stop_playback(self, playback: PlaybackId) -> None:
        self._stopped = playback
        self._session.interrupt()

    def set_variable(self, name: str, value: str) -> asyncio.Future[None]:
        return self._queue(lambda: self._session.set_variable(name, value))

    def hand_over(self, result: str) -> asyncio.Future[None]:
        return self.set_variable(RESULT_VARIABLE, result)

    def continue_dialplan(self) -> asyncio.Future[None]:
        return self._queue(None)

    def close(self) -> None:
        """End the session, also where the call ended without one."""
        self._queue(None).add_done_callback(ignore_outcome)

    def _queue(self, work: _Work | None) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._work.put_nowait((work, done))
        self._session.interrupt()
        return done

    def _fail(self, first: asyncio.Future[None], why: Exception) -> None:
        first.set_exception(why)
        while not self._work.empty():
            _, done = self._work.get_nowait()
            done.set_exception(AsteriskError("the AGI session is over"))

    async def _play(self, playback: PlaybackId, path: str) -> None:
        """Play, report it as ARI would, and listen for a key if the call then waits for one.

        A missing file and a caller who hangs up look the same; only the next command tells.
        """
        if self._is_to_stop(playback):
            return
        keys = self._keys()
        self._feed(PlaybackStarted(playback, monotonic_ms(), 0))
        heard = at = 0
        while True:
            began_ms = monotonic_ms()
            played = await self._session.stream_file(
                path, self._limit_s, digits=keys, offset_samples=at
            )
            ended_ms = monotonic_ms()
            heard += _counted(played.end_samples - at, ended_ms - began_ms)
            at = played.end_samples
            if not played.digit:
                break
            await self._tell(DigitReceived(played.digit, ended_ms))
            if self._is_to_stop(playback):
                return
        if not played.completed and not self._is_to_stop(playback):
            await self._session.command("NOOP")
        heard_ms = heard * 1_000 // SAMPLE_RATE
        await self._tell(PlaybackFinished(playback, played.completed, ended_ms, heard_ms))
        await self._listen()

    async def _listen(self) -> None:
        """Report every key until the call has decided."""
        assert self._task is not None
        while self._task.call.phase is CallPhase.ASKING and self._work.empty():
            digit = await self._session.wait_for_digit(_LISTEN_S)
            if digit:
                await self._tell(DigitReceived(digit, monotonic_ms()))

    def _is_to_stop(self, playback: PlaybackId) -> bool:
        return self._stopped == playback or not self._work.empty()

    def _keys(self) -> str:
        """The keys that end a prompt: only those that mean something, and only while we ask."""
        assert self._task is not None
        call = self._task.call
        if not call.undecided or call.policy is None or call.policy.consent is Consent.NOTICE:
            return ""
        keys = call.policy.keys
        return keys.accept + keys.refuse + keys.repeat + keys.language

    async def _tell(self, event: CallEvent) -> None:
        """Feed an event, and wait until the call has said what it wants now."""
        assert self._task is not None
        if self._work.empty():
            await self._task.ask(event)
        else:  # it has said so already, or is over and answers nobody
            self._task.feed(event)

    def _feed(self, event: CallEvent) -> None:
        assert self._task is not None
        self._task.feed(event)


async def serve_call(node: Node, session: AgiSession, limit_s: float) -> None:
    """Handle one ``AGI(agi://host:port/notice?policy=NAME)``.

    Returns when the call goes on in the dialplan; the node follows it from there.
    """
    asked = parse_arguments([f"{name}={value}" for name, value in session.parameters.items()])
    if session.script != SCRIPT:
        asked = Reason.ARGUMENTS_INVALID
    values = {} if isinstance(asked, Reason) else asked
    environment = session.environment
    applied = node.policies.apply(
        asked,
        number=_known(environment.get("agi_callerid", "")),
        dialled=_known(environment.get("agi_dnid", "")),
        language=session.language,
    )
    arrival = Arrival(
        channel=session.channel,
        linkedid=values.get("linkedid", ""),
        entry=EntryWire.AGI,
        at_ms=monotonic_ms(),
        policy=applied.policy,
        policy_name=values.get("policy", ""),
        language=session.language,
        stopping=node.stopping,
        rules=applied.rules,
        published=applied.published,
        wiring=node.wiring,
        queue=values.get("queue", ""),
        outside=node.policies.comparable(
            outside_number(values, _known(environment.get("agi_callerid", "")))
        ),
        facts=personal_facts(
            number=_known(environment.get("agi_callerid", "")),
            name=_known(environment.get("agi_calleridname", "")),
            dialled=_known(environment.get("agi_dnid", "")),
        ),
    )
    channel = AgiCallerChannel(session, limit_s)
    known = node.reenter(session.channel, channel, EntryWire.AGI)
    task = known or node.arrive(arrival, channel)
    try:
        await channel.run(task)
    finally:
        task.feed(LeftStasis())


def _counted(samples: int, took_ms: int) -> int:
    """How much of a piece counts as played: all of it, if it took about as long as it is."""
    took = took_ms * SAMPLE_RATE // 1_000
    tolerance = EARLY_TOLERANCE_MS * SAMPLE_RATE // 1_000
    return samples if took >= samples - tolerance else took


def _known(value: str) -> str:
    """``unknown`` is what res_agi.c writes for nothing."""
    return "" if value == "unknown" else value
