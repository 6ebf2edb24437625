"""A synthetic call through a real Asterisk: it passes, and says what is broken if something is."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from asterisk_compliance.domain.call.canary import CHAIN
from lab.proxy import Cable
from lab.site import Site

pytestmark = pytest.mark.asterisk

EVERY_S, WITHIN_S = 1.5, 12.0
CANARY = f"""
[canary]
every_min = {EVERY_S / 60}
policy = "inbound"
within_s = {WITHIN_S}
"""
CHAIN_KINDS = [link.kind for link in CHAIN]


@asynccontextmanager
async def site_with_canary(more: str = "", wiring: str = "") -> AsyncIterator[tuple[Site, Cable]]:
    """A site without telephones, and the cable to its AMI."""
    async with AsyncExitStack() as stack:
        cables: list[Cable] = []

        async def through(asterisk: Any) -> dict[str, int]:
            cables.append(await stack.enter_async_context(Cable(asterisk.ami_port)))
            return {"ami": cables[0].port}

        site = await Site.open({}, limits=CANARY + more, wiring=wiring, through=through)
        yield await stack.enter_async_context(site), cables[0]


async def told(site: Site, kind: str) -> dict[str, Any]:
    """The first row of a kind that says how a canary ended."""

    def there(rows: list[dict[str, Any]]) -> bool:
        return kind in [row["kind"] for row in rows]

    rows = await site.rows_until(there, EVERY_S + 2 * WITHIN_S)
    return next(row for row in rows if row["kind"] == kind)


async def test_a_canary_goes_through_everything_and_counts_as_no_call() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    wiring = 'staff = ["PJSIP/agent-*"]'
    async with site_with_canary(f"\n[health]\nport = {port}\n", wiring) as (site, _):
        passed = await told(site, "canary_passed")
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            async with http.get("/health") as answer:
                health = await answer.json()
            async with http.get("/metrics") as answer:
                metrics = (await answer.text()).splitlines()
        assert await site.service.stop() == 0, site.service.words
        rows = site.rows()
        reconciled = reconcile(site)
    of_the_call = [row for row in rows if row["call"] == passed["call"]]
    kinds = [row["kind"] for row in of_the_call]
    assert [kind for kind in kinds if kind in CHAIN_KINDS] == CHAIN_KINDS
    detail = {row["kind"]: row["detail"] for row in of_the_call}
    assert detail["call_arrived"]["synthetic"] is True
    closed = detail["recording_closed"]
    assert (closed["whole"], closed["rx"], closed["tx"]) == (True, "heard", "heard")
    assert health["ok"]
    assert health["canary"]["lab"]["outcome"] == "passed"
    assert 'compliance_canary_passed_total{node="lab"} 1.0' in metrics
    assert 'compliance_agi_denied_total{node="lab"} 0.0' in metrics
    counted = ("compliance_calls_total", "compliance_recordings_total", "compliance_notices_total")
    counted += ("compliance_notice_start_seconds_count", "compliance_way_back_seconds_count")
    found = [line for line in metrics if line.startswith(counted)]
    assert len(found) > len(counted)
    assert {line.rpartition(" ")[2] for line in found} == {"0.0"}
    assert reconciled["unexplained"] == {}, reconciled


def reconcile(site: Site) -> dict[str, Any]:
    """What ``reconcile`` says of this site, the CDRs of the canary among what it reads."""
    command = [Path(sys.executable).with_name("asterisk-compliance"), "reconcile", "--json"]
    options = ["-c", site.service.config, "--cdr", site.asterisk.cdr_file]
    done = subprocess.run([*command, *options], check=False, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr
    summary = lines[-1]["summary"]
    assert summary["cdrs"] >= 1
    return summary


def no_prompt(site: Site, _: Cable) -> None:
    for prompt in site.asterisk.sounds_here.rglob("notice-test.wav"):
        prompt.unlink()


def no_spool(site: Site, _: Cable) -> None:
    """Not for its owner, Asterisk; the service is in its group, and can write there."""
    site.asterisk.spool_here.chmod(0o570)


def no_ami(_: Site, cable: Cable) -> None:
    cable.cut()


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [(no_prompt, "NO_NOTICE"), (no_spool, "NO_FILE"), (no_ami, "AMI_DOWN")],
)
async def test_a_canary_says_what_is_broken(
    breaks: Callable[[Site, Cable], None], reason: str
) -> None:
    async with site_with_canary() as (site, ami):
        breaks(site, ami)
        failed = (await told(site, "canary_failed"))["detail"]
        assert failed["reason"] == reason
        assert failed["took_ms"] < WITHIN_S * 1_000
        status = await site.service.status()
        assert status is not None
        assert "CANARY_FAILED lab" in status["reasons"]
        assert status["canary"]["lab"]["outcome"] == reason


async def test_a_caller_in_the_context_of_the_canary_is_hung_up_and_none() -> None:
    """Its variable and its channel's id are the service's to choose."""
    extensions = """
[from-lab]
exten => 1,1,Goto(compliance-canary,call,1)
exten => 2,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Hangup()
"""
    site = await Site.open({}, extensions=extensions)
    async with site:
        for exten in ("1", "2"):
            await site.asterisk.cli(
                f"channel originate Local/{exten}@from-lab/n application Wait 2"
            )
            await asyncio.sleep(0.1)
        rows = await site.until_ended()
        arrived = [row["detail"]["synthetic"] for row in rows if row["kind"] == "call_arrived"]
        assert arrived == [False]
