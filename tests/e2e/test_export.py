"""A real call leaves for a third party as a vCon: behind the record of it, and heard in it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from asterisk_compliance.age import new_identity
from asterisk_compliance.app.evidence.consent_receipt import missing_fields
from asterisk_compliance.app.evidence.vcon_rules import broken
from asterisk_compliance.cli.main import app
from e2e.conftest import Scene
from e2e.office import must_hold
from lab.hearing import Capture, notice_not_recorded, parties_recorded
from lab.notice_search import NoticeSearch
from lab.site import TEST_POLICIES
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

IDENTITY, RECIPIENT = new_identity()
TABLES = """
[rules]
home = "JP"
time_zone = "Asia/Tokyo"

[publication]
address.en = "1-1 Chiyoda, Tokyo"

[export]
storage_country = "JP"
"""
COURT = "Tokyo District Court"
RECORD = (
    *("--recipient", COURT, "--address", "1-1-4 Kasumigaseki", "--representative", "its president"),
    *("--country", "JP", "--ground", "CONSENT", "--reference", "form 12", "--items", "RECORDING"),
)


async def command(scene: Scene, *words: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command on the same machine."""
    line = [*map(str, words), "--config", str(scene.site.service.config)]
    async with asyncio.timeout(30):
        done = await asyncio.to_thread(CliRunner().invoke, app, line)
    return done.exit_code, done.stdout, done.stderr


def lines_of(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


async def exported(scene: Scene, kind: str, out: Path, *words: object) -> dict[str, Any]:
    """The one document that an export leaves."""
    status, _, said = await command(scene, "export", kind, "--out", out, *words)
    assert status == 0, said
    (line,) = lines_of(out)
    exports = [row for row in scene.site.rows() if row["kind"] == "call_exported"]
    assert exports[-1]["detail"]["sha256"] == hashlib.sha256(line).hexdigest()
    return json.loads(line)


async def test_a_real_call_is_handed_over_behind_the_record_of_it(set_the_scene, tmp_path):
    scene = await set_the_scene(
        vault=f'recipients = ["{RECIPIENT}"]', policies=TEST_POLICIES + TABLES
    )
    began = asyncio.get_running_loop().time()
    leg, agent = await scene.connect("100")
    await agent.until_heard(1.5)
    rows = await scene.hang_up(leg)
    ended = asyncio.get_running_loop().time()
    (call,) = {row["call"] for row in rows if row["call"]}
    identity = tmp_path / "officer.key"
    identity.write_text(IDENTITY + "\n")

    out = tmp_path / "call.vcon.json"
    whole = (call, "--purpose", "QUALITY", "--identity", identity)
    status, _, said = await command(
        scene, "export", "vcon", "--out", out, *whole, "--provision", "1"
    )
    assert (status, "NO_PROVISION" in said, out.exists()) == (1, True, False)
    status, told, said = await command(scene, "provisions", "record", call, *RECORD, "--json")
    assert status == 0, said
    (number,) = json.loads(told)["provisions"]
    document = await exported(scene, "vcon", out, *whole, "--provision", number)
    assert broken(document) == []
    (dialog,) = document["dialog"]
    assert dialog["parties"] == [0, 2]
    assert [one["name"] for one in document["parties"]][::2] == ["anonymous", "anonymous"]
    wav = tmp_path / "heard.wav"
    wav.write_bytes(base64.urlsafe_b64decode(dialog["body"] + "=" * (-len(dialog["body"]) % 4)))
    schedules = {"caller": scene.caller.schedule, "agent": scene.agent.schedule}
    prompt = NoticeSearch(read_wav(scene.site.asterisk.sounds_here / "en/notice-test.wav")[0])
    capture = Capture.read(wav, schedules, prompt, began, ended)
    must_hold(
        *parties_recorded(capture, ("caller", "agent"), least_s=1.0),
        notice_not_recorded(capture),
    )
    (notice,) = [one for one in document["attachments"] if one["purpose"] == "notice"]
    assert notice["body"]["wording"].startswith("To confirm your request")
    released = [row for row in scene.site.rows() if row["kind"] == "recording_released"]
    assert [row["detail"]["provision"] for row in released] == [number]

    why = (call, "--purpose", "QUALITY", "--reason", "REVIEW")
    await exported(scene, "vcon", tmp_path / "one", *why)
    await exported(scene, "vcon", tmp_path / "two", *why)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    receipt = await exported(scene, "dpv", tmp_path / "receipt", *why)
    assert missing_fields(receipt) == []
    assert COURT not in json.dumps([scene.site.rows(), receipt, document])
    status, told, said = await command(scene, "provisions", "list", "--names", "--json")
    assert status == 0, said
    assert [one["recipient"]["name"] for one in json.loads(told)] == [COURT]
