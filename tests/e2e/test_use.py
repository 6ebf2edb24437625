"""A real call is used for what its parties were told, and for nothing else without a ground."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.age import new_identity
from e2e.office import Office, must_hold, open_office
from lab.hearing import Capture, parties_recorded
from lab.notice_search import NoticeSearch
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

IDENTITY, RECIPIENT = new_identity()
SEALED = f'recipients = ["{RECIPIENT}"]'

QUALITY = """
[[notice]]
id = "quality"
version = "1"
purposes = ["QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = "To improve our service, we record this call."

[[policy]]
name = "{policy}"
notice = "quality"
languages = ["en"]
{more}
"""
INBOUND = """
[[notice]]
id = "test"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = "To confirm your request and improve our service, we record this call."

[[policy]]
name = "inbound"
notice = "test"
languages = ["en"]
"""
PUT_THROUGH = """
[from-lab]
exten => 400,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20,t)
 same => n,Hangup()
exten => 500,1,Dial(PJSIP/outside,20,U(compliance-callee^outside))
 same => n,Hangup()
"""


async def run(config: Path, *words: object) -> tuple[int, bytes, str]:
    """A command on the same machine: exit status, what it prints, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *map(str, (sys.executable, "-m", "asterisk_compliance", *words, "--config", config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, said = await process.communicate()
    return int(process.returncode or 0), out, said.decode()


def details(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row["detail"] for row in rows if row["kind"] == kind]


async def test_who_was_told_of_quality_is_used_for_quality(set_the_scene, tmp_path):
    began = time.monotonic()
    scene = await set_the_scene(vault=SEALED, policies=QUALITY.format(policy="inbound", more=""))
    leg, agent = await scene.connect("102")
    await agent.until_heard(1.5)
    rows = await scene.hang_up(leg)
    ended = time.monotonic()
    (call,) = {row["call"] for row in rows if row["call"]}
    recording, config = f"r-{call[2:]}-1", scene.site.service.config
    key = tmp_path / "officer.key"
    key.write_text(IDENTITY + "\n")

    async def release(out: Path, purpose: str, *more: str) -> tuple[int, str]:
        words = ("--purpose", purpose, "--reason", "COMPLAINT", "--out", out, "--identity", key)
        status, _, said = await run(config, "recordings", "release", recording, *words, *more)
        return status, said

    told, untold, lawful = (tmp_path / f"{name}.wav" for name in ("told", "untold", "lawful"))
    assert await release(told, "QUALITY") == (0, "")
    status, said = await release(untold, "DISPUTE")
    assert (status, untold.exists()) == (1, False)
    assert said.startswith("error: NOT_TOLD: ")
    ground = ("--ground", "JP_LAW", "--reference", "Tokyo District Court R8-123")
    assert await release(lawful, "DISPUTE", *ground) == (0, "")
    assert lawful.read_bytes() == told.read_bytes()
    why = ("--purpose", "QUALITY", "--reason", "REVIEW", "--identity", key)
    status, heard, _ = await run(config, "recordings", "listen", recording, *why)
    assert (status, heard) == (0, told.read_bytes())

    after = scene.site.rows()
    names = ("action", "purpose", "reason", "ground", "told")
    assert [tuple(one[name] for name in names) for one in details(after, "recording_released")] == [
        ("EXPORT", "QUALITY", "COMPLAINT", "", True),
        ("EXPORT", "DISPUTE", "COMPLAINT", "JP_LAW", False),
        ("LISTEN", "QUALITY", "REVIEW", "", True),
    ]
    (refused,) = details(after, "use_refused")
    assert (refused["purpose"], refused["refusal"]) == ("DISPUTE", "NOT_TOLD")
    assert "R8-123" not in json.dumps(after)

    schedules = {"caller": scene.caller.schedule, "agent": scene.agent.schedule}
    prompt = NoticeSearch(read_wav(scene.site.asterisk.sounds_here / "en/notice-test.wav")[0])
    capture = Capture.read(told, schedules, prompt, began, ended)
    must_hold(*parties_recorded(capture, ("caller", "agent"), least_s=1.0))

    bundle = tmp_path / "evidence.zip"
    words = ("evidence", "export", call, "--out", bundle, "--reason", "CLAIM", "--purpose")
    status, _, said = await run(config, *words, "DISPUTE")
    assert (status, bundle.exists()) == (1, False), said
    status, _, said = await run(config, *words, "DISPUTE", *ground)
    assert (status, "warning" in said) == (0, False), said
    with zipfile.ZipFile(bundle) as opened:
        page = opened.read("report.html").decode()
        opened.extractall(tmp_path / "unpacked")
    assert "DISPUTE, because of CLAIM, on the ground JP_LAW" in page
    checked = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(tmp_path / "unpacked/verify.py")),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        verdict, _ = await checked.communicate()
    assert checked.returncode == 0, verdict.decode()


async def test_somebody_outside_who_was_told_less_binds_the_recording_too(tmp_path):
    policies = INBOUND + QUALITY.format(policy="outside", more="")
    async with open_office(PUT_THROUGH, policies=policies) as office:
        customer = await office.dial("customer", "400")
        agent = await office.called("agent")
        await office.seen("recording_growing")
        assert await agent.transfer("500") == 200
        outside = await office.called("outside", 10.0)
        await office.seen("party_joined", 2)
        await outside.until_heard(1.0)
        await customer.hang_up()
        await office.site.until_ended()
        covers = [one["cover"] for one in office.details("party_joined")]
        assert covers == ["assumed", "told"]
        await outside_binds(office, tmp_path)


async def outside_binds(office: Office, tmp_path: Path) -> None:
    recording = max(one["recording"] for one in office.details("recording_closed"))
    config = office.site.service.config
    for purpose, expected in (("SERVICE", 1), ("QUALITY", 0)):
        why = ("--purpose", purpose, "--reason", "REVIEW", "--out", tmp_path / purpose)
        status, _, said = await run(config, "recordings", "release", recording, *why)
        assert status == expected, said
    (refused,) = office.details("use_refused")
    assert (refused["purpose"], refused["refusal"]) == ("SERVICE", "NOT_TOLD")


async def test_who_withdrew_is_used_by_nobody_and_a_role_is_asked_before(set_the_scene, tmp_path):
    role = """
[[role]]
name = "officers"
users = ["root"]
purposes = ["QUALITY", "DISPUTE"]
actions = ["EXPORT"]
"""
    policies = QUALITY.format(policy="inbound", more='on_withdrawal = "hold"') + role
    scene = await set_the_scene(policies=policies)
    leg, _ = await scene.connect("102")
    await scene.site.rows_until(lambda rows: any(r["kind"] == "recording_growing" for r in rows))
    call = scene.site.rows()[-1]["call"]
    await scene.site.service.ask("withdraw", call)
    await scene.hang_up(leg)
    recording, config = f"r-{call[2:]}-1", scene.site.service.config
    out = tmp_path / "out.wav"
    why = ("--purpose", "QUALITY", "--reason", "REVIEW")
    for command, refusal in (
        (("release", recording, *why, "--out", out), "WITHDRAWN"),
        (("listen", recording, *why), "NOT_IN_ROLE"),
    ):
        status, heard, said = await run(config, "recordings", *command)
        assert (status, heard) == (1, b"")
        assert said.startswith(f"error: {refusal}: ")
    assert not out.exists()
    after = scene.site.rows()
    assert [one["refusal"] for one in details(after, "use_refused")] == ["WITHDRAWN", "NOT_IN_ROLE"]
    claim = ("--ground", "GDPR_LEGAL_CLAIMS", "--reference", "CASE-2026-17")
    status, _, said = await run(
        config, "recordings", "release", recording, *why, "--out", out, *claim
    )
    assert (status, out.exists()) == (0, True), said
    (released,) = details(scene.site.rows(), "recording_released")
    assert (released["allowed_by"], released["told"]) == ("officers", True)
