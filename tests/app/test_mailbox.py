"""The events of a call in their order, within bounds, and nothing lost that must not be."""

from __future__ import annotations

import asyncio

from asterisk_compliance.app.mailbox import Mailbox
from asterisk_compliance.domain.events import (
    ChannelGone,
    DeadlinePassed,
    HangupRequested,
    LeftStasis,
    Reentered,
)
from asterisk_compliance.domain.names import Deadline

WITHIN_S = 5.0


async def everything(mailbox: Mailbox, count: int) -> list[object]:
    async with asyncio.timeout(WITHIN_S):
        return [await mailbox.next() for _ in range(count)]


async def test_what_came_out_is_first_and_the_others_are_in_their_order() -> None:
    mailbox = Mailbox(2)
    mailbox.put(LeftStasis())
    mailbox.put(HangupRequested())
    mailbox.put_first(Reentered())
    assert len(mailbox) == 2
    assert await everything(mailbox, 3) == [Reentered(), LeftStasis(), HangupRequested()]
    assert not mailbox.overflowed


async def test_a_full_box_says_so_and_keeps_the_end_of_the_channel() -> None:
    mailbox = Mailbox(1)
    mailbox.put(LeftStasis())
    mailbox.put(HangupRequested())
    assert (mailbox.overflowed, mailbox.gone) == (True, None)
    mailbox.put(ChannelGone(7))
    assert mailbox.gone == ChannelGone(7)
    mailbox.put_always(Reentered())
    assert await everything(mailbox, 2) == [LeftStasis(), Reentered()]


async def test_who_sleeps_is_woken_by_whatever_comes() -> None:
    for put in (Mailbox.put, Mailbox.put_always, Mailbox.put_first):
        mailbox = Mailbox(1)
        sleeper = asyncio.create_task(mailbox.next())
        await asyncio.sleep(0)
        put(mailbox, LeftStasis())
        assert await asyncio.wait_for(sleeper, WITHIN_S) == LeftStasis()


async def test_a_deadline_that_was_cleared_is_dropped_and_nothing_else() -> None:
    mailbox = Mailbox(4)
    for event in (
        DeadlinePassed(Deadline.WHISPER, 1),
        LeftStasis(),
        DeadlinePassed(Deadline.SEGMENT, 2),
        DeadlinePassed(Deadline.WHISPER, 3),
    ):
        mailbox.put(event)
    mailbox.drop(Deadline.WHISPER)
    assert await everything(mailbox, 2) == [LeftStasis(), DeadlinePassed(Deadline.SEGMENT, 2)]
    assert mailbox.outcome() is None
