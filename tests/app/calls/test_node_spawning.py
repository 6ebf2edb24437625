"""Work beside the calls that is ended before it began."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from asterisk_compliance.app.calls.node import Node


async def test_work_that_is_ended_before_it_began_is_put_away() -> None:
    """Else Python says at some later time that nobody awaited it."""

    async def nothing() -> None: ...

    async def beside(given: Coroutine[Any, Any, None]) -> None:
        await given

    work = nothing()
    async with asyncio.TaskGroup() as tasks:
        node: Any = SimpleNamespace(_tasks=tasks, _beside_the_calls=beside)
        Node.spawn(node, work)
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
