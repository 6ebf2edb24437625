"""A synthetic call on demand: one answer a request, and nobody waits on the socket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asterisk_compliance.app.calls.recording_control import NotAskable
from asterisk_compliance.app.checks.live.canary_on_demand import AskedCanaries
from asterisk_compliance.app.shared.control_socket import SocketPeer

PEER = SocketPeer(0, 1, "root")


class Bird:
    """A canary that ends when it is told to."""

    def __init__(self) -> None:
        self.flights: list[str] = []
        self.ends: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.tasks: list[asyncio.Task[None]] = []
        self.node = SimpleNamespace(
            node="pbx1", policies=SimpleNamespace(by_name={"inbound": None}), spawn=self.spawn
        )
        self.asked = AskedCanaries(lambda: [cast("Any", self)])

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def once(self, policy: str) -> str:
        self.flights.append(policy)
        return await self.ends

    async def ask(self, who: str, policy: str = "inbound", node: str = "pbx1") -> str:
        answer = await self.asked.verb(PEER, {"id": who, "policy": policy, "node": node})
        await asyncio.sleep(0)
        return answer["outcome"]

    async def land(self, outcome: str | Exception) -> None:
        if isinstance(outcome, str):
            self.ends.set_result(outcome)
        else:
            self.ends.set_exception(outcome)
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.ends = asyncio.get_running_loop().create_future()


async def test_whoever_asks_is_told_when_it_is_over_and_again() -> None:
    bird = Bird()
    assert [await bird.ask("a"), await bird.ask("a")] == ["", ""]
    await bird.land("passed")
    assert [await bird.ask("a"), await bird.ask("a")] == ["passed", "passed"]
    assert bird.flights == ["inbound"]


async def test_somebody_else_has_one_of_his_own_behind_it() -> None:
    bird = Bird()
    await bird.ask("a")
    assert await bird.ask("b") == ""
    assert len(bird.flights) == 1
    await bird.land("NO_FILE")
    assert await bird.ask("b") == ""
    assert len(bird.flights) == 2
    await bird.land("passed")
    assert await bird.ask("b") == "passed"


async def test_a_defect_is_an_outcome_too() -> None:
    bird = Bird()
    await bird.ask("a")
    await bird.land(RuntimeError("a defect"))
    assert await bird.ask("a") == "INTERNAL_ERROR"


@pytest.mark.parametrize(("policy", "node"), [("nobody", "pbx1"), ("inbound", "pbx2"), ("", "")])
async def test_what_is_not_there_cannot_be_asked(policy: str, node: str) -> None:
    bird = Bird()
    with pytest.raises(NotAskable):
        await bird.ask("a", policy, node)
    assert bird.flights == []
