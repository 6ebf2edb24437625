"""Asterisk is only half there when the service starts: calls go on, and no restart is needed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from e2e.office import Office
from e2e.steering import steered
from lab.asterisk import Asterisk
from lab.proxy import Cable

pytestmark = pytest.mark.asterisk


@asynccontextmanager
async def started_without(wire: str, other: str) -> AsyncIterator[tuple[Office, Cable]]:
    """The service was started while one of its two wires led nowhere."""
    async with AsyncExitStack() as stack:
        cables: dict[str, Cable] = {}

        async def through(asterisk: Asterisk) -> Mapping[str, int]:
            cable = await stack.enter_async_context(Cable(getattr(asterisk.ports, wire)))
            cable.cut()
            cables[wire] = cable
            return {wire: cable.port}

        office = await stack.enter_async_context(steered(through=through, serve=False))
        await office.site.service.start(ready=False)
        await office.site.service.until(lambda status: bool(status["nodes"][0][other]), 15)
        yield office, cables[wire]


async def test_a_service_that_starts_without_ami_tells_and_records():
    async with started_without("ami", "ari") as (office, cable):
        await office.site.service.until(lambda status: status["reasons"] == ["AMI_DOWN lab"], 10)
        caller = await office.dial("customer", "400")
        agent = await office.called("agent")
        await office.seen("recording_growing")
        await agent.until_heard(0.3)
        await caller.hang_up()
        await office.site.until_ended()
        assert office.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
        closed = office.details("recording_closed")[0]
        assert (closed["rx"], closed["tx"], closed["length"]) == ("heard", "not_kept", "unknown")
        cable.plug()
        await office.site.service.until(lambda status: status["reasons"] == [], 10)


async def test_a_service_that_starts_without_ari_holds_nobody():
    async with started_without("ari", "ami") as (office, cable):
        await office.site.service.until(lambda status: status["reasons"] == ["ARI_DOWN lab"], 10)
        came = time.monotonic()
        caller = await office.dial("customer", "400")
        await office.called("agent")
        assert time.monotonic() - came < 1.0
        channel = await office.channel_of("customer")
        assert await office.variable(channel, "COMPLIANCE_REASON") == "SERVICE_UNAVAILABLE"
        await caller.hang_up()
        assert office.site.spooled() == []
        cable.plug()
        await office.site.service.until(lambda status: status["reasons"] == [], 10)
        caller = await office.dial("customer", "400")
        await office.called("agent")
        await caller.hang_up()
        await office.site.until_ended()
        assert office.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
