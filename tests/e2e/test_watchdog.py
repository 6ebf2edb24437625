"""The service hangs or dies while somebody hears its notice: the second process lets them talk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from e2e.office import Office, open_office
from e2e.steering import until
from e2e.test_outbound import POLICIES
from lab.prompt import write_notice

pytestmark = pytest.mark.asterisk

HUNG_S = 1.0
WITHIN_S = HUNG_S + 3.0
"""From the standstill until they talk: the limit, half a second between two looks, three requests,
and a busy machine. It is less than what is left of a notice of 6 s."""

EXTENSIONS = """
[from-lab]
exten => 200,1,Dial(PJSIP/customer,20,gU(compliance-callee^outbound))
 same => n,Hangup()
exten => 300,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
exten => 310,1,Gosub(compliance-may-call,s,1(0312345678))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
"""


@asynccontextmanager
async def office(notice_s: float = 1.0) -> AsyncIterator[Office]:
    """With a watchdog that is there already."""

    def install(sounds: Path) -> None:
        (sounds / "en").mkdir(exist_ok=True)
        (sounds / "ja").mkdir(exist_ok=True)
        for seed, language in enumerate(("en", "ja"), 1):
            for name in ("notice-test", "refused", "not-recorded", "required-here"):
                write_notice(sounds / language / f"{name}.wav", notice_s, seed)

    limits = f"watchdog_s = {HUNG_S}"
    options = {"limits": limits, "dialplan_s": 20.0, "install_prompts": install}
    async with open_office(EXTENSIONS, policies=POLICIES, **options) as site:
        await site.site.service.until(lambda status: status["reasons"] == [], 10)
        yield site


def watchdogs(office: Office) -> Iterator[int]:
    """Processes that were begun with this site's configuration, and are not the service."""
    config = str(office.site.service.config).encode()
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            words = (proc / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if config in words and b"watchdog" in words:
            yield int(proc.name)


def command_of(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


@pytest.mark.parametrize("notice_s", [1.0, 6.0])
async def test_a_callee_whose_notice_nobody_ends_is_connected_unrecorded(notice_s):
    """Also where the notice was heard to its end while nobody listened, or goes on."""
    async with office(notice_s) as site:
        agent = await site.dial("agent", "200")
        customer = await site.called("customer")
        await customer.until_heard(0.4)
        site.site.service.suspend()
        hung = time.monotonic()
        await agent.answered(WITHIN_S + 1)
        assert HUNG_S * 0.7 < agent.times["answered"] - hung < WITHIN_S
        await customer.until_heard(0.5)
        site.site.service.resume()
        await site.seen("decision")
        await site.seen("call_released")
        await customer.until_heard(0.5)
        assert not agent.is_over
        assert not customer.is_over
        assert site.heard(agent, "customer"), "they talk"
        await agent.hang_up()
        await site.site.until_ended()
        assert site.decisions() == [("NOT_RECORDED", "SERVICE_HUNG")]
        (released,) = site.rows("call_released")
        (arrived,) = site.rows("call_arrived")
        assert released["call"] == arrived["call"]
        assert released["detail"] == {"channel": arrived["detail"]["channel"]}
        assert site.recordings() == site.site.spooled() == []
        assert not {"recording_requested", "notice_completed"} & {r["kind"] for r in site.rows()}


async def test_who_comes_while_the_service_hangs_is_let_go_on_as_well():
    async with office() as site:
        site.site.service.suspend()
        await asyncio.sleep(HUNG_S)  # it is known to hang
        agent = await site.dial("agent", "200")
        customer = await site.called("customer")
        caller = await site.dial("outside", "310")
        inside = await site.called("agent", WITHIN_S)
        await agent.answered(WITHIN_S)
        assert agent.times["answered"] - agent.times["invite"] < WITHIN_S
        assert inside.times["confirmed"] - caller.times["invite"] < WITHIN_S
        channel = await site.channel_of("customer")
        assert await site.variable(channel, "COMPLIANCE_REASON") == "SERVICE_UNAVAILABLE"
        site.site.service.resume()
        await site.seen("call_released", 2)
        await customer.until_heard(0.5)
        await agent.hang_up()
        await caller.hang_up()
        await site.site.until_ended()
        assert [status for status, _ in site.decisions()] == ["NOT_RECORDED"]
        assert site.recordings() == site.site.spooled() == []


async def test_a_caller_is_let_go_on_long_before_the_limit_of_the_dialplan():
    async with office(6.0) as site:
        caller = await site.dial("customer", "300")
        await caller.answered()
        await caller.until_heard(0.4)
        site.site.service.suspend()
        hung = time.monotonic()
        agent = await site.called("agent", WITHIN_S + 1)
        assert agent.times["confirmed"] - hung < WITHIN_S
        site.site.service.resume()
        await site.seen("call_released")
        await agent.until_heard(0.5)
        await caller.hang_up()
        await site.site.until_ended()
        assert site.decisions() == [("NOT_RECORDED", "SERVICE_HUNG")]
        assert site.recordings() == site.site.spooled() == []


async def test_a_service_that_dies_in_the_notice_keeps_nobody_waiting():
    """Nobody starts it again before they talk; the next start writes the decision."""
    async with office(6.0) as site:
        agent = await site.dial("agent", "200")
        customer = await site.called("customer")
        await customer.until_heard(0.4)
        await site.site.service.kill()
        killed = time.monotonic()
        await agent.answered(WITHIN_S + 1)
        assert agent.times["answered"] - killed < WITHIN_S, "the notice alone is longer"
        await until(lambda: not list(watchdogs(site)))
        await site.site.service.start()
        await site.seen("call_followed")
        await customer.until_heard(0.3)
        await agent.hang_up()
        await site.site.until_ended()
        assert site.decisions() == [("NOT_RECORDED", "SERVICE_RESTARTED")]
        assert site.recordings() == site.site.spooled() == []


async def test_the_second_process_comes_and_goes_with_the_service():
    async with office() as site:
        (first,) = watchdogs(site)
        words = command_of(first) + site.site.service.words
        asterisk = site.site.asterisk
        assert asterisk.ari_password not in words
        assert asterisk.ami_password not in words
        assert await site.site.service.stop() == 0
        await until(lambda: not list(watchdogs(site)))
        assert "service_died" not in site.site.service.words, "it said goodbye"
