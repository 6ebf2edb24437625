"""The programs of ``examples/developers``, beside a real Asterisk."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from asterisk_compliance import AuditLog
from lab.hearing import Capture, NoticeHeard, nothing_before_notice, notice_completed
from lab.notice_search import NoticeSearch
from lab.site import EXTENSIONS
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

EXAMPLES = Path(__file__).parents[2] / "examples/developers"
OWN = """
exten => 200,1,Stasis(own,inbound)
 same => n,ExecIf($["${RECORD}" = "yes"]?MixMonitor(${ASTSPOOLDIR}/own.wav,b))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
"""


class Program:
    """One of the examples, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(10.0):
            return (await self._process.stdout.readline()).decode().strip()

    async def stop(self) -> int:
        self._process.terminate()
        async with asyncio.timeout(10.0):
            return await self._process.wait()

    @classmethod
    @asynccontextmanager
    async def running(cls, name: str, password: str, *arguments: str) -> AsyncIterator[Program]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EXAMPLES / name), *arguments),
            env=os.environ | {"ARI_PASSWORD": password},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


class Listener:
    """What an application hears, and what AMI tells who may hear everything."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.ami = b""

    @asynccontextmanager
    async def listening(self, asterisk: Any, application: str) -> AsyncIterator[Listener]:
        login = aiohttp.encode_basic_auth(asterisk.ari_user, asterisk.ari_password)
        url, named = f"{asterisk.ari_url}/events", {"app": application}
        reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
        enter = f"Action: Login\r\nUsername: lab\r\nSecret: {asterisk.ami_password}\r\n\r\n"
        writer.write(enter.encode())
        async with (
            aiohttp.ClientSession(headers={"Authorization": login}) as session,
            session.ws_connect(url, params=named) as events,
        ):
            tasks = [asyncio.create_task(one) for one in (self._ari(events), self._ami(reader))]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                writer.close()

    async def _ari(self, events: aiohttp.ClientWebSocketResponse) -> None:
        async for message in events:
            self.events.append(json.loads(message.data))

    async def _ami(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            self.ami += data

    def facts(self) -> list[dict[str, Any]]:
        return [event["userevent"] for event in self.events if event["type"] == "ChannelUserevent"]


async def test_others_hear_what_becomes_of_a_call_and_tell_callers_themselves(
    set_the_scene, tmp_path
):
    scene = await set_the_scene(serve=False, extensions=EXTENSIONS + OWN)
    config = scene.site.directory / "compliance.toml"
    tells = '[asterisk.ari]\ntell = ["nobody", "raw", "crm"]'
    config.write_text(config.read_text().replace("[asterisk.ari]", tells))
    await scene.site.service.start()
    await _facts_are_told(scene)
    store = f'store = "{scene.site.store}"'
    own = tmp_path / "compliance.toml"
    own.write_text(config.read_text().replace(store, f'store = "{tmp_path}/store"'))
    await _callers_are_told(scene, own, tmp_path / "store")


async def _facts_are_told(scene):
    asterisk, listener = scene.site.asterisk, Listener()
    arguments = (asterisk.ari_url, asterisk.ari_user, "crm")
    async with (
        listener.listening(asterisk, "raw"),
        Program.running("live_facts.py", asterisk.ari_password, *arguments) as crm,
    ):
        assert await crm.line() == "ready"
        leg, _ = await scene.connect("102")
        await scene.site.rows_until(lambda rows: "recording_growing" in scene.kinds())
        rows = await scene.hang_up(leg)
        wanted = [row for row in rows if row["call"] and row["seq"] <= _last(rows, "call_ended")]
        async with asyncio.timeout(10.0):
            while len(listener.facts()) < len(wanted):  # noqa: ASYNC110 - of Asterisk
                await asyncio.sleep(0.01)
        facts = listener.facts()
        for fact in facts:
            assert (await crm.line()).startswith(f"{fact['seq']} {fact['channel']} {fact['kind']}")
    assert [_of(fact) for fact in facts] == [_of(row) for row in wanted]
    (decided,) = (fact["detail"] for fact in facts if fact["kind"] == "decision")
    assert decided["purposes"] == ["SERVICE", "QUALITY"]
    assert {fact["channel"] for fact in facts} == {facts[0]["detail"]["channel"]}
    # Nothing of the caller: no channel with number and name, no commitment, no event of AMI.
    assert not any("channel" in event for event in listener.events)
    assert not [name for fact in facts for name in fact["detail"] if name.startswith("commit.")]
    assert b"Event: Hangup" in listener.ami
    assert b"UserEvent" not in listener.ami


async def _callers_are_told(scene, config, store):
    asterisk, began = scene.site.asterisk, time.monotonic()
    arguments = (str(config), asterisk.ari_url, asterisk.ari_user, "own")
    async with Program.running("notice_app.py", asterisk.ari_password, *arguments) as app:
        assert await app.line() == "ready"
        leg, agent = await scene.connect("200")
        call, *decided = (await app.line()).split()
        assert decided == ["ALLOWED", "NOTICE_COMPLETED"]
        await agent.until_heard(1.0)
        await leg.hang_up()
        await agent.ended()
        left = await scene.caller.dial("200", scene.port)
        await left.answered()
        await left.hang_up()
        assert (await app.line()).split()[1:] == ["NOT_RECORDED", "HANGUP_IN_NOTICE"]
        assert await app.stop() == 0

    search = NoticeSearch(read_wav(asterisk.sounds_here / "en/notice-test.wav")[0])
    notice = NoticeHeard.of(search, leg.heard_pcm())
    parties = {"caller": scene.caller.schedule, "agent": scene.agent.schedule}
    file = asterisk.spool_here / "own.wav"
    capture = Capture.read(file, parties, search, began, time.monotonic())
    claims = (notice_completed(notice), nothing_before_notice(capture, notice))
    assert [claim for claim in claims if not claim.ok] == []
    assert min(capture.heard_s("caller", 0), capture.heard_s("agent", 0)) > 0.7

    with AuditLog.open(store) as log:
        told = [(row.kind, row.detail) for row in log.rows(call=call)]
        assert log.verify().intact
    kinds = ["call_arrived", "notice_started", "notice_completed", "decision", "call_ended"]
    assert [kind for kind, _ in told] == kinds
    assert told[0][1]["entry"] == "application"
    assert told[-1][1]["bridged_ms"] is None, "nobody told of the dialplan's bridge"
    async with Program.running("read_log.py", "", str(store)) as reading:
        assert {await reading.line(), await reading.line()} == {
            "1 ALLOWED NOTICE_COMPLETED",
            "1 NOT_RECORDED HANGUP_IN_NOTICE",
        }
        assert (await reading.line()).endswith("rows, signed")


def _of(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("seq", "at", "kind", "node", "call"))


def _last(rows: list[dict[str, Any]], kind: str) -> int:
    return max(row["seq"] for row in rows if row["kind"] == kind)
