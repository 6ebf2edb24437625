"""The events of a call in their order, within bounds, and nothing lost that must not be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.app.calls.mailbox import Mailbox
from asterisk_compliance.domain.call.commands import Deadline
from asterisk_compliance.domain.call.events import (
    CallEvent,
    ChannelGone,
    DeadlinePassed,
    HangupRequested,
    LeftStasis,
    Reentered,
)
from asterisk_compliance.domain.call.state import CallPhase

WITHIN_S = 5.0

Put: TypeAlias = Callable[[Mailbox, CallEvent], None]


class Reader:
    """Deals with what is told while it sleeps; ``leaves``: of these something is left."""

    def __init__(self, *leaves: CallEvent) -> None:
        self.dealt: list[CallEvent] = []
        self.mailbox = Mailbox(2, self._deal)
        self._leaves = leaves

    def _deal(self, event: CallEvent) -> bool:
        self.dealt.append(event)
        return event not in self._leaves

    async def asleep(self) -> asyncio.Task[None]:
        sleeping = asyncio.create_task(self.mailbox.filled())
        await asyncio.sleep(0)
        return sleeping


def everything(mailbox: Mailbox) -> list[CallEvent]:
    return list(iter(mailbox.take, None))


async def test_what_came_out_is_first_and_the_others_are_in_their_order() -> None:
    mailbox = Reader().mailbox
    mailbox.put(LeftStasis())
    mailbox.put(HangupRequested())
    mailbox.put_first(Reentered())
    assert len(mailbox) == 2
    await asyncio.wait_for(mailbox.filled(), WITHIN_S)
    assert everything(mailbox) == [Reentered(), LeftStasis(), HangupRequested()]
    assert not mailbox.overflowed


async def test_a_full_box_says_so_and_keeps_the_end_of_the_channel() -> None:
    mailbox = Reader().mailbox
    mailbox.put(LeftStasis())
    mailbox.put(LeftStasis())
    mailbox.put(HangupRequested())
    assert (mailbox.overflowed, mailbox.gone) == (True, None)
    mailbox.put(ChannelGone(7))
    assert mailbox.gone == ChannelGone(7)
    mailbox.put_always(Reentered())
    assert everything(mailbox) == [LeftStasis(), LeftStasis(), Reentered()]


PUTS = (Mailbox.put, Mailbox.put_always, Mailbox.put_first)


@pytest.mark.parametrize("put", PUTS)
async def test_while_its_reader_sleeps_an_event_is_dealt_with_where_it_is_put(put: Put) -> None:
    reader = Reader()
    sleeping = await reader.asleep()
    for _ in range(3):  # more than would find a place
        put(reader.mailbox, LeftStasis())
    assert reader.dealt == [LeftStasis()] * 3
    await asyncio.sleep(0)
    assert not sleeping.done()
    assert everything(reader.mailbox) == []
    assert not reader.mailbox.overflowed
    sleeping.cancel()


@pytest.mark.parametrize("put", PUTS)
async def test_who_sleeps_is_woken_by_what_is_left_and_the_rest_waits_for_him(put: Put) -> None:
    reader = Reader(LeftStasis())
    sleeping = await reader.asleep()
    put(reader.mailbox, LeftStasis())
    put(reader.mailbox, Reentered())
    assert reader.dealt == [LeftStasis()], "what came after it must not overtake it"
    await asyncio.wait_for(sleeping, WITHIN_S)
    assert everything(reader.mailbox) == [Reentered()]


@pytest.mark.parametrize("put", PUTS)
async def test_what_is_put_while_one_is_dealt_with_comes_after_it(put: Put) -> None:
    dealt: list[CallEvent] = []

    def deal(event: CallEvent) -> bool:
        put(mailbox, HangupRequested())
        dealt.append(event)
        return True

    mailbox = Mailbox(2, deal)
    sleeping = asyncio.create_task(mailbox.filled())
    await asyncio.sleep(0)
    mailbox.put(LeftStasis())
    assert dealt == [LeftStasis()]
    await asyncio.wait_for(sleeping, WITHIN_S)
    assert everything(mailbox) == [HangupRequested()]


async def test_nothing_is_dealt_with_for_a_reader_who_was_ended() -> None:
    reader = Reader()
    sleeping = await reader.asleep()
    sleeping.cancel()
    reader.mailbox.put(LeftStasis())
    assert reader.dealt == []
    assert everything(reader.mailbox) == [LeftStasis()]


async def test_a_deadline_that_was_cleared_is_dropped_and_nothing_else() -> None:
    mailbox = Mailbox(4, lambda _: True)
    for event in (
        DeadlinePassed(Deadline.WHISPER, 1),
        LeftStasis(),
        DeadlinePassed(Deadline.SEGMENT, 2),
        DeadlinePassed(Deadline.WHISPER, 3),
    ):
        mailbox.put(event)
    mailbox.drop(Deadline.WHISPER)
    assert mailbox.outcome() is None
    assert everything(mailbox) == [LeftStasis(), DeadlinePassed(Deadline.SEGMENT, 2)]


class Told(CallTask):
    """A call whose events are numbers; each waits for so many turns of the loop, modulo 3."""

    dealt: list[Any]
    waits = False

    def _step(self, event: Any) -> Any:
        assert not self.waits, "two at once"
        self.dealt.append(event)
        return self._waiting(event % 3) if event % 3 else None

    async def _waiting(self, turns: int) -> None:
        self.waits = True
        for _ in range(turns):
            await asyncio.sleep(0)
        self.waits = False


@given(st.lists(st.tuples(st.sampled_from([CallTask.feed, PUTS[1], None]), st.integers(0, 2))))
def test_each_event_is_dealt_with_once_in_its_turn_and_never_two_at_once(told: Any) -> None:
    async def run() -> None:
        line, around = SimpleNamespace(close=lambda: None), SimpleNamespace(node="pbx1")
        live: Any = SimpleNamespace(id="c", phase=CallPhase.NOTICE)
        rows: Any = SimpleNamespace()
        task = Told(live, line, rows, around, rows, events=1_000)
        task.dealt = []
        running = asyncio.create_task(task.run(()))
        events = []
        for number, (put, waits) in enumerate(told):
            if put is None:
                await asyncio.sleep(0)
                continue
            events.append(number * 3 + waits)
            put(task if put is CallTask.feed else task._mailbox, events[-1])
        for _ in range(5 * len(told) + 5):
            await asyncio.sleep(0)
        assert task.dealt == events
        assert not task.waits
        running.cancel()
        await asyncio.wait({running})

    asyncio.run(run())
