"""A real call is recorded, its time passes, and it goes: unless somebody holds it.

Time passes by a clock that is given, never by waiting.
"""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from asterisk_compliance.app.retention.disposal import DisposalRun
from asterisk_compliance.cli.main import app
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.retention.schedule import WITHDRAWN_AFTER_MS
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from e2e.steering import EXTENSIONS as EXTENSIONS_OF_STEERING
from e2e.steering import Recorded, policy, steered
from lab.site import EXTENSIONS, TEST_POLICIES

pytestmark = pytest.mark.asterisk

SHORTEST = """
[[purpose]]
code = "SERVICE"
retention = "0 days"

[[purpose]]
code = "QUALITY"
retention = "1 day"

[rules]
home = "JP"
time_zone = "Asia/Tokyo"
"""
QUEUED = """
exten => 104,1,Gosub(compliance-notice,s,1(inbound,support))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
"""


async def command(scene: Any, *words: str, code: int = 0) -> Any:
    line = [*words, "-c", str(scene.site.service.config)]
    result = await asyncio.to_thread(CliRunner().invoke, app, line)
    assert result.exit_code == code, (result.output, result.exception)
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith(("{", "["))]


def disposed(scene: Any, now_ms: int) -> dict[str, int]:
    """With the store's lock, at a time that is given."""
    settings = load(scene.site.service.config, secrets=False)
    with StoreWriter.open(settings.audit.store) as store:
        run = DisposalRun.begin(
            settings, lambda *rows: store.commit(rows)[-1].seq, "officer", now_ms
        )
        run.go_on()
        return dict(run.answer())


def recordings(scene: Any) -> list[Path]:
    return sorted(scene.site.recordings.iterdir())


async def test_a_recording_goes_when_its_time_is_over_unless_it_is_held(set_the_scene):
    scene = await set_the_scene(policies=SHORTEST + TEST_POLICIES, extensions=EXTENSIONS + QUEUED)
    leg, agent = await scene.connect("104")
    await agent.until_heard(0.5)
    await scene.hang_up(leg)
    (file,) = recordings(scene)
    digest = sha256(file.read_bytes()).hexdigest()
    (requested,) = scene.details("recording_requested")
    assert requested["retention"] == ["QUALITY=1 day", "SERVICE=0 days"]
    assert scene.details("call_arrived")[0]["queue"] == "support"

    # Nothing is due today; at the second midnight in Tokyo it will be, and not a second before.
    assert (await command(scene, "retention", "run", "--yes", "--json"))[0]["disposed"] == 0
    (planned,) = await command(scene, "retention", "plan", "--at", "2100-01-01", "--json", code=1)
    due_ms = milliseconds(planned["due"][0]["due_at"])
    (placed,) = await command(
        scene, "holds", "place", "CASE-2026-17", "--queue", "support", "--json"
    )
    assert placed["calls"] == 1
    (planned,) = await command(scene, "retention", "plan", "--at", "2100-01-01", "--json")
    assert [one["held_by"] for one in planned["held"]] == [["CASE-2026-17"]]
    await scene.site.service.stop()

    assert disposed(scene, due_ms)["disposed"] == 0
    assert recordings(scene) == [file], "it is held"
    await command(scene, "holds", "release", "CASE-2026-17")
    assert disposed(scene, due_ms - 1_000)["disposed"] == 0
    assert recordings(scene) == [file], "a second too early"
    assert disposed(scene, due_ms)["disposed"] == 1

    assert recordings(scene) == []
    (gone,) = scene.details("recording_disposed")
    assert gone["files"] == [f".wav {digest}"]
    assert gone["as_logged"] is True
    assert (gone["ground"], gone["rule"], gone["period"]) == ("NOT_NEEDED", "QUALITY", "1 day")
    assert list(verify(scene.site.store).faults) == []
    found = await command(scene, "reconcile", "--json", "--digests")
    assert found[-1]["summary"]["unexplained"] == {}


async def test_who_withdraws_deletes_nothing_that_is_held():
    async with steered(EXTENSIONS_OF_STEERING, policy(on_withdrawal="delete")) as office:
        call = await Recorded.begin(office)
        await command(office, "holds", "place", "CASE-2026-17", "--since", "1h", "--json")
        await call.customer.until_heard(0.5)
        assert (await call.ask("withdraw"))[:2] == (0, "REFUSED\n")
        await office.seen("anomaly")
        assert office.details("anomaly")[0]["code"] == "RECORDING_NOT_REMOVED"
        await call.end()
        assert [path.stem for path in office.recordings()] == [call.recording()]
        await command(office, "holds", "release", "CASE-2026-17", "--json")
        await office.site.service.stop()

        (ended,) = office.rows("call_ended")
        due_ms = milliseconds(ended["at"]) + WITHDRAWN_AFTER_MS
        assert disposed(office, due_ms - 1)["disposed"] == 0
        assert disposed(office, due_ms)["disposed"] == 1
        assert office.recordings() == []
        assert office.details("recording_disposed")[0]["ground"] == "WITHDRAWN"
