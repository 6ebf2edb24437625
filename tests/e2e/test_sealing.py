"""A real call is sealed: the officer hears both parties, and nobody else can hear anything."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from asterisk_compliance.age import fingerprint, new_identity
from e2e.conftest import Scene
from e2e.office import must_hold
from lab.hearing import Capture, parties_recorded
from lab.notice_search import NoticeSearch
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

IDENTITY, RECIPIENT = new_identity()
DEPUTY, DEPUTY_RECIPIENT = new_identity()
SEALED = f'recipients = ["{RECIPIENT}", "{DEPUTY_RECIPIENT}"]'


async def command(scene: Scene, *words: object) -> str:
    """What a command on the same machine prints, by root."""
    config = ("--config", scene.site.service.config)
    process = await asyncio.create_subprocess_exec(
        *map(str, (sys.executable, "-m", "asterisk_compliance", *words, *config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return out.decode()


def key_of(identity: str, file: Path) -> Path:
    file.write_text(identity + "\n")
    return file


def everything_left(scene: Scene) -> dict[str, bytes]:
    """Every file that the site has, beside Asterisk's own, by its name."""
    places = (scene.site.directory / "state", scene.site.asterisk.spool_here)
    return {
        str(path): path.read_bytes()
        for place in places
        for path in place.rglob("*")
        if path.is_file()
    }


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def lives(pid: int) -> bool:
    """Whether it runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def sealers_of(scene: Scene) -> list[int]:
    return [
        pid
        for pid in children_of(scene.site.service.pid)
        if b"sealer" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


async def test_the_officer_hears_both_and_nothing_is_left_in_plain(set_the_scene, tmp_path):
    began = time.monotonic()
    scene = await set_the_scene(vault=SEALED)
    leg, agent = await scene.connect("100")
    await agent.until_heard(2.5)
    await scene.hang_up(leg)
    ended = time.monotonic()
    kinds = scene.kinds()
    assert kinds[kinds.index("call_ended") :] == [
        "call_ended",
        "recording_closed",
        "recording_sealed",
        "spool_removed",
    ]
    (sealed,) = scene.details("recording_sealed")
    assert sealed["recipients"] == [fingerprint(RECIPIENT), fingerprint(DEPUTY_RECIPIENT)]
    recording = sealed["recording"]
    assert [path.name for path in scene.site.recordings.iterdir()] == [f"{recording}.wav.age"]
    assert scene.site.recordings.stat().st_mode & 0o777 == 0o700

    left = everything_left(scene)
    out = tmp_path / "heard.wav"
    key = key_of(DEPUTY, tmp_path / "deputy.key")
    why = ("--purpose", "QUALITY", "--reason", "REVIEW")
    words = ("release", recording, *why, "--out", out, "--identity", key)
    await command(scene, "recordings", *words)
    stereo = out.read_bytes()
    pieces = [stereo[at : at + 64] for at in range(20_000, len(stereo) - 64, 6_400)]
    pieces += [piece[0::4] for piece in pieces]
    for channel in read_wav(out):
        mono = channel.astype("<i2").tobytes()
        pieces += [mono[at : at + 64] for at in range(10_000, len(mono) - 64, 3_200)]
    heard = [piece for piece in pieces if len(set(piece)) > 20]
    assert len(heard) > 5
    assert not [name for name, data in left.items() if any(piece in data for piece in heard)]

    schedules = {"caller": scene.caller.schedule, "agent": scene.agent.schedule}
    prompt = scene.site.asterisk.sounds_here / "en/notice-test.wav"
    capture = Capture.read(out, schedules, NoticeSearch(read_wav(prompt)[0]), began, ended)
    must_hold(*parties_recorded(capture, ("caller", "agent"), least_s=2.0))

    officer = key_of(IDENTITY, tmp_path / "officer.key")
    drill = await command(scene, "recordings", "drill", "--identity", officer, "--json")
    assert json.loads(drill)["opened"] is True
    released = scene.details("recording_released")
    assert [one["purpose"] for one in released] == ["QUALITY", "DRILL"]
    assert scene.details("recording_drilled")[0]["opened"] is True
    await command(scene, "audit", "verify")


async def test_a_service_that_is_killed_while_it_seals_finishes_when_it_is_back(set_the_scene):
    scene = await set_the_scene(vault=SEALED)
    first, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    await scene.hang_up(first)
    (sealer,) = sealers_of(scene)
    os.kill(sealer, signal.SIGSTOP)
    leg, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    await leg.hang_up()
    await scene.site.rows_until(lambda rows: [r["kind"] for r in rows].count("call_ended") == 2)
    assert scene.kinds().count("recording_closed") == 1
    assert scene.site.spooled() != []
    await scene.site.service.kill()
    await scene.site.service.start()
    assert not lives(sealer), "it died with the service"
    await scene.site.until_ended(2)
    assert scene.kinds().count("recording_sealed") == 2
    kept = sorted(one["recording"] for one in scene.details("recording_sealed"))
    names = sorted(path.name for path in scene.site.recordings.iterdir())
    assert names == [f"{recording}.wav.age" for recording in kept]
    assert scene.site.spooled() == []
    assert (await command(scene, "reconcile", "--digests", "--json")).startswith('{"summary"')


async def test_a_sealer_that_is_killed_costs_no_recording(set_the_scene):
    scene = await set_the_scene(vault=SEALED)
    first, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    await scene.hang_up(first)
    (sealer,) = sealers_of(scene)
    os.kill(sealer, signal.SIGSTOP)
    leg, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    await leg.hang_up()
    await scene.site.rows_until(lambda rows: [r["kind"] for r in rows].count("call_ended") == 2)
    os.kill(sealer, signal.SIGKILL)
    await scene.site.until_ended(2)
    assert scene.kinds().count("recording_sealed") == 2
    assert scene.site.spooled() == []


async def test_who_withdraws_takes_the_sealed_recording_with_him(set_the_scene):
    policies = """
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
on_withdrawal = "delete"
"""
    scene = await set_the_scene(vault=SEALED, policies=policies)
    leg, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    await scene.site.rows_until(lambda rows: any(r["kind"] == "recording_growing" for r in rows))
    call = scene.site.rows()[-1]["call"]
    await scene.site.service.ask("withdraw", call)
    await scene.site.rows_until(lambda rows: any(r["kind"] == "recording_removed" for r in rows))
    await scene.hang_up(leg)
    assert "recording_sealed" in scene.kinds()
    assert list(scene.site.recordings.iterdir()) == []
    assert scene.site.spooled() == []
