"""The service stood still with its connections open: nobody told it, and it comes back late."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lab.parties import EXTENSIONS, Stage, must_hold

pytestmark = pytest.mark.asterisk

ROOM = (
    EXTENSIONS
    + """
exten => 180,1,Gosub(compliance-notice,s,1(inbound))
 same => n,ConfBridge(room)
exten => 181,1,Answer()
 same => n,ConfBridge(room)
"""
)
CONFERENCE = """
[general]

[default_user]
type = user
quiet = yes

[default_bridge]
type = bridge
"""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage.set_up(extensions=ROOM, extra={"confbridge.conf": CONFERENCE}) as stage:
        yield stage


async def test_who_came_while_the_service_stood_still_is_not_kept(stage: Stage) -> None:
    caller = await stage.caller.dial("180", stage.port)
    await stage.row("recording_started")
    agent = await stage.phones["agent"].dial("181", stage.port)
    await agent.answered()
    await stage.row("party_joined")
    await agent.until_heard(0.6)
    stage.site.service.suspend()
    agent2 = await stage.phones["agent2"].dial("181", stage.port)
    await agent2.answered()
    await agent2.until_heard(1.5)
    stage.site.service.resume()
    joined = await stage.row("party_joined", 2)
    assert joined["detail"]["cover"] not in {"told", "staff"}, "nobody has told him"
    await stage.row("capture_resumed")
    await agent2.until_heard(1.5)
    kept = await stage.end(caller)
    must_hold(kept.nothing_of("agent2", stage.told(agent2)), kept.no_notice())
