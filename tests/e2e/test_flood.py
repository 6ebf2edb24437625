"""A flood of events while the service is busy: the WebSocket stays open, and nothing is lost.

Asterisk closes the WebSocket of a reader who does not keep up. Every caller here presses keys
through the whole notice; each key is an event.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from lab.prompt import write_notice
from lab.site import Site

pytestmark = pytest.mark.asterisk

CALLERS = 60
KEYS = 48
"""Of each caller; one takes 125 ms."""
NOTICE_S = 10.0
PAUSE_S = 1.5
WITHIN_S = 30.0

EXTENSIONS = """
[flood]
exten => told,1,Answer()
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Wait(60)
exten => press,1,Wait(1)
 same => n,SendDTMF({keys},45,80)
 same => n,Wait(60)
"""


def long_notice(sounds: Path) -> None:
    for seed, language in enumerate(("en", "ja"), 1):
        (sounds / language).mkdir(exist_ok=True)
        write_notice(sounds / language / "notice-test.wav", NOTICE_S, seed)


async def numbers(port: int) -> dict[str, float]:
    """What the service counts."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    return {name: float(said) for name, said in (x.rsplit(" ", 1) for x in lines if x[0] != "#")}


async def until(port: int, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    async with asyncio.timeout(WITHIN_S):
        while not holds(found := await numbers(port)):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)
    return found


def of_ari(name: str, kind: str) -> str:
    return f'compliance_{name}{{node="lab",type="{kind}",wire="ari"}}'


PRESSED = of_ari("events_total", "ChannelDtmfReceived")
PLAYING = "compliance_notices_playing"
LOST = 'compliance_connections_lost_total{node="lab",wire="ari"}'
ALLOWED = 'compliance_calls_total{reason="NOTICE_COMPLETED",status="ALLOWED"}'


async def test_events_that_come_while_the_service_is_busy_are_all_heard() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    site = await Site.open(
        {},
        extensions=EXTENSIONS.format(keys="1" * KEYS),
        install_prompts=long_notice,
        dialplan_s=30.0,
        limits=f"\n[health]\nport = {port}\n",
    )
    async with site:
        call = "channel originate Local/told@flood/n extension press@flood"
        for _ in range(CALLERS):
            await site.asterisk.cli(call)
        await until(port, lambda found: found[PLAYING] == CALLERS)
        await until(port, lambda found: found.get(PRESSED, 0) > CALLERS)
        for _ in range(2):
            site.service.suspend()
            await asyncio.sleep(PAUSE_S)
            site.service.resume()
            await asyncio.sleep(PAUSE_S / 3)
        found = await until(port, lambda found: found[ALLOWED] == CALLERS)
        assert found[PRESSED] == CALLERS * KEYS
        assert found.get(LOST, 0) == 0
        assert "events_overflowed" not in site.service.words
        decided = [row["detail"]["reason"] for row in site.rows() if row["kind"] == "decision"]
        assert decided == ["NOTICE_COMPLETED"] * CALLERS
