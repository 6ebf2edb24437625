"""Who called, who was called and who answered stands in one table, and nowhere else.

Real calls with distinctive numbers and names for everybody, endpoints that are named by numbers,
the service's log at its most talkative; then everything that was written is searched.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from asterisk_compliance.cli.main import app
from asterisk_compliance.storage.feeds.jsonl import JSON_LINES
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.proofs.verification import verify
from e2e.office import install_all
from lab.leg import Leg
from lab.ports import PortBlock
from lab.sip import Phone, address
from lab.site import TEST_POLICIES, Site
from lab.tones import AGENT, AGENT2, CALLER, OTHER
from lab.traces import (
    Person,
    Trace,
    command_lines,
    files_below,
    tables_of,
    traces,
    values_of,
)

pytestmark = pytest.mark.asterisk

CALLER_NUMBER, AGENT_NUMBER, SECOND_NUMBER = "0312345678", "0355519283", "0355528374"
CUSTOMER_NUMBER, LISTED_NUMBER, HOSTILE_NUMBER = "0398761234", "0366601928", "0377703849"
CUSTOMER_LINE = "0344430291"
CALLER_NAME, HOSTILE_NAME = "Yamanobe Hanakichi", "Kuroiwa"
HOSTILE = f'{HOSTILE_NAME}\\"; Action: Originate $(touch x) ../{HOSTILE_NUMBER}'

PEOPLE = (
    Person("caller", CALLER_NUMBER, ("Yamanobe", "Hanakichi")),
    Person("agent", AGENT_NUMBER, ("Okonogi",)),
    Person("second agent", SECOND_NUMBER),
    Person("customer", CUSTOMER_NUMBER),
    Person("customer's endpoint", CUSTOMER_LINE),
    Person("who is not called", LISTED_NUMBER),
    Person("hostile", HOSTILE_NUMBER, (HOSTILE_NAME,)),
)

EXTENSIONS = f"""
[from-lab]
exten => 100,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Set(CONNECTEDLINE(name,i)=Okonogi)
 same => n,Dial(PJSIP/{AGENT_NUMBER},20,t)
exten => 180,1,Gosub(compliance-notice,s,1(inbound))
 same => n,ConfBridge(room)
exten => 181,1,Answer()
 same => n,ConfBridge(room)
exten => 202,1,Dial(PJSIP/{SECOND_NUMBER},20)
exten => _0.,1,Gosub(compliance-may-call,s,1(${{EXTEN}}))
 same => n,GotoIf($["${{COMPLIANCE_MAY_CALL}}"!="yes"]?not)
 same => n,Dial(PJSIP/{CUSTOMER_LINE},20,U(compliance-callee^sales^outbound^${{EXTEN}}))
 same => n,Hangup()
 same => n(not),Hangup(17)
"""
CONFERENCES = "[general]\n[default_user]\ntype=user\nquiet=yes\n[default_bridge]\ntype=bridge\n"
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
keys = { refuse = "9" }
sales = { introduction = "who-we-are", do_not_call = true }
"""
)


@dataclass(slots=True)
class Watched:
    """A site, its telephones, and what the service said and was while calls were live."""

    site: Site
    phones: dict[str, Phone]
    health: int
    seen: dict[str, bytes] = field(default_factory=dict)

    async def dial(self, who: str, exten: str, **more: Any) -> Leg:
        return await self.phones[who].dial(exten, self.site.asterisk.sip_port, **more)

    async def answered(self, who: str) -> Leg:
        leg = await self.phones[who].next_call()
        await leg.answered()
        return leg

    async def row(self, kind: str, times: int = 1) -> None:
        await self.site.rows_until(lambda rows: [r["kind"] for r in rows].count(kind) >= times)

    async def look(self, when: str) -> None:
        """Keep what monitors, the control socket and the process list show now."""
        status = await self.site.service.status()
        self.seen[f"status {when}"] = json.dumps(status, ensure_ascii=False).encode()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.health}") as http:
            for page in ("health", "metrics"):
                async with http.get(f"/{page}") as answer:
                    self.seen[f"/{page} {when}"] = await answer.read()
        found = command_lines(self.site.service.pid)
        self.seen |= {f"{where} {when}": data for where, data in found.items()}

    async def run(self, *words: str, stdin: str = "") -> str:
        """A command of ours, as staff gives it: what it prints is kept too."""
        line = [*words, "--config", str(self.site.service.config)]
        result = await asyncio.to_thread(CliRunner().invoke, app, line, input=stdin)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    def written(self) -> dict[str, bytes]:
        """Everything there is, but the one table."""
        store = self.site.store
        users = "\n".join(line[-1] for line in self.site.cdrs())
        databases = {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"}
        return {
            **self.seen,
            **tables_of(store),
            **files_below(store.parent, self.site.asterisk.spool_here, without=databases),
            "service's log": self.site.service.log.read_bytes(),
            "CDR(userfield)": users.encode(),
        }


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    async with AsyncExitStack() as stack:
        phones = {}
        for name, user, voice in (
            ("caller", "caller", CALLER),
            ("agent", AGENT_NUMBER, AGENT),
            ("second", SECOND_NUMBER, AGENT2),
            ("customer", CUSTOMER_LINE, OTHER),
        ):
            phone = await stack.enter_async_context(await Phone.open(user, voice))
            phone.answer_after = 0.05
            phone.lines = 2
            phones[name] = phone
        ports = {phone.name: phone.port for name, phone in phones.items() if name != "caller"}
        block = PortBlock.claim()
        stack.callback(block.release)
        health = block.spare[0]
        site = await Site.open(
            ports,
            extensions=EXTENSIONS,
            policies=POLICIES + f"\n[health]\nport = {health}\n",
            dialplan_s=12.0,
            install_prompts=lambda sounds: install_all(sounds, ["who-we-are"]),
            extra={"confbridge.conf": CONFERENCES},
            serve=False,
        )
        await stack.enter_async_context(site)
        site.service.options = ("--log-level", "info")
        await site.service.start()
        yield Watched(site, phones, health)


async def everybody_talks(at: Watched) -> None:
    """An inbound call that is handed on, a conference, sales calls, a hostile caller."""
    hanako = address(CALLER_NUMBER, CALLER_NAME)
    caller = await at.dial("caller", "100", from_value=hanako)
    agent = await at.answered("agent")
    await at.row("recording_growing")
    await at.look("in a call")
    assert await agent.transfer("202") == 200
    second = await at.answered("second")
    await at.row("party_told")
    await caller.hang_up()
    await second.ended()
    await at.site.until_ended(1)

    caller = await at.dial("caller", "180", from_value=hanako)
    await caller.answered()
    await at.row("decision", 2)
    agent = await at.dial("agent", "181")
    await agent.answered()
    await at.row("party_joined", 3)
    await at.look("in a conference")
    await caller.hang_up()
    await agent.hang_up()
    await at.site.until_ended(2)

    agent = await at.dial("agent", CUSTOMER_NUMBER)
    customer = await at.phones["customer"].next_call()
    await customer.answered()
    await customer.until_heard(1.2)
    await at.look("in a sales call")
    customer.send_digit("9")
    await agent.ended()
    await at.site.until_ended(3)
    await at.run("do-not-call", "add", "-", stdin=f"{LISTED_NUMBER}\n")
    for number in (CUSTOMER_NUMBER, LISTED_NUMBER):
        agent = await at.dial("agent", number)
        await agent.ended()
    await at.row("call_blocked", 2)

    hostile = await at.dial(
        "caller", "100", from_value=f'"{HOSTILE}" <sip:+81{HOSTILE_NUMBER[1:]}@127.0.0.1>'
    )
    await at.answered("agent")
    await hostile.until_heard(1.5)
    await hostile.hang_up()
    await at.site.until_ended(4)


def plant(at: Watched, where: str) -> None:
    """Leak on purpose."""
    recordings, number = at.site.recordings, f"+81 {CALLER_NUMBER[1:]}"
    match where:
        case "file name":
            (recordings / f"{CALLER_NUMBER}.wav").touch()
        case "file":
            (recordings / "note.txt").write_text(f"call {number[:6]}-{number[6:]} back")
        case "log":
            with at.site.service.log.open("a") as log:
                log.write(f"debug caller={number.replace(' ', '')}\n")
        case "JSON Lines":
            with (at.site.store / JSON_LINES).open("a") as lines:
                lines.write('{"name": "\\u9ed2\\u5ca9 KUROIWA"}\n')
        case "metrics":
            at.seen["/metrics"] = b'calls_total{caller="' + CALLER_NUMBER[-7:].encode() + b'"} 1'


async def test_nobody_is_named_anywhere_and_an_erased_person_is_gone():
    async with watched() as at:
        await everybody_talks(at)
        await at.look("afterwards")

        assert traces(PEOPLE, at.written()) == []
        kept = {person.who for person in PEOPLE if person.is_in(values_of(at.site.store))}
        assert kept >= {"caller", "customer", "hostile"}, "the search finds them where they may be"

        _a_leak_is_found(at)
        await _the_caller_is_erased(at)


def _a_leak_is_found(at: Watched) -> None:
    clean, seen = at.written(), dict(at.seen)
    for where, who in {
        "file name": "caller",
        "file": "caller",
        "log": "caller",
        "metrics": "caller",
        "JSON Lines": "hostile",
    }.items():
        plant(at, where)
        found = traces(PEOPLE, at.written())
        assert [one.who for one in found] == [who], where
        assert isinstance(found[0], Trace)
        at.seen = dict(seen)
        _mended(at, clean)
    assert traces(PEOPLE, at.written()) == []


def _mended(at: Watched, clean: dict[str, bytes]) -> None:
    for name in (f"{CALLER_NUMBER}.wav", "note.txt"):
        (at.site.recordings / name).unlink(missing_ok=True)
    at.site.service.log.write_bytes(clean["service's log"])
    (at.site.store / JSON_LINES).write_bytes(clean[f"file store/{JSON_LINES}"])


async def _the_caller_is_erased(at: Watched) -> None:
    wish = ["--number", "-", "--ground", "JP_CEASE_USE", "--authority", "REQ-2026-0042"]
    said = await at.run("persons", "erase", *wish, "--yes", stdin=f"+81 {CALLER_NUMBER[1:]}\n")
    assert "of 2 parties" in said
    assert traces([PEOPLE[0]], {"what the command said": said.encode()}) == []
    store = at.site.store
    gone = b"".join(path.read_bytes() for path in store.iterdir() if path.is_file())
    assert CALLER_NUMBER.encode() not in gone
    assert b"Yamanobe" not in gone
    assert b"Kuroiwa" in gone, "of others nothing is erased"
    assert (await asyncio.to_thread(verify, store)).intact
    assert "queue_log" in said
    assert traces(PEOPLE, at.written()) == []
    assert CALLER_NUMBER in str(at.site.cdrs()), "Asterisk still has it, as the command says"
