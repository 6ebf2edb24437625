"""Calls that sell, on a real Asterisk: who we are comes first, and a no is not asked again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from asterisk_compliance.cli.main import app
from e2e.office import Office, install_all, must_hold, open_office
from lab.hearing import (
    nothing_before_notice,
    notice_completed,
    notice_not_recorded,
    parties_recorded,
)
from lab.leg import Leg
from lab.prompt import write_notice
from lab.site import TEST_POLICIES

pytestmark = pytest.mark.asterisk

SELL = """
[from-lab]
exten => _[+0].,1,Gosub(compliance-agent,caller,1)
 same => n,Gosub(compliance-may-call,s,1(${EXTEN}))
 same => n,GotoIf($["${COMPLIANCE_MAY_CALL}"!="yes"]?not)
 same => n,Dial(PJSIP/customer,20,U(compliance-callee^sales^outbound^${EXTEN}))
 same => n,Hangup()
 same => n(not),Set(CDR(userfield)=${COMPLIANCE_MAY_CALL})
 same => n,Hangup(17)
exten => 110,1,Gosub(compliance-may-call,s,1(110))
 same => n,Set(CDR(userfield)=${COMPLIANCE_MAY_CALL})
 same => n,Hangup(17)
"""

POLICIES = (
    TEST_POLICIES
    + """
[rules]
home = "JP"

[[notice]]
id = "sales"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = "To confirm your request and improve our service, we record this call. To decline, press 9."

[[policy]]
name = "sales"
notice = "sales"
languages = ["en"]
consent = "opt-out"
on_refusal = "end"
grace_s = 0.5
keys = { refuse = "9", repeat = "*" }
sales = { introduction = "who-we-are", do_not_call = true }
"""
)
NUMBER, OTHER = "0312345678", "0398765432"
INTRODUCTION_S = 0.8


def install(sounds: Path) -> None:
    install_all(sounds)
    write_notice(sounds / "en/who-we-are.wav", INTRODUCTION_S, 33)


def selling(**options: Any):
    return open_office(SELL, policies=POLICIES, install_prompts=install, dialplan_s=16.0, **options)


async def command(office: Office, *words: str) -> tuple[int, Any]:
    """Exit status and JSON of a command about the list."""
    line = ["do-not-call", *words, "--json", "--config", str(office.site.service.config)]
    result = await asyncio.to_thread(CliRunner().invoke, app, line)
    return result.exit_code, json.loads(result.stdout.splitlines()[0])


async def is_not_called(office: Office, number: str) -> None:
    """The agent dials, is turned away, and no telephone rings."""
    agent = await office.dial("agent", number)
    await agent.ended()
    assert agent.status == 486
    with pytest.raises(TimeoutError):
        await office.phones["customer"].next_call(0.1)


async def refuse(office: Office, number: str, *, after_s: float) -> tuple[Leg, Leg]:
    agent = await office.dial("agent", number)
    customer = await office.called("customer")
    await customer.until_heard(after_s)
    customer.send_digit("9")
    await customer.ended()
    await agent.ended()
    return agent, customer


async def test_who_is_called_hears_who_we_are_and_then_the_notice():
    async with selling() as office:
        agent = await office.dial("agent", NUMBER)
        customer = await office.called("customer")
        await customer.until_heard(0.3)
        customer.send_digit("*")  # nothing was said yet that could be repeated
        await agent.answered()
        await customer.until_heard(1.5)
        await agent.hang_up()
        await office.site.until_ended()
        first, notice = office.notice_to(customer, "who-we-are"), office.notice_to(customer)
        must_hold(notice_completed(first), notice_completed(notice))
        assert first.ended_at <= notice.started_at
        assert agent.times["answered"] > notice.ended_at
        kinds = [row["kind"] for row in office.rows()]
        assert kinds[:4] == [
            "call_arrived",
            "introduction_completed",
            "notice_started",
            "notice_completed",
        ]
        introduced = office.details("introduction_completed")[0]
        assert introduced["length_ms"] == INTRODUCTION_S * 1_000
        assert office.decisions() == [("ALLOWED", "CONSENT_NOT_REFUSED")]
        (file,) = office.recordings()
        for prompt in ("notice-test", "who-we-are"):
            must_hold(notice_not_recorded(office.capture(file, prompt)))
        capture = office.capture(file)
        must_hold(
            nothing_before_notice(capture, notice),
            *parties_recorded(capture, ("customer", "agent"), least_s=1.0),
        )


@pytest.mark.parametrize("after_s", [0.3, INTRODUCTION_S + 0.4], ids=["introduction", "notice"])
async def test_who_refused_is_not_called_again(after_s):
    async with selling() as office:
        await refuse(office, NUMBER, after_s=after_s)
        await office.site.until_ended()
        assert office.decisions() == [("REFUSED", "CONSENT_REFUSED")]
        (added,) = office.rows("do_not_call_added")
        assert (added["actor"], added["detail"]) == ("caller", {"by": "refusal"})
        assert office.recordings() == office.site.spooled() == []

        for written in (NUMBER, "+81312345678"):
            await is_not_called(office, written)
        await office.seen("call_blocked", 2)
        assert "12345678" not in str(office.site.rows())
        agent = await office.dial("agent", OTHER)
        customer = await office.called("customer")
        await office.seen("call_arrived", 2)
        await customer.hang_up()
        await agent.ended()
        await office.site.until_ended(2)
        assert office.decisions()[1:] == [("NOT_RECORDED", "HANGUP_IN_NOTICE")]


async def test_the_staff_keep_the_list():
    async with selling() as office:
        status, answer = await command(office, "add", "+81-3-1234-5678")
        assert status == 0
        row = office.site.rows()[answer["seq"]]
        assert (row["kind"], row["detail"]["by"]) == ("do_not_call_added", "staff")
        assert await command(office, "add", NUMBER) == (1, {"seq": None})
        assert await command(office, "check", NUMBER) == (1, {"may_call": False})
        await is_not_called(office, NUMBER)
        status, entries = await command(office, "list")
        assert [entry["seq"] for entry in entries] == [answer["seq"]]
        assert (await command(office, "remove", NUMBER))[0] == 0
        assert await command(office, "remove", NUMBER) == (1, {"seq": None})
        assert await command(office, "check", NUMBER) == (0, {"may_call": True})

        # A customer who tells the agent is put on it by the agent's key.
        agent = await office.dial("agent", NUMBER)
        customer = await office.called("customer")
        await agent.answered()
        await agent.until_heard(0.3)
        for key in "*56":
            agent.send_digit(key)
            await asyncio.sleep(0.15)
        await office.seen("do_not_call_added", 2)
        await agent.hang_up()
        await customer.ended()
        await is_not_called(office, NUMBER)
        assert office.rows("do_not_call_added")[1]["actor"] == "agent"

        # The service is not there: the command takes the lock, and the dialplan is told so.
        await office.site.service.stop()
        assert (await command(office, "add", OTHER))[0] == 0
        await is_not_called(office, "0311112222")
        assert "unknown" in str(office.site.cdrs()[-1])


async def test_a_hung_service_holds_no_call_and_no_emergency():
    async with selling() as office:
        office.site.service.suspend()
        agent = await office.dial("agent", "110")
        await agent.ended()
        assert agent.times["ended"] - agent.times["invite"] < 1.0
        agent = await office.dial("agent", NUMBER)
        await agent.ended()
        assert 2.0 < agent.times["ended"] - agent.times["invite"] < 5.0
        office.site.service.resume()
        async with asyncio.timeout(3):
            while len(office.site.cdrs()) < 2:  # noqa: ASYNC110 - a file of another process
                await asyncio.sleep(0.05)
        assert [line[-1] for line in office.site.cdrs()] == ["yes", "unknown"]
        assert office.rows("call_arrived") == []
