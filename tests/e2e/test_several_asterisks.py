"""Two Asterisks by one service: whatever one does, calls on the other are told and recorded."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.app.dialplan.rendering import render_for
from asterisk_compliance.config.settings import load
from asterisk_compliance.shipped.catalogue import dialplan
from lab.asterisk import Asterisk
from lab.hearing import Capture
from lab.leg import Leg
from lab.notice_search import NoticeSearch
from lab.parties import OTHERS, TOLD, Kept, must_hold
from lab.rootfs import obtain
from lab.service import SERVICE_UID
from lab.sip import Phone
from lab.site import EXTENSIONS, FEATURES, QUEUES, Site, install_test_prompts
from lab.tones import AGENT, CALLER
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

SECOND = """
[[asterisk]]
node = "other"
spool = "{one.spool}"
spool_here = "{one.spool_here}"
sounds = "{one.sounds}"
sounds_here = "{one.sounds_here}"
ari = {{ url = "{one.ari_url}", user = "compliance", secret_file = "{secrets}/ari2" }}
ami = {{ port = {one.ami_port}, user = "compliance", secret_file = "{secrets}/ami2" }}
agi = {{ port = {agi_port} }}
"""


@dataclass(slots=True)
class Place:
    """One Asterisk, and who calls and answers there."""

    node: str
    asterisk: Asterisk
    caller: Phone
    agent: Phone
    legs: list[Leg] = field(default_factory=list)

    async def connect(self) -> None:
        """A told caller and an agent who talk."""
        leg = await self.caller.dial("102", self.asterisk.sip_port)
        agent = await self.agent.next_call()
        await agent.answered()
        self.legs = [leg, agent]


@dataclass(slots=True)
class Two:
    site: Site
    one: Place
    other: Place

    def of(self, node: str, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.site.rows() if (row["node"], row["kind"]) == (node, kind)]

    async def row(self, node: str, kind: str, times: int = 1) -> None:
        await self.site.rows_until(lambda _: len(self.of(node, kind)) >= times)

    def recorded(self, node: str) -> Path:
        """The newest recording of an Asterisk that was closed whole."""
        closed = self.of(node, "recording_closed")[-1]["detail"]
        assert closed["whole"], closed
        return self.site.recordings / f"{closed['recording']}.wav"

    def write_secrets(self, *, ari: str = "", ami: str = "") -> None:
        """Of the first Asterisk."""
        secrets = self.site.directory / "state/secrets"
        (secrets / "ari").write_text(ari or self.one.asterisk.ari_password)
        (secrets / "ami").write_text(ami or self.one.asterisk.ami_password)


def second_asterisk(build: Any, agent: Phone) -> Asterisk:
    features = (dialplan() / "compliance-features.conf").read_text(encoding="utf-8")
    return Asterisk(
        build,
        extensions="",
        phones={"agent": agent.port},
        queues=QUEUES,
        spool_gid=build.gid,
        extra={"features.conf": FEATURES + features},
    )


def take_in(site: Site, other: Asterisk) -> None:
    """Add it to the configuration, and give it its dialplan and prompts."""
    secrets, gid = site.directory / "state/secrets", other.build.gid
    for name, secret in (("ari2", other.ari_password), ("ami2", other.ami_password)):
        (secrets / name).write_text(secret)
        (secrets / name).chmod(0o600)
        if os.getuid() == 0:
            os.chown(secrets / name, SERVICE_UID, gid)
    config = site.service.config
    second = SECOND.format(one=other, secrets=secrets, agi_port=other.ports.spare[0])
    config.write_text(config.read_text() + second)
    install_test_prompts(other.sounds_here)
    settings = load(config)
    ours = render_for(settings, settings.asterisk[1])
    (other.home / "etc/extensions.conf").write_text(f"{EXTENSIONS}\n{ours}")


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    build = await asyncio.to_thread(obtain)
    async with AsyncExitStack() as stack:
        phones = []
        for name, voice in (("caller", CALLER), ("agent", AGENT)) * 2:
            phone = await stack.enter_async_context(await Phone.open(name, voice))
            phone.answer_after = 0.05
            phones.append(phone)
        other = second_asterisk(build, phones[3])
        stack.callback(other.remove)
        stack.push_async_callback(other.kill)
        starting = asyncio.create_task(Site.open({"agent": phones[1].port}, serve=False))
        site = await stack.enter_async_context(await starting)
        take_in(site, other)
        await other.start()
        await site.service.start()
        yield Two(
            site, Place("lab", site.asterisk, *phones[:2]), Place("other", other, *phones[2:])
        )


async def test_whatever_happens_to_one_the_other_goes_on(two):
    """Equal channels at once; a hang and a kill -9 in a call of the other; absent, refused."""
    began = time.monotonic()
    await _both_at_once(two)

    await two.other.connect()
    await two.row("other", "recording_growing", 2)
    two.one.asterisk.suspend()
    caller, agent = two.other.legs
    hung = time.monotonic()
    await agent.until_heard(1.0)
    await two.one.asterisk.kill()
    await two.site.service.until(lambda status: _wrong(status) == _LAB_IS_DOWN, 5)
    await agent.until_heard(0.6)
    until = time.monotonic() - 0.2
    await caller.hang_up()
    await two.row("other", "spool_removed", 2)
    kept = await asyncio.to_thread(_read, two, began)
    must_hold(
        kept.all_of("caller", TOLD, hung, until, less_s=0.4),
        kept.all_of("agent", OTHERS, hung, until, less_s=0.4),
    )

    await _called_where_the_first_is_absent_and_then_refuses(two)


_LAB_IS_DOWN = {"ARI_DOWN lab", "AMI_DOWN lab"}


def _wrong(status: dict[str, Any]) -> set[str]:
    return set(status["reasons"]) - {"WATCHDOG_DOWN"}


def _read(two: Two, began: float) -> Kept:
    search = NoticeSearch(read_wav(two.other.asterisk.sounds_here / "en/notice-test.wav")[0])
    place = two.other
    schedules = {"caller": place.caller.schedule, "agent": place.agent.schedule}
    file = two.recorded("other")
    return Kept({1: Capture.read(file, schedules, search, began, time.monotonic())})


async def _both_at_once(two: Two) -> None:
    """Both have just begun to count: in one second they give the same ids."""
    await asyncio.sleep(1.05 - time.time() % 1.0)  # a timer may be a little early
    await asyncio.gather(two.one.connect(), two.other.connect())
    for place in (two.one, two.other):
        await two.row(place.node, "recording_growing")
    arrived = [two.of(place.node, "call_arrived")[0] for place in (two.one, two.other)]
    assert arrived[0]["detail"]["channel"] == arrived[1]["detail"]["channel"]
    assert arrived[0]["call"] != arrived[1]["call"]
    await two.one.legs[0].hang_up()
    await two.row("lab", "spool_removed")
    assert two.of("other", "call_ended") == [], "it is another one's channel that is gone"
    await two.other.legs[0].hang_up()
    await two.row("other", "spool_removed")
    for place in (two.one, two.other):
        assert two.recorded(place.node).exists()


async def _called_where_the_first_is_absent_and_then_refuses(two: Two) -> None:
    """A start of the service while the first is away; when it comes, it refuses the passwords."""
    assert await two.site.service.stop() == 0
    two.write_secrets(ari="wrong", ami="wrong")
    await two.site.service.start(ready=False)
    await two.site.service.until(lambda status: _wrong(status) == _LAB_IS_DOWN, 10)
    await two.one.asterisk.start()
    async with asyncio.timeout(10):
        while "ami_login_failed node=lab" not in two.site.service.words:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await two.other.connect()
    await two.row("other", "recording_growing", 3)
    await two.other.legs[0].hang_up()
    await two.row("other", "spool_removed", 3)
    assert two.recorded("other").exists()
    assert 'ari_disconnected node=lab why="' in two.site.service.words
    assert "node=other why" not in two.site.service.words
    decisions = [row["detail"]["status"] for row in two.of("other", "decision")]
    assert decisions == ["ALLOWED"] * 3
