"""Somebody who was recorded asks: real calls, the running service, the commands of the officer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from asterisk_compliance.cli.main import app
from asterisk_compliance.storage.proofs.verification import verify
from lab.site import EXTENSIONS, TEST_POLICIES

pytestmark = pytest.mark.asterisk

NUMBER = "03-4567-8901"
POLICIES = TEST_POLICIES + '[rules]\nhome = "JP"\ntime_zone = "Asia/Tokyo"\n'
NUMBERED = (
    EXTENSIONS
    + """
exten => 105,1,Set(CALLERID(num)=0345678901)
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
"""
)


async def command(scene: Any, *words: str, code: int = 0, said: str = "") -> str:
    """What a command prints; it runs in a thread, beside the service's loop."""
    line = [*words, "-c", str(scene.site.service.config)]
    result = await asyncio.to_thread(CliRunner().invoke, app, line, input=said)
    assert result.exit_code == code, (words, result.output, result.exception)
    return result.stdout


async def refused(scene: Any, *words: str) -> str:
    line = [*words, "-c", str(scene.site.service.config)]
    result = await asyncio.to_thread(CliRunner().invoke, app, line)
    assert result.exit_code == 1, (words, result.output, result.exception)
    return str(result.exception)


async def called(scene: Any) -> Path:
    """One more recorded call of the person, and its file in the vault."""
    before = set(scene.site.recordings.iterdir())
    leg, agent = await scene.connect("105")
    await agent.until_heard(0.5)
    await leg.hang_up()
    await scene.site.until_ended(len(before) + 1)
    (file,) = set(scene.site.recordings.iterdir()) - before
    return Path(file)


async def opened(scene: Any, right: str) -> str:
    """A request of the person, who was called back under his number."""
    line = ("open", right, "--name", "-", "--contact", "-", "--number", "-", "--json")
    said = f"Yamanobe\n1-2-3 Marunouchi\n{NUMBER}\n"
    request = str(json.loads(await command(scene, "requests", *line, said=said))["request"])
    await command(scene, "requests", "identify", request, "--how", "CALLED_BACK")
    return request


async def test_what_a_person_wants_erased_goes_but_for_what_is_held(set_the_scene, tmp_path):
    scene = await set_the_scene(policies=POLICIES, extensions=NUMBERED)
    free, held = await called(scene), await called(scene)
    held_call = f"c-{held.name[2:30]}"
    await command(scene, "holds", "place", "CASE-2026-17", "--call", held_call)
    request = await opened(scene, "ERASE")
    grant = ("requests", "decide", request, "--cause", "JP_CEASE_USE")
    assert "a legal hold" in await refused(scene, *grant, "GRANTED", "--reason", "LAW")
    await command(scene, *grant, "IN_PART", "--reason", "ON_HOLD")
    assert "not carried out" in await refused(
        scene, "requests", "answer", request, "--means", "POST", "--given", "LETTER"
    )
    await command(scene, "requests", "carry-out", request)
    assert free.exists(), "nothing without --yes"
    done = json.loads(await command(scene, "requests", "carry-out", request, "--yes", "--json"))
    assert {name: done[name] for name in ("recordings", "parties", "copies_left", "done")} == {
        "recordings": 1,
        "parties": 1,
        "copies_left": {},
        "done": True,
    }
    assert list(scene.site.recordings.iterdir()) == [held]
    (gone,) = scene.details("recording_disposed")
    assert (gone["ground"], gone["rule"], gone["as_logged"]) == ("REQUESTED", request, True)
    (party,) = json.loads(await command(scene, "persons", "find", "--number", NUMBER, "--json"))
    assert party["call"] == held_call, "by his number only what is held is found"

    page = tmp_path / "receipt.txt"
    answer = ("requests", "answer", request, "--means", "POST", "--receipt", str(page))
    await command(scene, *answer, "--language", "en")
    lines = {line.split()[0]: line for line in page.read_text().splitlines() if "  c-" in line}
    assert "recorded, the recording was erased on" in lines[f"c-{free.name[2:30]}"]
    assert "needed for legal proceedings" in lines[held_call]
    assert "Yamanobe" not in page.read_text()
    again = await command(scene, "requests", "receipt", request, "--language", "en")
    assert again == page.read_text()
    assert json.loads(await command(scene, "requests", "list", "--json")) == []
    await scene.site.service.stop()
    assert list(verify(scene.site.store).faults) == []
    found = await command(scene, "reconcile", "--json", "--digests")
    assert json.loads(found.splitlines()[-1])["summary"]["unexplained"] == {}


async def test_what_a_person_wants_not_to_be_used_is_not_until_he_takes_it_back(
    set_the_scene, tmp_path
):
    scene = await set_the_scene(policies=POLICIES, extensions=NUMBERED)
    file = await called(scene)
    release = ("recordings", "release", file.stem, "--purpose", "QUALITY", "--reason", "REVIEW")
    await command(scene, *release, "--out", str(tmp_path / "before.wav"))
    request = await opened(scene, "STOP_USE")
    await command(scene, "requests", "decide", request, "GRANTED", "--reason", "LAW")
    (stopped,) = [row for row in scene.site.rows() if row["kind"] == "use_stopped"]
    assert (stopped["call"], stopped["detail"]["request"]) == (f"c-{file.name[2:30]}", request)
    await refused(scene, *release, "--out", str(tmp_path / "stopped.wav"))
    assert not (tmp_path / "stopped.wav").exists()
    assert scene.details("use_refused")[-1]["refusal"] == "STOPPED"
    await command(scene, "requests", "answer", request, "--means", "MAIL", "--given", "LETTER")
    assert "is not used any longer" in await command(
        scene, "requests", "receipt", request, "--language", "en"
    )
    await command(scene, "requests", "withdraw", request)
    await command(scene, *release, "--out", str(tmp_path / "after.wav"))
    assert (tmp_path / "after.wav").read_bytes() == (tmp_path / "before.wav").read_bytes()
    await scene.site.service.stop()
    assert list(verify(scene.site.store).faults) == []
