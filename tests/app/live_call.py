"""A call that runs, with a line, a log and surroundings of our own instead of a site's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from asterisk_compliance.app.audit.backlog import Backlog
from asterisk_compliance.app.calls import call_task
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    CaptureOptions,
    Command,
    HandOver,
    Mute,
    Whisper,
)
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    CompanyChanged,
    EntryWire,
    FileGrew,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
    SpoolKept,
    SpoolRemoved,
)
from asterisk_compliance.domain.call.participants import Participant
from asterisk_compliance.domain.call.state import Arrival, Call, CallLimits, CallPhase, CallStep
from asterisk_compliance.domain.policy.notice import CaptureFrom, Notice, Policy, Wording
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording.verdict import CaptureOutcome, Expected, RecordingVerdict
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import (
    ChannelId,
    NodeName,
    PlaybackId,
    RecordingId,
    call_id,
    recording_id,
)

WITHIN_S = 5.0
CALL = call_id(1_700_000_000_000, b"8 bytes!")
CHANNEL = ChannelId("1700000000.1")
LIMITS = CallLimits(notice_margin_ms=10_000, dialplan_ms=20_000, growth_ms=10_000, stop_ms=10_000)
WORDING = Wording("ja", "録音します", "sound:/prompts/ja/notice", 1_000, "t" * 64, "a" * 64)
NOTICE = Notice("standard", "1", (PurposeCode("SERVICE"),), {"ja": WORDING})
POLICY = Policy("inbound", NOTICE, ("ja",), CaptureFrom.BRIDGED, "p" * 64)
NODE = NodeName("pbx1")
RECORDING, SECOND = recording_id(CALL, 1), recording_id(CALL, 2)
AGENT, OTHER, THIRD = (ChannelId(f"1700000000.{number}") for number in (2, 3, 4))
BOTH_FILES = 2
CLOSED = RecordingVerdict(CaptureOutcome.CLOSED, length_ms=1_000)


def arrival(policy: Policy = POLICY) -> Arrival:
    facts = (PersonalFact("number", "0312345678", "0312345678"),)
    return Arrival(CHANNEL, CHANNEL, EntryWire.ARI, monotonic_ms(), policy, "inbound", facts=facts)


def company(*channels: ChannelId) -> CompanyChanged:
    return CompanyChanged(monotonic_ms(), tuple(Participant(channel) for channel in channels))


@dataclass
class Site:
    """Line, log, hands and surroundings of one call.

    ``happened`` has rows and effects in their order: a row when it is durable, an effect when it
    is asked for. ``judging``, ``muting`` and ``whispering`` hold back Asterisk's answers.
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
    verdict: RecordingVerdict = CLOSED
    spool_is_emptied: bool = True
    mutes: bool = True
    begins: bool = True
    whispers: bool = True
    judging: asyncio.Event = field(default_factory=asyncio.Event)
    muting: asyncio.Event = field(default_factory=asyncio.Event)
    whispering: asyncio.Event = field(default_factory=asyncio.Event)
    while_judging: Callable[[], None] = lambda: None
    while_muting: Callable[[], None] = lambda: None
    waiting: list[asyncio.Future[int]] = field(default_factory=list)
    _writer: set[asyncio.Task[None]] = field(default_factory=set)
    beside: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.backlog = Backlog(self)
        for answer in (self.disk, self.judging, self.muting, self.whispering):
            answer.set()

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

    def continue_dialplan(self) -> asyncio.Future[None]:
        return self._asked("continue")

    # the log

    def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
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
        self.happened.append(f"follow {call.capture.state}")

    def follow_recording(self, recording: RecordingId) -> None:
        self.happened.append(f"follow {recording}")

    def close(self) -> None:
        self.closed = True

    async def judge(self, recording: RecordingId, expected: Expected) -> RecordingVerdict:
        self.happened.append("judge")
        self.while_judging()
        await self.judging.wait()
        return self.verdict

    async def remove_spooled(self, recording: RecordingId) -> SpoolRemoved | SpoolKept:
        self.happened.append("remove_spooled")
        if self.spool_is_emptied:
            return SpoolRemoved(recording, BOTH_FILES)
        return SpoolKept(recording)

    async def remove_recording(self, recording: RecordingId) -> bool:
        self.happened.append(f"remove {recording}")
        return True

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.beside.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.beside.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.happened.append(f"failed {task.exception()!r}")

    # the hands

    def announce(self, call: Call, status: Status) -> None:
        assert call.channel == CHANNEL
        self.happened.append(f"announce {status}")

    async def stop_capture(self, channel: ChannelId) -> bool:
        assert channel == CHANNEL
        self.happened.append("stop_capture")
        return self.capture_stops

    async def set_mute(self, channel: ChannelId, mute: Mute) -> bool:
        assert channel == CHANNEL
        self.happened.append(f"mute {mute}")
        self.while_muting()
        await self.muting.wait()
        return self.mutes

    async def start_segment(
        self, channel: ChannelId, recording: RecordingId, options: CaptureOptions
    ) -> bool:
        assert channel == CHANNEL
        self.happened.append(f"start {recording}")
        return self.begins

    def cancel_segment(self, channel: ChannelId) -> None:
        self.happened.append("cancel_segment")

    async def whisper(self, call: Call, command: Whisper) -> bool:
        self.happened.append(f"whisper to {command.channel}")
        await self.whispering.wait()
        return self.whispers

    def end_whisper(self, call: Call) -> None:
        self.happened.append("end_whisper")

    def redirect(self, channel: ChannelId) -> None:
        assert channel == CHANNEL
        self.happened.append("redirect")

    def hang_up(self, channel: ChannelId) -> None:
        assert channel == CHANNEL
        self.happened.append("hang_up")

    # what a test asks

    def order(self, *steps: str) -> None:
        """Each of ``steps`` happened, first the first and last the last."""
        places = [self.happened.index(step) for step in steps]
        assert places == sorted(places), self.happened

    def rows(self, kind: Kind) -> list[Draft]:
        return [draft for draft in self.drafts if draft.kind is kind]

    def reasons(self) -> list[object]:
        return [draft.detail["reason"] for draft in self.drafts if draft.kind is Kind.DECISION]


def listen(monkeypatch: pytest.MonkeyPatch) -> list[CallEvent]:
    """Every event that the domain is given from now on."""
    told: list[CallEvent] = []
    step = rules.step

    def listening(call: Call, event: CallEvent) -> CallStep:
        told.append(event)
        return step(call, event)

    monkeypatch.setattr(call_task.rules, "step", listening)
    return told


class Live:
    """A call that runs; ``until`` waits for what shall happen, and never for ever."""

    def __init__(
        self, site: Site, limits: CallLimits = LIMITS, *, events: int = 64, policy: Policy = POLICY
    ) -> None:
        call, first = rules.arrive(CALL, arrival(policy), limits)
        self.site = site
        self.task = CallTask(call, site, site, site, site, events=events)
        self.running = asyncio.create_task(self._run(first))

    async def _run(self, first: tuple[Command, ...]) -> None:
        await self.task.run(first)

    def feed(self, *events: CallEvent) -> None:
        for event in events:
            self.task.feed(event)

    def tell_the_notice(self) -> None:
        now, playback = monotonic_ms(), self.task.call.playback
        self.feed(
            PlaybackStarted(playback, now, 0), PlaybackFinished(playback, True, now + 1_000, 1_000)
        )

    async def recorded(self, *channels: ChannelId) -> None:
        """Be told, bridged to ``channels``, and recorded."""
        self.tell_the_notice()
        await self.until("call_continued")
        events = (
            LeftStasis(),
            MixMonitorStarted(monotonic_ms()),
            Bridged(monotonic_ms()),
            company(*channels or (AGENT,)),
            FileGrew(RECORDING),
        )
        for event in events:
            self.feed(event)
            await self.settled()
        await self.until("recording_growing")

    def whispered(self) -> None:
        """The whisper that plays now is heard to its end."""
        whispering, now = self.task.call.whispering, monotonic_ms()
        assert whispering is not None
        end = now + whispering.length_ms
        self.feed(
            PlaybackStarted(whispering.playback, now),
            PlaybackFinished(whispering.playback, True, end),
        )

    async def until(self, what: str | Callable[[], bool]) -> None:
        def there() -> bool:
            return what in self.site.happened if isinstance(what, str) else what()

        async with asyncio.timeout(WITHIN_S):
            while not there():  # noqa: ASYNC110 - one list for all it awaits
                await asyncio.sleep(0)

    async def settled(self) -> None:
        """What can go on without Asterisk has gone on."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def over(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            await self.running
        assert self.task.call.phase is CallPhase.OVER
        assert not [step for step in self.site.happened if step.startswith("failed ")]
