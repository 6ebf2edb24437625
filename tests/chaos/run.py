"""A steady stream of calls through a real Asterisk, while it and the service are broken."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from chaos.evidence import Dialled, Evidence, Side
from chaos.faults import Faults, Pipe
from lab.asterisk import Asterisk
from lab.disk import mounted
from lab.leg import CallFailed, Leg
from lab.parties import install_prompts
from lab.rtp import MediaClock
from lab.service import SERVICE_UID
from lab.sip import Phone
from lab.site import TEST_POLICIES, Site
from lab.tones import AGENT, AGENT2, CALLER
from lab.wav import read_wav, write_wav

EXTENSIONS = """
[globals]

[from-lab]
exten => _10X,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Set(CALLERID(name)=${UNIQUEID})
 same => n,Dial(PJSIP/agent${EXTEN:2},20)
 same => n,Hangup()
; not through the service: who is transferred here is told by it, or is not kept
exten => _20X,1,Dial(PJSIP/guest${EXTEN:2},20)
 same => n,Hangup()
"""
"""The agent's telephone shows the caller's channel as his name: so recordings are told apart."""

DISTURBED = Path(__file__).with_name("disturbed.py")
PAIRS = ("1", "2")
_RING_S = 9.0
_SETTLE_S = 25.0
_FIRST_NUMBER = 5_000_000
_STORE_MIB, _WATERMARK_MIB = 128, 8
"""The audit log has a small disk of its own; its watermark is near its end."""


@dataclass(slots=True)
class Pair:
    """Two telephones that talk to each other, one call after the other, and a third."""

    number: str
    caller: Phone
    agent: Phone
    guest: Phone
    rng: random.Random
    legs: list[Leg] = field(default_factory=list)


@dataclass(slots=True)
class Stream:
    """The calls of a run."""

    site: Site
    directory: Path
    count: int
    calls: list[Dialled] = field(default_factory=list)

    async def flow(self, pair: Pair, until: asyncio.Event) -> None:
        """Call after call, until there were enough and nothing is broken any more."""
        while len(self.calls) < self.count or not until.is_set():
            await self._call(pair)
            await asyncio.sleep(pair.rng.uniform(0.05, 0.4))

    async def _call(self, pair: Pair) -> None:
        number = str(_FIRST_NUMBER + len(self.calls))
        dialled = Dialled(number, time.monotonic(), Side(pair.caller.schedule.voice.name))
        self.calls.append(dialled)
        sender = f"<sip:{number}@127.0.0.1:{pair.caller.port}>"
        leg = await pair.caller.dial(
            f"10{pair.number}", self.site.asterisk.sip_port, from_value=sender
        )
        pair.legs = [leg]
        agent: Leg | None = None
        guest: Leg | None = None
        try:
            if pair.rng.random() < 0.15:
                await asyncio.sleep(pair.rng.uniform(0.3, 1.2))
            else:
                agent = await self._talk(pair, dialled, leg)
                if agent is not None and pair.rng.random() < 0.3:
                    guest = await self._transfer(pair, agent)
        finally:
            await self._end(pair, leg, agent, guest)
            dialled.until = time.monotonic()
            await asyncio.to_thread(self._keep, dialled, dialled.caller, leg)
            if agent is not None:
                dialled.agent = Side(pair.agent.schedule.voice.name)
                await asyncio.to_thread(self._keep, dialled, dialled.agent, agent)
            if guest is not None:
                dialled.guest = Side(pair.guest.schedule.voice.name)
                await asyncio.to_thread(self._keep, dialled, dialled.guest, guest)

    async def _talk(self, pair: Pair, dialled: Dialled, leg: Leg) -> Leg | None:
        ringing = asyncio.ensure_future(_rings(pair.agent))
        over = asyncio.ensure_future(leg.ended(_RING_S))
        try:
            await asyncio.wait({ringing, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        if not ringing.done() or ringing.exception() is not None:
            ringing.cancel()
            return None
        agent = ringing.result()
        pair.legs.append(agent)
        dialled.channel = _shown(agent)
        with contextlib.suppress(CallFailed, TimeoutError):
            await agent.answered(3.0)
            since = time.monotonic()
            with contextlib.suppress(TimeoutError):
                await agent.ended(pair.rng.uniform(1.5, 4.0))
            dialled.bridged = (since, min(time.monotonic(), agent.times.get("ended", 1e12)))
        return agent

    async def _transfer(self, pair: Pair, agent: Leg) -> Leg | None:
        """The agent sends the caller on to somebody who has not been told."""
        guest: Leg | None = None
        with contextlib.suppress(TimeoutError, CallFailed):
            await agent.transfer("20" + pair.number, 2.0)
        with contextlib.suppress(TimeoutError, CallFailed):
            guest = await _rings(pair.guest, 2.0)
            pair.legs.append(guest)
            await guest.answered(2.0)
            await guest.ended(pair.rng.uniform(2.5, 4.0))
        return guest

    async def _end(self, pair: Pair, leg: Leg, *others: Leg | None) -> None:
        legs = [leg, *(one for one in others if one is not None)]
        for one in pair.rng.sample(legs, len(legs)):
            with contextlib.suppress(TimeoutError, CallFailed):
                await one.hang_up(1.0)
        pair.legs = []
        for phone in (pair.caller, pair.agent, pair.guest):
            for one in phone.legs:
                one.abandon()

    def _keep(self, dialled: Dialled, side: Side, leg: Leg) -> None:
        heard = leg.heard_pcm()
        side.heard, side.clock = f"{dialled.number}-{side.voice}.wav", heard.clock_start
        write_wav(self.directory / "heard" / side.heard, heard.pcm)
        side.spoke = leg.spoke


async def _rings(phone: Phone, within_s: float = _RING_S) -> Leg:
    """The next call that is not over already: one that nobody waited for any more."""
    async with asyncio.timeout(within_s):
        while (leg := await phone.next_call(within_s)).is_over:
            pass
        return leg


def _shown(agent: Leg) -> str:
    """The caller's name as the agent's telephone shows it."""
    return agent.received[0].header("From").partition('"')[2].partition('"')[0]


async def run(directory: Path, *, calls: int, faults: int, seed: int) -> Evidence:
    """Run, and leave the evidence in ``directory``, which is made anew."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "heard").mkdir(parents=True)
    async with AsyncExitStack() as stack:
        pairs = [await _pair(stack, number, seed) for number in PAIRS]
        pipes: dict[str, Pipe] = {}

        async def through(asterisk: Asterisk) -> Mapping[str, int]:
            for name, port in (("ari", asterisk.ports.ari), ("ami", asterisk.ports.ami)):
                pipes[name] = await stack.enter_async_context(Pipe(port))
            return {name: pipe.port for name, pipe in pipes.items()}

        called = (phone for pair in pairs for phone in (pair.agent, pair.guest))
        ports = {phone.name: phone.port for phone in called}
        site = await Site.open(
            ports,
            extensions=EXTENSIONS,
            policies=TEST_POLICIES,
            install_prompts=install_prompts,
            through=through,
            limits=f"store_free_mib = {_WATERMARK_MIB}",
            serve=False,
        )
        await stack.enter_async_context(site)
        site.store.mkdir(mode=0o700)
        shutil.chown(site.store, SERVICE_UID, site.asterisk.build.gid)
        disk = await stack.enter_async_context(mounted(site.store, _STORE_MIB))
        site.service.command = _disturbed(site)
        await site.service.start()
        stream = Stream(site, directory, calls)

        def asterisk_died() -> None:
            for pair in pairs:
                for leg in pair.legs:
                    leg.abandon()

        chance = random.Random(seed)
        broken = Faults(site, pipes["ari"], pipes["ami"], chance, disk, asterisk_died)
        mended = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for pair in pairs:
                tasks.create_task(stream.flow(pair, mended))
            slower = max(1.0, calls / max(1, faults) / 1.5 - 1.5)  # over all of the calls
            await broken.happen(faults, pause_s=(1.5 * slower, 4.0 * slower))
            mended.set()
        evidence = Evidence(directory, MediaClock.shared().epoch, seed, stream.calls, broken.done)
        with contextlib.suppress(AssertionError):  # the judge says what is left
            await _settled(site)
        evidence.write()
        await asyncio.to_thread(_collect, site, directory)
    return Evidence.read(directory)


def _disturbed(site: Site) -> tuple[str, ...]:
    """The service's command, from where its user can read it."""
    copy = site.directory / DISTURBED.name
    shutil.copyfile(DISTURBED, copy)
    copy.chmod(0o644)
    return (sys.executable, str(copy), str(site.directory / "orders"))


async def _pair(stack: AsyncExitStack, number: str, seed: int) -> Pair:
    phones = {
        name: await stack.enter_async_context(await Phone.open(name + number, voice))
        for name, voice in (("caller", CALLER), ("agent", AGENT), ("guest", AGENT2))
    }
    for name in ("agent", "guest"):
        phones[name].answer_after, phones[name].lines = 0.05, 4
    chance = random.Random(f"{seed}/{number}")
    return Pair(number, phones["caller"], phones["agent"], phones["guest"], chance)


async def _settled(site: Site) -> None:
    """Every call is over and every recording dealt with, as far as the log says."""
    last = {"recording_missing", "recording_unjudged", "spool_removed"}

    def over(rows: list[dict[str, object]]) -> bool:
        kinds: dict[str, set[object]] = {}
        for row in rows:
            kinds.setdefault(str(row["kind"]), set()).add(_subject(row))
        dealt = set().union(*(kinds.get(kind, set()) for kind in last))
        calls = kinds.get("call_arrived", set()) <= kinds.get("call_ended", set())
        return calls and kinds.get("recording_requested", set()) <= dealt

    await site.rows_until(over, _SETTLE_S)


def _subject(row: dict[str, object]) -> object:
    detail = row["detail"]
    assert isinstance(detail, dict)
    return detail.get("recording", row["call"])


def _collect(site: Site, directory: Path) -> None:
    """What the site leaves: files as they are, rows as the command exports them."""
    shutil.copytree(site.recordings, directory / "vault")
    shutil.copytree(site.asterisk.spool_here, directory / "spool")
    shutil.copy(site.service.log, directory / "service.log")
    if site.asterisk.cdr_file.exists():
        shutil.copy(site.asterisk.cdr_file, directory / "Master.csv")
    notice = read_wav(site.asterisk.sounds_here / "en/notice-test.wav")
    write_wav(directory / "notice.wav", *notice)
    command = Path(sys.executable).with_name("asterisk-compliance")
    arguments = ["audit", "export", "--out", directory / "rows.jsonl", "--store", site.store]
    subprocess.run([command, *map(str, arguments)], check=True, capture_output=True)
