"""Runs blocking work in batches: waking a thread costs more than the work on two files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

GATHER_S = 0.05
"""So long work gathers that nobody is kept waiting by."""

_Work = tuple[Callable[[], Any], asyncio.Future[Any]]


class OneThread:
    """Does what has gathered, one after the other, in one of the loop's threads."""

    def __init__(self) -> None:
        self._gathered: list[_Work] = []

    async def do(self, work: Callable[[], T]) -> T:
        """The result of ``work``, or what it raises.

        It is done even if nobody waits any more, unless the loop ends before it has begun.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        if not self._gathered:
            loop.call_later(GATHER_S, self._begin)
        self._gathered.append((work, done))
        return await done

    def _begin(self) -> None:
        work, self._gathered = self._gathered, []
        try:
            running = asyncio.get_running_loop().run_in_executor(None, _all, work)
        except RuntimeError as error:  # no thread is given any more
            for _, done in work:
                if not done.done():
                    done.set_exception(error)
        else:
            running.add_done_callback(lambda ended: _tell(work, ended))


def _all(work: Sequence[_Work]) -> list[Any]:
    return [_outcome(one) for one, _ in work]


def _outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - it is raised where somebody waits
        return error


def _tell(work: Sequence[_Work], ended: asyncio.Future[list[Any]]) -> None:
    if ended.cancelled():
        for _, done in work:
            done.cancel()
        return
    for (_, done), outcome in zip(work, ended.result(), strict=True):
        if done.done():  # nobody waits any more
            continue
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
