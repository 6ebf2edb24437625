"""What the command line asks of a live call: done or not, and by whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.live_call import CALL, WITHIN_S, Live, Site
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.calls.recording_control import NoSuchCall, NotAskable, ask_call
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.events import ChannelGone, PauseAsked

NOBODY = cast("Node", SimpleNamespace(live_call=lambda _: None))


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    """A call that is recorded, with an agent."""
    live = Live(Site())
    await live.recorded()
    yield live
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def asked(live: Live, what: str, **arguments: str) -> dict[str, Any]:
    calls = {CALL: live.task}
    node = cast("Node", SimpleNamespace(live_call=calls.get))
    async with asyncio.timeout(WITHIN_S):
        answer = await ask_call([NOBODY, node], "hanako", {"what": what, "call": CALL, **arguments})
    return dict(answer)


def answer(what: str, status: str, *, done: bool) -> dict[str, Any]:
    return {"call": CALL, "asked": what, "status": status, "done": done}


async def test_a_pause_is_answered_when_asterisk_is_muted(live: Live) -> None:
    assert await asked(live, "pause") == answer("pause", "PAUSED", done=True)
    assert live.site.happened.index("mute all") < len(live.site.happened)
    (row,) = live.site.rows(Kind.CAPTURE_PAUSED)
    assert row.detail["reason"] == "CARD"
    assert [(fact.field, fact.value) for fact in row.facts] == [("user", "hanako")]
    assert row.actor == row.party


async def test_who_resumes_ends_his_own_pause_and_is_told_that_another_goes_on(live: Live) -> None:
    live.feed(PauseAsked("CARD", monotonic_ms()))
    assert (await asked(live, "pause", reason="PRIVATE"))["done"]
    assert await asked(live, "resume") == answer("resume", "PAUSED", done=True)
    assert (await asked(live, "resume", everybody="yes"))["status"] == "RECORDING"
    assert [row.detail["mute"] for row in live.site.rows(Kind.CAPTURE_RESUMED)] == ["all", "none"]


async def test_what_was_asked_and_is_not_so(live: Live) -> None:
    assert await asked(live, "stop") == answer("stop", "NOT_RECORDED", done=True)
    assert await asked(live, "pause") == answer("pause", "NOT_RECORDED", done=False)
    assert (await asked(live, "withdraw")) == answer("withdraw", "REFUSED", done=True)
    assert (await asked(live, "start")) == answer("start", "REFUSED", done=False)
    assert [row.detail["code"] for row in live.site.rows(Kind.ANOMALY)] == ["START_REFUSED"]


async def test_a_pause_that_asterisk_refused_is_none(live: Live) -> None:
    """Who asked must not believe that a card number can be given now."""
    live.site.mutes = False
    assert await asked(live, "pause") == answer("pause", "FAILED", done=False)
    (stopped,) = live.site.rows(Kind.CAPTURE_STOPPED)
    assert stopped.detail["reason"] == "MUTE_FAILED"


async def test_a_call_that_is_not_decided_says_nothing_of_its_status() -> None:
    live = Live(Site())
    await live.until("play")
    assert await asked(live, "pause") == answer("pause", "", done=False)
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_a_call_that_nobody_knows(live: Live) -> None:
    with pytest.raises(NoSuchCall) as caught:
        await ask_call([NOBODY], "hanako", {"what": "pause", "call": CALL})
    assert "calls list" in caught.value.hint
    assert "mute all" not in live.site.happened


@pytest.mark.parametrize(
    "arguments",
    [
        {"what": "pause", "reason": "BORED"},
        {"what": "pause", "reason": "JOINED"},
        {"what": "erase"},
        {"what": ""},
        {},
    ],
)
async def test_what_nobody_can_ask(live: Live, arguments: dict[str, str]) -> None:
    calls = {CALL: live.task}
    node = cast("Node", SimpleNamespace(live_call=calls.get))
    with pytest.raises(NotAskable) as caught:
        await ask_call([node], "hanako", {"call": CALL, **arguments})
    assert caught.value.exit_code == 2
    assert caught.value.hint == "reasons: CARD, PRIVATE"
