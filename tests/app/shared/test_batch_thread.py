"""Blocking work that gathers: one thread for many, and each hears of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from asterisk_compliance.app.shared.batch_thread import OneThread


def work(number: int, where: list[int]) -> int:
    where.append(threading.get_ident())
    if number == 1:
        raise FileNotFoundError("one is not there")
    return number


async def test_what_gathers_is_done_in_order_in_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread, where = OneThread(), list[int]()
    begun: list[None] = []
    begin = OneThread._begin
    monkeypatch.setattr(OneThread, "_begin", lambda one: (begun.append(None), begin(one)))
    results = await asyncio.gather(
        *(thread.do(partial(work, number, where)) for number in range(3)), return_exceptions=True
    )
    assert (results[0], results[2]) == (0, 2)
    assert isinstance(results[1], FileNotFoundError)
    assert len(set(where)) == 1
    assert where[0] != threading.get_ident()
    assert len(begun) == 1
    assert await thread.do(lambda: "again") == "again"


async def test_what_nobody_waits_for_any_more_is_done_all_the_same() -> None:
    thread, done = OneThread(), threading.Event()
    work: Callable[[], None] = done.set
    left = asyncio.create_task(thread.do(work))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    assert await thread.do(done.is_set)
