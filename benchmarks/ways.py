"""The ways to tell and record that are compared, and how each one's application is run."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.site import Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RIVALS = Path(__file__).parent / "rivals"
CACHE = Path(__file__).parent / "out/rivals"
AIOARI, ARI_CLIENT = "aioari 0.10.2", "ari-client 2.2.0"
SOUND = "notice-test"
TALK_S = 2.0
"""What follows the notice, in the dialplan."""
_READY_S = 20.0
_MAKE_S = 300.0

_NAIVE = """
exten => _{digit}X,1,Stasis({application})
 same => n,GotoIf($["${{TOLD}}"!="yes"]?end)
 same => n,MixMonitor(${{ASTSPOOLDIR}}/plain/${{UNIQUEID}}.wav)
 same => n,Wait({talk})
 same => n(end),Hangup()
"""
EXTENSIONS = (
    f"""
[from-lab]
exten => _1X,1,Answer(,i)
 same => n,Playback({SOUND})
 same => n,MixMonitor(${{ASTSPOOLDIR}}/plain/${{UNIQUEID}}.wav)
 same => n,Wait({TALK_S})
 same => n,Hangup()
exten => _2X,1,Gosub(compliance-notice,s,1(whole))
 same => n,Wait({TALK_S})
 same => n,Hangup()
"""
    + _NAIVE.format(digit=3, application="naive-aioari", talk=TALK_S)
    + _NAIVE.format(digit=4, application="naive-ari-client", talk=TALK_S)
    + _NAIVE.format(digit=5, application="least-ari", talk=TALK_S)
)


@dataclass(frozen=True, slots=True)
class Way:
    """One of those compared. ``exten``: what its callers dial."""

    name: str
    exten: str

    def running(self, site: Site) -> AbstractAsyncContextManager[int | None]:
        """Its application, alone beside Asterisk; gives its process id, or ``None`` without one."""
        return _RUN[self.exten[0]](site)


DIALPLAN, OURS = Way("dialplan alone", "10"), Way("this service", "20")
LEAST = Way("the least ARI costs", "50")
WAYS = (DIALPLAN, OURS, Way(AIOARI, "30"), Way(ARI_CLIENT, "40"), LEAST)


@asynccontextmanager
async def _nothing(site: Site) -> AsyncIterator[None]:
    yield None


@asynccontextmanager
async def _service(site: Site) -> AsyncIterator[int]:
    await site.service.start()
    try:
        yield site.service.pid
    finally:
        await site.service.stop()


@asynccontextmanager
async def _aioari(site: Site) -> AsyncIterator[int]:
    python = CACHE / "venv/bin/python"
    if not python.exists():
        await _made(sys.executable, "-m", "venv", str(CACHE / "venv"))
        await _made(str(python), "-m", "pip", "install", "--quiet", AIOARI.replace(" ", "=="))
    words = [str(python), str(RIVALS / "naive_aioari.py"), _base(site)]
    async with _rival(site, [*words, site.asterisk.ari_user, "naive-aioari", SOUND]) as pid:
        yield pid


@asynccontextmanager
async def _ari_client(site: Site) -> AsyncIterator[int]:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"{program} is missing; on Debian: apt-get install nodejs npm")
    if not (CACHE / "node_modules/ari-client").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        shutil.copy(RIVALS / "package.json", CACHE)
        await _made("npm", "install", "--silent", "--prefix", str(CACHE))
    shutil.copy(RIVALS / "naive_ari_client.js", CACHE)  # beside its modules
    words = ["node", str(CACHE / "naive_ari_client.js"), _base(site)]
    async with _rival(site, [*words, site.asterisk.ari_user, "naive-ari-client", SOUND]) as pid:
        yield pid


@asynccontextmanager
async def _least(site: Site) -> AsyncIterator[int]:
    words = [sys.executable, str(RIVALS / "least.py"), _base(site)]
    async with _rival(site, [*words, site.asterisk.ari_user, "least-ari", SOUND]) as pid:
        yield pid


@asynccontextmanager
async def _rival(site: Site, words: Sequence[str]) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "ARI_PASSWORD": site.asterisk.ari_password},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_READY_S):
            while (said := await process.stdout.readline()) != b"ready\n":
                if not said:
                    raise RuntimeError(f"{words[1]} ended at once")
            while words[-2] not in await site.asterisk.cli("ari show apps"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        process.kill()
        await process.wait()


async def _made(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL)
    async with asyncio.timeout(_MAKE_S):
        if await process.wait():
            raise RuntimeError(f"{words[0]} failed: {' '.join(words)}")


def _base(site: Site) -> str:
    return site.asterisk.ari_url.removesuffix("/ari")


_RUN = {"1": _nothing, "2": _service, "3": _aioari, "4": _ari_client, "5": _least}
