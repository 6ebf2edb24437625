"""Real calls through a real Asterisk and the service: who heard what, what is in the file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from lab import service
from lab.leg import Leg
from lab.sip import Phone
from lab.site import Site
from lab.tones import AGENT, CALLER

pytestmark = pytest.mark.asterisk

service.forks = True


@dataclass(slots=True)
class Scene:
    """A site, a caller and an agent who answers after 50 ms."""

    site: Site
    caller: Phone
    agent: Phone

    @property
    def port(self) -> int:
        return self.site.asterisk.sip_port

    async def connect(self, exten: str) -> tuple[Leg, Leg]:
        """Dial, and wait until the agent has answered: the caller's and the agent's leg."""
        leg = await self.caller.dial(exten, self.port)
        agent = await self.agent.next_call()
        await agent.answered()
        return leg, agent

    async def hang_up(self, leg: Leg) -> list[dict[str, Any]]:
        """The caller hangs up; returns all rows once the call is dealt with."""
        await leg.hang_up()
        return await self.site.until_ended()

    def decisions(self) -> list[tuple[str, str]]:
        """Status and reason of every decision row."""
        return [
            (row["detail"]["status"], row["detail"]["reason"])
            for row in self.site.rows()
            if row["kind"] == "decision"
        ]

    def kinds(self) -> list[str]:
        """Kinds of the rows of calls, in order."""
        return [row["kind"] for row in self.site.rows() if row["call"]]

    def details(self, kind: str) -> list[dict[str, Any]]:
        return [row["detail"] for row in self.site.rows() if row["kind"] == kind]

    def cdr_fields(self) -> list[str]:
        """``CDR(userfield)`` of every call."""
        return [line[-1] for line in self.site.cdrs()]


SetTheScene = Callable[..., Awaitable[Scene]]


@pytest.fixture
async def set_the_scene() -> AsyncIterator[SetTheScene]:
    """Open a site with two phones; arguments as of :meth:`Site.open`."""
    async with AsyncExitStack() as stack:

        async def set_up(**options: Any) -> Scene:
            agent = await stack.enter_async_context(await Phone.open("agent", AGENT))
            caller = await stack.enter_async_context(await Phone.open("caller", CALLER))
            agent.answer_after = 0.05
            site = await Site.open({"agent": agent.port}, **options)
            await stack.enter_async_context(site)
            return Scene(site, caller, agent)

        yield set_up


@pytest.fixture
async def scene(set_the_scene: SetTheScene) -> Scene:
    return await set_the_scene()
