"""What a call costs Asterisk beside its own dialplan, counted: no machine is too busy for that."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import pytest

from lab.asterisk import Asterisk

pytestmark = pytest.mark.asterisk

LINES, VARIABLES = 20, 31
"""Of a whole call without rules: executed lines, and variables set by them or by Asterisk. Each is
told to every AMI session, which wakes it up whether or not it reads that."""


async def events_until_hangup(asterisk: Asterisk, reader: asyncio.StreamReader) -> Counter[str]:
    """How many events of each name come, up to the first ``Hangup``."""
    found: Counter[str] = Counter()
    async with asyncio.timeout(20):
        while not found["Hangup"]:
            block = (await reader.readuntil(b"\r\n\r\n")).decode()
            if name := re.match(r"Event: (\w+)\r\n", block):
                found[name[1]] += 1
    return found


async def test_a_call_executes_few_lines_and_sets_few_variables(set_the_scene):
    scene = await set_the_scene(
        extensions="""
[from-lab]
exten => 100,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Wait(0.5)
 same => n,Hangup()
"""
    )
    asterisk = scene.site.asterisk
    reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
    writer.write(
        b"Action: Login\r\nUsername: lab\r\nEvents: call,dialplan\r\n"
        b"Secret: %s\r\n\r\n" % asterisk.ami_password.encode()
    )
    try:
        leg = await scene.caller.dial("100", scene.port)
        found = await events_until_hangup(asterisk, reader)
        await leg.ended()
    finally:
        writer.close()
        await writer.wait_closed()
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    assert found["MixMonitorStart"] == 1
    assert 0 < found["Newexten"] <= LINES
    assert 0 < found["VarSet"] <= VARIABLES
