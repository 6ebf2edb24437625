"""A call that runs, with a line, a log and surroundings of our own instead of a site's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from asterisk_compliance.app.call_task import CallTask, monotonic_ms
from asterisk_compliance.domain import call as rules
from asterisk_compliance.domain.call_state import Arrival, Call, Limits, Phase
from asterisk_compliance.domain.commands import Command, HandOver
from asterisk_compliance.domain.decision import Status
from asterisk_compliance.domain.events import (
    Entry,
    Event,
    PlaybackFinished,
    PlaybackStarted,
    SpoolKept,
    SpoolRemoved,
)
from asterisk_compliance.domain.notice import CaptureFrom, Notice, Policy, Wording
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording import Outcome, Verdict
from asterisk_compliance.domain.rows import Draft, Kind, PersonalFact
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import ChannelId, NodeName, PlaybackId, RecordingId, call_id

WITHIN_S = 5.0
CALL = call_id(1_700_000_000_000, b"8 bytes!")
CHANNEL = ChannelId("1700000000.1")
LIMITS = Limits(notice_margin_ms=10_000, dialplan_ms=20_000, growth_ms=10_000, stop_ms=10_000)
WORDING = Wording("ja", "録音します", "sound:/prompts/ja/notice", 1_000, "t" * 64, "a" * 64)
NOTICE = Notice("standard", "1", (PurposeCode("SERVICE"),), {"ja": WORDING})
POLICY = Policy("inbound", NOTICE, ("ja",), CaptureFrom.BRIDGED, "p" * 64)
NODE = NodeName("pbx1")
BOTH_REMOVED = SpoolRemoved(2)
CLOSED = Verdict(Outcome.CLOSED, length_ms=1_000)


def arrival() -> Arrival:
    facts = (PersonalFact("number", "0312345678", "0312345678"),)
    return Arrival(CHANNEL, CHANNEL, Entry.ARI, monotonic_ms(), POLICY, "inbound", facts=facts)


@dataclass
class Site:
    """Line, log and surroundings of one call; ``happened`` has rows and effects in their order.

    A row stands in it when it is durable, an effect when it is asked for.
    """

    node: NodeName = NODE
    happened: list[str] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    results: list[HandOver] = field(default_factory=list)
    refuses: dict[str, Exception] = field(default_factory=dict)
    store_error: Exception | None = None
    full_at_once: bool = False
    capture_stops: bool = True
    closed: bool = False
    disk: asyncio.Event = field(default_factory=asyncio.Event)
    verdict: Verdict = CLOSED
    removed: SpoolRemoved | SpoolKept = BOTH_REMOVED
    while_judging: Callable[[], None] = lambda: None
    waiting: list[asyncio.Future[int]] = field(default_factory=list)
    _writer: set[asyncio.Task[None]] = field(default_factory=set)

    # the line

    def _asked(self, what: str) -> asyncio.Future[None]:
        self.happened.append(what)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if what in self.refuses:
            answer.set_exception(self.refuses[what])
        else:
            answer.set_result(None)
        return answer

    def answer(self) -> asyncio.Future[None]:
        return self._asked("answer")

    def play(self, playback: PlaybackId, media: str) -> asyncio.Future[None]:
        assert media == WORDING.media
        return self._asked("play")

    def stop_playback(self, playback: PlaybackId) -> None:
        self.happened.append("stop_playback")

    def hand_over(self, result: str) -> asyncio.Future[None]:
        return self._asked(f"hand_over {result}")

    def go_on(self) -> asyncio.Future[None]:
        return self._asked("continue")

    # the log

    def append(self, *drafts: Draft) -> asyncio.Future[int]:
        if self.full_at_once:
            raise StoreUnavailable("rows wait for the disk")
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.waiting.append(done)
        writing = asyncio.create_task(self._write(drafts, done))
        self._writer.add(writing)
        writing.add_done_callback(self._writer.discard)
        return done

    async def _write(self, drafts: tuple[Draft, ...], done: asyncio.Future[int]) -> None:
        await self.disk.wait()
        self.waiting.remove(done)
        if done.cancelled():
            return
        if self.store_error is not None:
            done.set_exception(self.store_error)
            return
        self.drafts += drafts
        self.happened += [draft.kind for draft in drafts]
        done.set_result(len(self.drafts))

    # the surroundings

    def encode(self, result: HandOver) -> str:
        self.results.append(result)
        return result.status

    def follow(self, call: Call) -> None:
        self.happened.append(f"follow {call.capture}")

    def announce(self, channel: ChannelId, status: Status) -> None:
        self.happened.append(f"announce {status}")

    async def stop_capture(self, channel: ChannelId) -> bool:
        self.happened.append("stop_capture")
        return self.capture_stops

    def close(self) -> None:
        self.closed = True

    async def judge(self, recording: RecordingId, expected_ms: int | None) -> Verdict:
        self.happened.append("judge")
        self.while_judging()
        return self.verdict

    async def remove_spooled(self, recording: RecordingId) -> SpoolRemoved | SpoolKept:
        self.happened.append("remove_spooled")
        return self.removed

    def reasons(self) -> list[object]:
        return [draft.detail["reason"] for draft in self.drafts if draft.kind is Kind.DECISION]


class Live:
    """A call that runs; ``until`` waits for what shall happen, and never for ever."""

    def __init__(self, site: Site, limits: Limits = LIMITS, *, events: int = 64) -> None:
        site.disk.set()
        call, first = rules.arrive(CALL, arrival(), limits)
        self.site = site
        self.task = CallTask(call, site, site, site, events=events)
        self.running = asyncio.create_task(self._run(first))

    async def _run(self, first: tuple[Command, ...]) -> None:
        await self.task.run(first)

    def feed(self, *events: Event) -> None:
        for event in events:
            self.task.feed(event)

    def tell_the_notice(self) -> None:
        now, playback = monotonic_ms(), self.task.call.playback
        self.feed(
            PlaybackStarted(playback, now, 0), PlaybackFinished(playback, True, now + 1_000, 1_000)
        )

    async def until(self, what: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            while what not in self.site.happened:  # noqa: ASYNC110 - one list for all it awaits
                await asyncio.sleep(0)

    async def over(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            await self.running
        assert self.task.call.phase is Phase.OVER
