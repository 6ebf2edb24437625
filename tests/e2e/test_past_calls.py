"""How often a number called before, on its channel: a real Asterisk, real calls."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from asterisk_compliance.cli.main import app
from e2e.conftest import Scene, SetTheScene
from lab.sip import address
from lab.site import TEST_POLICIES

pytestmark = pytest.mark.asterisk

NUMBER, ABROAD, OTHER = "0312345678", "+81312345678", "0398765432"
SAID = "p${COMPLIANCE_PAST_CALLS} l${COMPLIANCE_LAST_CALL}"
EXTENSIONS = f"""
[from-lab]
exten => 100,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Set(CDR(userfield)={SAID})
 same => n,Dial(PJSIP/agent,20)
exten => 101,1,Gosub(compliance-notice-agi,s,1(inbound))
 same => n,Set(CDR(userfield)={SAID})
 same => n,Hangup()
exten => 104,1,Set(CALLERID(num)=)
 same => n,Dial(PJSIP/agent,20,U(compliance-callee^inbound^outbound^{ABROAD}))
exten => 103,1,Set(COMPLIANCE_PAST_CALLS=9)
 same => n,Set(COMPLIANCE_LAST_CALL=1)
 same => n,Gosub(compliance-notice,s,1(training))
 same => n,Set(CDR(userfield)={SAID})
 same => n,Hangup()
"""
POLICIES = (
    TEST_POLICIES
    + """
[rules]
home = "JP"

[[notice]]
id = "training"
version = "1"
purposes = ["TRAINING"]
[notice.wording.en]
prompt = "notice-test"
text = "We record this call to train our staff."

[[policy]]
name = "training"
notice = "training"
languages = ["en"]
"""
)
SHOWN = "\n[past_calls]\nshown = true\n"


async def call(scene: Scene, number: str, exten: str = "100") -> str:
    """Call, hang up when somebody answers: what was on the channel behind the routine."""
    before = {row["call"] for row in scene.site.rows() if row["kind"] == "call_ended"}
    leg = await scene.caller.dial(exten, scene.port, from_value=address(number))
    if exten in {"100", "104"}:
        agent = await scene.agent.next_call()
        await agent.answered()
        if exten == "104":  # it is the agent who is told, and looked for, while he is
            await scene.site.rows_until(lambda rows: shown(rows) - before != set())
        await leg.hang_up()
    else:
        await leg.ended()
    rows = await scene.site.until_ended(len(before) + 1)
    (channel,) = [
        row["detail"]["channel"]
        for row in rows
        if row["kind"] == "call_arrived" and row["call"] not in before
    ]
    return "" if exten == "104" else await said_in_cdr(scene, channel)


def shown(rows: list[dict[str, Any]]) -> set[str]:
    """The calls of which past ones were shown."""
    return {row["call"] for row in rows if row["kind"] == "past_calls_shown"}


async def said_in_cdr(scene: Scene, channel: str) -> str:
    async with asyncio.timeout(5):
        while True:
            for *_, uniqueid, said in scene.site.cdrs():
                if uniqueid == channel:
                    return said
            await asyncio.sleep(0.02)


def command(scene: Scene, *words: str, typed: str = "") -> Any:
    config = str(scene.site.directory / "compliance.toml")
    done = CliRunner().invoke(app, [*words, "--config", config, "--json"], input=typed)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def test_the_second_call_of_a_number_shows_one_and_an_erased_persons_none(
    set_the_scene: SetTheScene,
) -> None:
    scene = await set_the_scene(extensions=EXTENSIONS, policies=POLICIES + SHOWN)
    began = int(time.time())
    assert await call(scene, NUMBER) == "p0 l"
    assert await call(scene, OTHER) == "p0 l"
    said = re.fullmatch(r"p1 l(\d+)", await call(scene, ABROAD))
    assert said is not None
    assert began <= int(said[1]) <= time.time()
    assert await call(scene, "anonymous") == "p l"
    assert await call(scene, NUMBER, "103") == "p l", "its caller is not told SERVICE"
    assert (await call(scene, NUMBER, "101")).startswith("p2 l"), "over FastAGI"
    await call(scene, OTHER, "104")
    await scene.site.rows_until(
        lambda rows: [r["kind"] for r in rows].count("past_calls_shown") == 5
    )
    assert [one["calls"] for one in scene.details("past_calls_shown")] == [0, 0, 1, 2, 3], "called"
    rows = [row for row in scene.site.rows() if row["call"]]
    kinds = [row["kind"] for row in rows if row["call"] == rows[0]["call"]]
    assert kinds.index("past_calls_shown") < kinds.index("decision")

    past = command(scene, "calls", "past", "--number", "-", typed=f"{ABROAD}\n")
    assert len(past["calls"]) == 4
    wish = ("--ground", "OWN_TEST", "--authority", "TEST-1", "--yes")
    command(scene, "persons", "erase", "--number", NUMBER, *wish)
    assert await call(scene, NUMBER) == "p0 l"
    written = scene.site.service.words + json.dumps(scene.site.rows())
    assert not any(digits in written for digits in (NUMBER, ABROAD, NUMBER[1:], OTHER[1:]))


async def test_nothing_is_shown_unless_the_site_wants_it(set_the_scene: SetTheScene) -> None:
    scene = await set_the_scene(extensions=EXTENSIONS, policies=POLICIES)
    assert await call(scene, NUMBER) == "p l"
    assert await call(scene, NUMBER) == "p l"
    assert "past_calls_shown" not in scene.kinds()


async def a_reader_of(pipe: Path) -> int:
    """Wait until somebody reads it, and open its other end."""
    async with asyncio.timeout(5):
        while True:
            try:
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                await asyncio.sleep(0.02)


async def test_a_store_that_does_not_answer_holds_no_call(set_the_scene: SetTheScene) -> None:
    """The key of the numbers is a pipe: whoever looks for one waits until somebody writes."""
    scene = await set_the_scene(extensions=EXTENSIONS, policies=POLICIES + SHOWN)
    key = scene.site.store / "search.key"
    kept = key.rename(key.with_name("kept.key"))
    os.mkfifo(key, 0o600)
    os.chown(key, kept.stat().st_uid, kept.stat().st_gid)
    leg = await scene.caller.dial("100", scene.port, from_value=address(NUMBER))
    agent = await scene.agent.next_call()
    await agent.answered()
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    assert "past_calls_shown" not in scene.kinds()

    pipe = await a_reader_of(key)
    content = kept.read_bytes()
    kept.rename(key)
    os.write(pipe, content)
    os.close(pipe)
    await scene.site.rows_until(lambda rows: "past_calls_shown" in [row["kind"] for row in rows])
    (channel,) = [one["channel"] for one in scene.details("call_arrived")]
    assert await variable(scene, channel) == "0", "late, over AMI"
    await scene.hang_up(leg)
    assert await said_in_cdr(scene, channel) == "p l", "it was not there when the routine returned"


async def variable(scene: Scene, channel: str) -> str:
    """What Asterisk has of a live channel, as soon as it is there."""
    asterisk = scene.site.asterisk
    login = aiohttp.encode_basic_auth(asterisk.ari_user, asterisk.ari_password)
    url = f"{asterisk.ari_url}/channels/{channel}/variable"
    async with aiohttp.ClientSession(headers={"Authorization": login}) as session:
        async with asyncio.timeout(5):
            while True:
                async with session.get(url, params={"variable": "COMPLIANCE_PAST_CALLS"}) as answer:
                    if answer.status == 200 and (found := (await answer.json())["value"]):
                        return str(found)
                await asyncio.sleep(0.02)
