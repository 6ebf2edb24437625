"""The FastAGI entry: the same call, the same domain, over a wire that can do one thing at a time.

AGI cannot stop a playback from outside, and answers only when it is over; so a stopping service
or a passed limit takes effect when the prompt ends. Everything else is as over ARI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from asterisk_compliance.app.arrivals import parse_arguments, personal_facts
from asterisk_compliance.app.call_task import CallTask, monotonic_ms
from asterisk_compliance.app.node import Node
from asterisk_compliance.app.result import RESULT_VARIABLE
from asterisk_compliance.asterisk.fastagi import AgiHangup, AgiSession
from asterisk_compliance.domain.call_state import Arrival
from asterisk_compliance.domain.decision import Reason
from asterisk_compliance.domain.events import (
    Entry,
    Event,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
)
from asterisk_compliance.errors import AsteriskError
from asterisk_compliance.ids import PlaybackId
from asterisk_compliance.storage.recordings import SAMPLE_RATE

SCRIPT = "notice"

log = structlog.get_logger()

_Work = Callable[[], Awaitable[None]]


class AgiLine:
    """A channel in ``AGI()``: commands queue up and are executed one after another."""

    def __init__(self, session: AgiSession, limit_s: float) -> None:
        self._session = session
        self._limit_s = limit_s
        self._work: asyncio.Queue[tuple[_Work | None, asyncio.Future[None]]] = asyncio.Queue()
        self.task: CallTask | None = None

    async def run(self) -> None:
        """Execute commands until the channel goes on; the session then ends.

        Raises:
            AgiHangup, AsteriskUnavailable: the session is over; what is queued has failed.
        """
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
        return self._queue(lambda: self._stream(playback, media.removeprefix("sound:")))

    def stop_playback(self, playback: PlaybackId) -> None:
        log.info("agi_playback_goes_on", playback=playback)

    def hand_over(self, result: str) -> asyncio.Future[None]:
        return self._queue(lambda: self._session.set_variable(RESULT_VARIABLE, result))

    def go_on(self) -> asyncio.Future[None]:
        return self._queue(None)

    def close(self) -> None:
        """End the session, also where the call ended without one."""
        self._queue(None).add_done_callback(_looked_at)

    def _queue(self, work: _Work | None) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._work.put_nowait((work, done))
        return done

    def _fail(self, first: asyncio.Future[None], why: Exception) -> None:
        first.set_exception(why)
        while not self._work.empty():
            _, done = self._work.get_nowait()
            done.set_exception(AsteriskError("the AGI session is over"))

    async def _stream(self, playback: PlaybackId, path: str) -> None:
        """Play, and report it as ARI would; Asterisk's own measure is the position it reached.

        A missing file and a caller who hangs up look the same; only the next command tells.
        """
        self._feed(PlaybackStarted(playback, monotonic_ms(), 0))
        played = await self._session.stream_file(path, self._limit_s)
        finished_ms = monotonic_ms()
        if not played.completed:
            await self._session.command("NOOP")
        reached_ms = played.end_samples * 1_000 // SAMPLE_RATE
        self._feed(PlaybackFinished(playback, played.completed, finished_ms, reached_ms))

    def _feed(self, event: Event) -> None:
        assert self.task is not None
        self.task.feed(event)


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
        entry=Entry.AGI,
        at_ms=monotonic_ms(),
        policy=applied.policy,
        policy_name=values.get("policy", ""),
        language=session.language,
        stopping=node.stopping,
        rules=applied.rules,
        facts=personal_facts(
            number=_known(environment.get("agi_callerid", "")),
            name=_known(environment.get("agi_calleridname", "")),
            dialled=_known(environment.get("agi_dnid", "")),
        ),
    )
    line = AgiLine(session, limit_s)
    line.task = node.reenter(session.channel, line, Entry.AGI) or node.arrive(arrival, line)
    try:
        await line.run()
    finally:
        line.task.feed(LeftStasis())


def _looked_at(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()


def _known(value: str) -> str:
    """``unknown`` is what res_agi.c writes for nothing."""
    return "" if value == "unknown" else value
