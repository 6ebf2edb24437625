"""The dialplan checker, on what a real Asterisk prints of the dialplan that it has loaded."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from lab.site import EXTENSIONS, Site

pytestmark = pytest.mark.asterisk

PLANTED = """
[planted]
exten => _9.,1(begin),NoOp(a [label]\\, and \\; more)
 same => n(there),GotoIf($["${X}"="1"]?there)
 same => n,Set(WHO=${CALLERID(name)})
 same => n,System(log ${WHO})
 same => n,MixMonitor(/tmp/a.wav,b)
 same => n,Gosub(compliance-notice,s,1(nobody))
 same => n,Dial(PJSIP/03@trunk,30)
exten => 200/0398,1,MixMonitor(b.wav)
include => more,09:00-17:00,mon-fri,*,*
[more]
exten => 201,1,Goto(nowhere,s,1)
"""


async def checked(site: Site, source: str, given: str = "") -> list[dict[str, Any]]:
    """What the command says of a file, or of what it is given."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "asterisk_compliance", "dialplan", "check", source, "--json"),
        *("-c", str(site.directory / "compliance.toml")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, _ = await program.communicate(given.encode())
    found: list[dict[str, Any]] = json.loads(out)
    assert program.returncode == (1 if "error" in {one["severity"] for one in found} else 0)
    return found


async def test_the_dialplan_of_the_lab_has_no_finding() -> None:
    async with await Site.open({"agent": 9}, serve=False) as site:
        shown = await site.asterisk.cli("dialplan show")
        assert "compliance-notice" in shown
        assert await checked(site, "-", shown) == []
        file = str(site.asterisk.home / "etc/extensions.conf")
        assert await checked(site, file) == []


async def test_what_was_planted_is_found_in_the_file_and_in_what_asterisk_prints() -> None:
    async with await Site.open({"agent": 9}, extensions=EXTENSIONS + PLANTED, serve=False) as site:
        shown = await site.asterisk.cli("dialplan show")
        by_show = await checked(site, "-", shown)
        by_file = await checked(site, str(site.asterisk.home / "etc/extensions.conf"))
    assert by_show == by_file
    assert [(one["id"].removeprefix("DIALPLAN_"), one["address"]) for one in by_show] == [
        ("CALLER_DATA_EXECUTED", "planted,_9.,4"),
        ("RECORDED_UNTOLD", "planted,_9.,5"),
        ("POLICY_UNKNOWN", "planted,_9.,6"),
        ("RECORDED_UNTOLD", "planted,200,1"),
        ("OUTSIDE_NOT_TOLD", "planted,_9.,7"),
        ("TARGET_MISSING", "more,201,1"),
    ]
    assert {one["file"] for one in by_show} == {"extensions.conf"}


async def test_without_a_file_that_it_includes_asterisk_keeps_the_dialplan_that_it_had() -> None:
    """So it is an error: after a restart there is none at all."""
    async with await Site.open({"agent": 9}, serve=False) as site:
        file = site.asterisk.home / "etc/extensions.conf"
        text = f"{file.read_text()}\n[newer]\nexten => 1,1,NoOp()\n"
        await site.asterisk.reload_extensions(f"{text}#include nothing.conf\n")
        shown = await site.asterisk.cli("dialplan show")
        assert "'compliance-notice'" in shown
        assert "'newer'" not in shown
        (finding,) = await checked(site, str(file))
        assert finding["id"] == "DIALPLAN_INCLUDE_MISSING"
        await site.asterisk.reload_extensions(text)
        assert "'newer'" in await site.asterisk.cli("dialplan show")


async def test_what_is_included_too_deep_asterisk_leaves_out_as_the_checker_does() -> None:
    """Eleven files inside of each other beside the first one; each adds a priority."""
    async with await Site.open({"agent": 9}, serve=False) as site:
        etc = site.asterisk.home / "etc"
        for number in range(1, 12):
            deeper = f"exten => 1,{number},NoOp()\n#include deep{number + 1}.conf\n"
            (etc / f"deep{number}.conf").write_text(deeper)
        text = (etc / "extensions.conf").read_text()
        await site.asterisk.reload_extensions(f"{text}\n[deep]\n#include deep1.conf\n")
        shown = await site.asterisk.cli("dialplan show deep")
        assert "10. NoOp()" in shown
        assert "11. NoOp()" not in shown
        (finding,) = await checked(site, str(etc / "extensions.conf"))
        assert finding["id"] == "DIALPLAN_LINE_IGNORED"
        assert (finding["file"], finding["line"]) == ("deep10.conf", 2)


async def test_a_number_goes_on_in_a_pattern_that_takes_it_too() -> None:
    """So Asterisk does, and so the checker follows it: this call would be recorded."""
    goes_on = """
[goes-on]
exten => 110,1,NoOp()
exten => _1XX,2,Set(GLOBAL(SEEN)=yes)
 same => n,MixMonitor(a.wav)
"""
    async with await Site.open({"agent": 9}, extensions=EXTENSIONS + goes_on, serve=False) as site:
        await site.asterisk.cli("channel originate Local/110@goes-on application Wait 1")
        async with asyncio.timeout(10):
            shown = ""
            while "SEEN=yes" not in shown:
                shown = await site.asterisk.cli("dialplan show globals")
                await asyncio.sleep(0.05)
        found = await checked(site, str(site.asterisk.home / "etc/extensions.conf"))
    assert [(one["id"], one["address"]) for one in found] == [
        ("DIALPLAN_RECORDED_UNTOLD", "goes-on,_1XX,3")
    ]
