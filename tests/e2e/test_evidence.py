"""The evidence of a real call: exported by the officer, verified by somebody who has nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from asterisk_compliance.age import new_identity
from e2e.conftest import Scene
from e2e.office import must_hold
from lab.hearing import Capture, notice_not_recorded, parties_recorded
from lab.notice_search import NoticeSearch
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

IDENTITY, RECIPIENT = new_identity()
SEALED = f'recipients = ["{RECIPIENT}"]'
WHY = ("--purpose", "QUALITY", "--reason", "CLAIM")


async def command(scene: Scene, *words: object) -> str:
    config = ("--config", scene.site.service.config)
    process = await asyncio.create_subprocess_exec(
        *map(str, (sys.executable, "-m", "asterisk_compliance", *words, *config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return out.decode()


def verified(directory: Path, *key: str) -> tuple[int, list[str]]:
    """What the program in the bundle says, run from nowhere near the project."""
    done = subprocess.run(
        [sys.executable, "-I", str(directory / "verify.py"), *key],
        check=False,
        capture_output=True,
        text=True,
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"},
        timeout=30,
    )
    return done.returncode, done.stdout.splitlines()


async def test_the_evidence_of_a_real_call_holds_for_a_stranger(set_the_scene, tmp_path):
    scene = await set_the_scene(vault=SEALED)
    began = asyncio.get_running_loop().time()
    leg, agent = await scene.connect("100")
    await agent.until_heard(1.5)
    rows = await scene.hang_up(leg)
    ended = asyncio.get_running_loop().time()
    (call,) = {row["call"] for row in rows if row["call"]}
    identity, out = tmp_path / "officer.key", tmp_path / "evidence.zip"
    identity.write_text(IDENTITY + "\n")
    words = ("export", call, *WHY, "--out", out, "--identity", identity)
    said = json.loads(await command(scene, "evidence", *words, "--json"))
    recording = f"r-{call[2:]}-1"
    assert said["notice_in_recording"] == {recording: False}

    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(out) as bundle:
        bundle.extractall(unpacked)
    shown = json.loads(await command(scene, "audit", "key", "show", "--json"))
    status, told = verified(unpacked, "--key", shown["fingerprint"])
    assert (status, told[-1].split()) == (0, ["VERDICT", "VERIFIED"])
    assert any(f"could {recording} begin: no sample is older" in line for line in told)
    status, told = verified(unpacked)
    assert (status, told[-1].split(maxsplit=1)[1]) == (0, "CONSISTENT, origin not proven")

    schedules = {"caller": scene.caller.schedule, "agent": scene.agent.schedule}
    prompt = NoticeSearch(read_wav(scene.site.asterisk.sounds_here / "en/notice-test.wav")[0])
    wav = unpacked / f"recording/{recording}.wav"
    capture = Capture.read(wav, schedules, prompt, began, ended)
    must_hold(
        *parties_recorded(capture, ("caller", "agent"), least_s=1.0),
        notice_not_recorded(capture),
    )
    page = (unpacked / "report.html").read_text()
    assert page.count("<polygon") == 2
    assert "notice: 0." in page
    assert "greatest similarity" in page
    assert "we record this call" in page

    data = bytearray(wav.read_bytes())
    data[-1] ^= 1
    wav.write_bytes(data)
    status, told = verified(unpacked, "--key", shown["key"])
    assert status == 1
    assert any(line.startswith("WRONG") and f"recording/{recording}.wav" in line for line in told)


async def test_a_call_that_was_not_recorded_has_evidence_of_that(set_the_scene, tmp_path):
    scene = await set_the_scene(vault=SEALED)
    leg = await scene.caller.dial("100", scene.port)
    await leg.answered()
    await leg.until_heard(0.3)
    rows = await scene.hang_up(leg)
    (call,) = {row["call"] for row in rows if row["call"]}
    out = tmp_path / "evidence.zip"
    await command(scene, "evidence", "export", call, *WHY, "--out", out)
    verdict = json.loads(await command_alone("evidence", "verify", out, "--json"))
    assert not verdict["wrong"]
    assert any("NOT_RECORDED, HANGUP_IN_NOTICE" in text for text in verdict["checked"])
    with zipfile.ZipFile(out) as bundle:
        assert not [name for name in bundle.namelist() if name.startswith("recording/")]


async def command_alone(*words: object) -> str:
    process = await asyncio.create_subprocess_exec(
        *map(str, (sys.executable, "-m", "asterisk_compliance", *words)),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return out.decode()
