"""Calls that hear, as the shell leads them: who is turned away, what is written before what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from asterisk_compliance.app.access.hearing_calls import HearingCallRouter
from asterisk_compliance.app.access.hearing_loans import LoanRegister
from asterisk_compliance.app.calls.asterisk_listeners import AriEventRouter
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.policy.prompts import in_language
from asterisk_compliance.asterisk.ari import events as ari
from asterisk_compliance.asterisk.ari.events import AriCaller, DialplanPlace
from asterisk_compliance.config.settings import HearingSettings
from asterisk_compliance.domain.access.hearing_state import (
    CodeAccepted,
    CodeRefused,
    GiveBack,
    Said,
    TelephoneLoan,
)
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.policy.notice import Prompt
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused, StoreUnavailable
from asterisk_compliance.ids import CallId, ChannelId, LoanId, NodeName, PlaybackId, RecordingId

NAME = "0193a5c2f7e14b6d90f1a2b3c4d5"
LOAN = TelephoneLoan(
    LoanId(f"l-{NAME}"),
    CallId(f"c-{NAME}"),
    RecordingId(f"r-{NAME}-1"),
    f"q-{NAME}",
    "sound:/memory/one",
    5_000,
)
NOW = datetime(2026, 11, 25, tzinfo=UTC)
STRANDED = DialplanPlace("compliance-hearing", "s", 8, "Stasis")


def said(language: str) -> Said:
    return Said(*(Prompt(f"{language}/{name}", 100) for name in ("code", "wrong", "begin", "end")))


class Ari:
    """Notes what is asked of it, in order, and may refuse a kind of request."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.refuses: dict[str, Exception] = {}
        self.waiting: dict[str, ari.Channel] = {}

    async def application_channels(self) -> list[str]:
        return list(self.waiting)

    async def channel(self, channel: str) -> ari.Channel | None:
        return self.waiting.get(channel)

    def _answer(self, *what: str) -> asyncio.Future[Any]:
        self.asked.append(what)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if what[0] in self.refuses:
            answer.set_exception(self.refuses[what[0]])
        else:
            answer.set_result(None)
        return answer

    def answer(self, channel: str) -> asyncio.Future[Any]:
        return self._answer("answer", channel)

    def play(self, channel: str, media: str, playback: str) -> asyncio.Future[Any]:
        return self._answer("play", channel, media, playback)

    def stop_playback(self, channel: str, playback: str) -> asyncio.Future[Any]:
        return self._answer("stop", channel, playback)

    def set_variable(self, channel: str, name: str, value: str) -> asyncio.Future[Any]:
        return self._answer("set", channel, name, value)

    def continue_in_dialplan(self, channel: str) -> asyncio.Future[Any]:
        return self._answer("continue", channel)


class Lends:
    """The loans, as far as a call needs them: one code opens one copy."""

    def __init__(self, **settings: Any) -> None:
        self.settings = HearingSettings(**settings)
        self.rows: list[Draft] = []
        self.back: list[GiveBack] = []
        self.gone: Callable[[], None] | None = None
        self.refuses: set[Kind] = set()

    async def append(self, draft: Draft) -> int:
        if draft.kind in self.refuses:
            raise StoreUnavailable("no")
        self.rows.append(draft)
        return len(self.rows)

    async def take(self, code: str, gone: Callable[[], None]) -> CodeAccepted | CodeRefused:
        if code != "4711":
            return CodeRefused()
        self.gone = gone
        return CodeAccepted(LOAN)

    async def give_back(self, loan: LoanId, how: GiveBack) -> None:
        assert loan == LOAN.id
        self.back.append(how)

    def kinds(self) -> list[tuple[str, Any]]:
        return [(row.kind, row.detail.get("reason")) for row in self.rows]


class Site:
    """One Asterisk with calls that hear."""

    def __init__(self, tasks: asyncio.TaskGroup, **settings: Any) -> None:
        self.ari = Ari()
        self.loans = Lends(**settings)
        self.tasks: list[asyncio.Task[None]] = []
        self.node = SimpleNamespace(
            node=NodeName("pbx1"), ari=self.ari, calls={}, stopping=False, spawn=self._spawn
        )
        self._group = tasks
        spoken = {language: said(language) for language in ("ja", "en")}
        self.calls = HearingCallRouter(
            cast("Node", self.node), cast("LoanRegister", self.loans), spoken
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(self._group.create_task(work))

    async def settles(self) -> None:
        """Until nothing more follows by itself."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def enters(self, channel: str = "1.1", language: str = "en_US") -> None:
        start = ari.StasisStart("compliance", NOW, a_channel(channel, language), ("hearing",))
        assert self.calls.hear(start, 0)
        await self.settles()

    async def presses(self, digits: str, channel: str = "1.1") -> None:
        for digit in digits:
            event = ari.ChannelDtmfReceived("compliance", NOW, a_channel(channel), digit, 100)
            assert self.calls.hear(event, 0)
        await self.settles()

    async def plays(self, *, from_ms: int, to_ms: int, done: bool = True) -> bool:
        """What was asked for last is played."""
        playback = next(what[3] for what in reversed(self.ari.asked) if what[0] == "play")
        for state, kind, at_ms in (
            ("playing", ari.AriPlaybackStarted, from_ms),
            ("done" if done else "failed", ari.AriPlaybackFinished, to_ms),
        ):
            at = datetime.fromtimestamp(at_ms / 1_000, UTC)
            told = ari.Playback(PlaybackId(playback), state, "", "channel:1.1", "en")
            heard = self.calls.hear(kind("compliance", at, told), at_ms)
        await self.settles()
        return heard

    def played(self) -> list[str]:
        return [what[2] for what in self.ari.asked if what[0] == "play"]


def a_channel(channel: str, language: str = "en") -> ari.Channel:
    place = DialplanPlace("compliance-hearing", "s", 8)
    return ari.Channel(
        ChannelId(channel), "PJSIP/x-1", "Up", AriCaller("", ""), place, language, NOW
    )


@asynccontextmanager
async def site(**settings: Any) -> AsyncIterator[Site]:
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        here = Site(tasks, **settings)
        yield here
        for task in here.tasks:
            task.cancel()


async def test_from_the_code_to_the_goodbye() -> None:
    async with site() as here:
        await here.enters()
        await here.presses("4711#")
        await here.plays(from_ms=0, to_ms=100)
        assert here.loans.kinds() == [(Kind.HEARING_BEGUN, None)]
        await here.plays(from_ms=100, to_ms=5_100)
        await here.plays(from_ms=5_200, to_ms=5_300)
        assert here.played() == ["en/code", "en/begin", LOAN.media, "en/end"]
        assert here.loans.rows[-1].kind == Kind.HEARING_COMPLETED
        assert {row.call for row in here.loans.rows} == {LOAN.call}
        assert here.loans.back == [GiveBack(begun=True, heard=True)]
        assert here.ari.asked[-2:] == [
            ("set", "1.1", "COMPLIANCE_HEARING", "HEARD"),
            ("continue", "1.1"),
        ]
        assert len(here.calls) == 0


async def test_a_copy_is_given_back_once() -> None:
    """Behind that it may be somebody else's."""
    async with site() as here:
        await here.enters()
        await here.presses("4711#")
        await here.plays(from_ms=0, to_ms=100)
        await here.plays(from_ms=100, to_ms=1_100)
        assert len(here.calls) == 0
        assert here.loans.back == [GiveBack(begun=True)]


async def test_where_the_row_is_refused_nothing_is_played() -> None:
    async with site() as here:
        here.loans.refuses = {Kind.HEARING_BEGUN}
        await here.enters()
        await here.presses("4711#")
        await here.plays(from_ms=0, to_ms=100)
        assert LOAN.media not in here.played()
        assert here.loans.back == [GiveBack(begun=False)]
        assert ("set", "1.1", "COMPLIANCE_HEARING", "REFUSED") in here.ari.asked


async def test_a_call_that_may_be_recorded_is_turned_away() -> None:
    async with site() as here:
        decided = SimpleNamespace(allowed=True)
        recorded = SimpleNamespace(call=SimpleNamespace(decision=decided))
        here.node.calls[ChannelId("1.1")] = recorded
        await here.enters()
        assert here.loans.kinds() == [(Kind.HEARING_REFUSED, "RECORDED")]
        assert here.ari.asked[-1] == ("continue", "1.1")
        assert here.played() == []
        decided.allowed = False
        await here.enters()
        assert here.played() == ["en/code"]


async def test_only_so_many_hear_at_once() -> None:
    async with site(calls_max=1) as here:
        await here.enters("1.1")
        await here.enters("1.2")
        assert here.loans.kinds() == [(Kind.HEARING_REFUSED, "BUSY")]
        assert ("continue", "1.2") in here.ari.asked


async def test_who_is_turned_away_goes_on_also_without_a_row() -> None:
    async with site() as here:
        here.node.stopping = True
        here.loans.refuses = {Kind.HEARING_REFUSED}
        await here.enters()
        assert here.ari.asked[-1] == ("continue", "1.1")


async def test_a_channel_that_enters_twice_is_one_call() -> None:
    async with site() as here:
        await here.enters()
        await here.enters()
        assert here.played() == ["en/code"]


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        (lambda here: here.calls.lost(), "LOST"),
        (lambda here: here.calls.stop(), "SERVICE_STOPPING"),
        (lambda here: here.loans.gone(), "TAKEN_BACK"),
        (
            lambda here: here.calls.hear(
                ari.ChannelDestroyed("compliance", NOW, a_channel("1.1"), 16), 0
            ),
            "LEFT",
        ),
        (
            lambda here: here.calls.hear(ari.StasisEnd("compliance", NOW, a_channel("1.1")), 0),
            "LEFT",
        ),
    ],
)
async def test_what_ends_it(ends: Callable[[Site], object], reason: str) -> None:
    async with site() as here:
        await here.enters()
        await here.presses("4711#")
        await here.plays(from_ms=0, to_ms=100)
        ends(here)
        await here.settles()
        assert here.loans.kinds()[-1] == (Kind.HEARING_ENDED, reason)
        assert here.loans.back == [GiveBack(begun=True)]
        assert len(here.calls) == 0


async def test_who_hangs_up_in_the_middle_has_left() -> None:
    async with site() as here:
        await here.enters()
        await here.presses("4711#")
        await here.plays(from_ms=0, to_ms=100)
        request = ari.ChannelHangupRequest("compliance", NOW, a_channel("1.1"))
        assert not here.calls.hear(request, 0), "others hear of it too"
        await here.plays(from_ms=100, to_ms=900, done=False)
        assert here.loans.kinds()[-1] == (Kind.HEARING_ENDED, "LEFT")


@pytest.mark.parametrize(
    "error", [RequestRefused("play", 404), AsteriskUnavailable("not connected")]
)
async def test_a_command_that_fails_ends_it(error: Exception) -> None:
    async with site() as here:
        here.ari.refuses = dict.fromkeys(("answer", "play", "stop", "set", "continue"), error)
        await here.enters()
        assert len(here.calls) == 0
        assert here.loans.back == []


async def test_silence_is_waited_for_and_no_longer() -> None:
    async with site(wait_s=0.05) as here:
        await here.enters()
        await asyncio.wait(here.tasks)
        assert here.loans.kinds() == [(Kind.HEARING_REFUSED, "NO_CODE")]


async def test_a_defect_leaves_no_copy_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as here:
        await here.enters()
        await here.presses("4711#")
        here.tasks[0].cancel()
        await here.settles()
        assert here.loans.back == [GiveBack(begun=True)]


async def test_more_keys_than_anybody_presses_are_dropped() -> None:
    async with site() as here:
        await here.enters()
        for _ in range(1_000):
            event = ari.ChannelDtmfReceived("compliance", NOW, a_channel("1.1"), "1", 100)
            here.calls.hear(event, 0)
        await here.settles()
        assert len(here.calls) == 1


async def test_what_is_about_other_channels_is_left_to_others() -> None:
    async with site() as here:
        await here.enters()
        other = a_channel("9.9")
        for event in (
            ari.StasisStart("compliance", NOW, other, ("policy=inbound",)),
            ari.StasisStart("compliance", NOW, other, ("hearing", "more")),
            ari.StasisEnd("compliance", NOW, other),
            ari.ChannelDtmfReceived("compliance", NOW, other, "1", 100),
        ):
            assert not here.calls.hear(event, 0)


async def test_behind_a_lost_connection_who_comes_first_is_not_sent_away() -> None:
    """Whoever waits in the routine and is not led by us is stranded, and goes on."""
    async with site() as here:
        await here.enters("1.1")
        stranded = msgspec.structs.replace(a_channel("1.9"), dialplan=STRANDED)
        here.ari.waiting = {
            "1.1": msgspec.structs.replace(a_channel("1.1"), dialplan=STRANDED),
            "1.9": stranded,
        }
        await AriEventRouter(cast("Node", here.node), here.calls)._continue_strangers()
        assert ("continue", "1.9") in here.ari.asked
        assert ("continue", "1.1") not in here.ari.asked
        await here.presses("4711#")
        assert here.played()[-1] == "en/begin"


async def test_without_ari_nobody_is_led() -> None:
    async with site() as here:
        here.node.ari = None
        await here.enters()
        assert here.tasks == []


def test_the_language_is_the_channels_or_the_first() -> None:
    spoken = {language: said(language) for language in ("ja", "en")}
    assert in_language(spoken, "en_GB") is spoken["en"]
    assert in_language(spoken, "de") is spoken["ja"]
