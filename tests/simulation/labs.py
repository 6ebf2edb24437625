"""The two Asterisks that the scripts of ``contract.py`` run against."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient, AmiLimits
from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.ids import ChannelId
from lab.asterisk import Asterisk as RealAsterisk
from simulation.contract import MONITOR, TONE, TONE_S, Listener, Script, Talk, Trace
from simulation.recorder import Party
from simulation.site import Site
from simulation.stage import Stage

QUICK = Backoff(0.01, 0.1)
FILES = "${ASTSPOOLDIR}/r-${EPOCH}${RAND(1000000000,9999999999)}"
EXTENSIONS = f"""
[lab]
exten => monitored,1,Stasis(compliance,policy=inbound)
 same => n,MixMonitor(,bi({MONITOR})r({FILES}-rx.wav)t({FILES}-tx.wav))
 same => n,Dial(Local/echo@lab)
exten => echo,1,Answer()
 same => n,Echo()
"""


class Clients:
    """Both clients, and the tasks that they run in."""

    def __init__(self, listener: Listener, ari: AriAddress, ami: AmiAddress) -> None:
        self._listener, self._address = listener, ari
        self.ami = AmiClient(ami, listener, AmiLimits(backoff=QUICK))
        self.ari = self._new()
        self._running: dict[str, asyncio.Task[Any]] = {}

    def _new(self) -> AriClient:
        return AriClient(self._address, self._listener, AriLimits(backoff=QUICK))

    async def connect(self) -> None:
        self._running["ami"] = asyncio.create_task(self.ami.run())
        self._running["ari"] = asyncio.create_task(self.ari.run())
        await self._listener.until("connected", 2)

    async def drop_ari(self) -> None:
        await self._end("ari")

    async def ari_back(self) -> None:
        self.ari = self._new()
        self._running["ari"] = asyncio.create_task(self.ari.run())
        await self._listener.until("connected", 3)

    async def close(self) -> None:
        for name in list(self._running):
            await self._end(name)

    async def _end(self, name: str) -> None:
        task = self._running.pop(name)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


# -- the real one ------------------------------------------------------------------------------


class RealLab(Clients):
    """A Local channel is the caller: its far half hangs up."""

    def __init__(
        self, listener: Listener, real: RealAsterisk, session: aiohttp.ClientSession
    ) -> None:
        self._real, self._session = real, session
        super().__init__(
            listener,
            AriAddress(real.ari_url, "compliance", real.ari_user, real.ari_password),
            AmiAddress("127.0.0.1", real.ami_port, real.ami_user, real.ami_password),
        )

    async def arrive(self) -> ChannelId:
        channel = f"contract-{time.monotonic_ns()}"
        body = {
            "endpoint": "Local/monitored@lab",
            "context": "lab",
            "extension": "echo",
            "priority": 1,
            "channelId": f"far-{channel}",
            "otherChannelId": channel,
        }
        async with self._session.post(f"{self._real.ari_url}/channels", json=body) as answer:
            assert answer.status == 200, await answer.text()
        return ChannelId(channel)

    async def drop_ari(self) -> None:
        """Asterisk notices by itself, and tells nobody when."""
        await super().drop_ari()
        await asyncio.sleep(0.3)

    async def hang_up(self, channel: ChannelId) -> None:
        url = f"{self._real.ari_url}/channels/far-{channel}"
        await (await self._session.delete(url)).read()


async def against_the_real_one(script: Script, real: RealAsterisk) -> Trace:
    auth = aiohttp.encode_basic_auth(real.ari_user, real.ari_password)
    async with aiohttp.ClientSession(headers={"Authorization": auth}) as session:
        listener = Listener()
        async with _connected(RealLab(listener, real, session)) as lab:
            await script(Talk(lab, listener))
    return listener.trace.settled()


@contextlib.asynccontextmanager
async def _connected(lab: Any) -> AsyncIterator[Any]:
    await lab.connect()
    try:
        yield lab
    finally:
        await lab.close()


# -- the simulated one -------------------------------------------------------------------------


class SimulatedLab(Clients):
    def __init__(self, listener: Listener, site: Site) -> None:
        self._site = site
        where = AriAddress("http://127.0.0.1:1/ari", "compliance", "compliance", "secret")
        super().__init__(listener, where, AmiAddress("127.0.0.1", 1, "compliance", "secret"))

    async def arrive(self) -> ChannelId:
        asterisk = self._site.asterisk
        channel = asterisk.channel(Party("caller", 1, covered=True), "PJSIP/caller", language="en")
        channel.dialplan = asterisk.spawn(self._dialplan(channel))
        return ChannelId(channel.id)

    async def _dialplan(self, channel: Any) -> None:
        asterisk = self._site.asterisk
        await asterisk.stasis(channel, "policy=inbound")
        recording = f"r-{int(channel.id.partition('.')[2]):028x}-1"
        monitor = asterisk.monitor(channel, recording, bridged=True, others=True)
        channel.variables[MONITOR] = monitor
        channel.app_name = "Dial"
        await self._site.dialplan.dial(channel, Party("echo", 2, covered=True))
        await asyncio.Event().wait()

    async def hang_up(self, channel: ChannelId) -> None:
        self._site.asterisk.hang_up(self._site.asterisk.channels[channel])


def against_the_simulated_one(
    script: Script, home: Path, seed: int, *, mutes_by_id: bool = True
) -> Trace:
    site = Site.without_service(home, {TONE: TONE_S}, seed)
    traces = []

    async def told() -> None:
        site.start_asterisk()
        site.asterisk.mutes_by_id = mutes_by_id
        listener = Listener()
        async with _connected(SimulatedLab(listener, site)) as lab:
            await script(Talk(lab, listener))
        traces.append(listener.trace.settled())

    stage = Stage()
    stage.site = site
    with stage.set_up():
        try:
            site.loop.run(told(), 60.0)
        finally:
            site.end()
    return traces[0]
