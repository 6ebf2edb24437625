"""Real calls, and somebody who may have been on the machine: exactly what was there was reached."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from asterisk_compliance.age import fingerprint, new_identity
from asterisk_compliance.cli.main import app
from e2e.conftest import Scene

pytestmark = pytest.mark.asterisk

IDENTITY, RECIPIENT = new_identity()
SEALED = f'recipients = ["{RECIPIENT}"]'


async def incidents(scene: Scene, *words: str, code: int = 0, said: str = "") -> Any:
    """What the command answers, beside the running service."""
    whole = ["incidents", *words, "--config", str(scene.site.service.config), "--json"]
    result = await asyncio.to_thread(CliRunner().invoke, app, whole, input=said)
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout)


def row_at(scene: Scene, kind: str, recording: str) -> str:
    """When the row about this recording was written."""
    (found,) = [
        row["at"]
        for row in scene.site.rows()
        if row["kind"] == kind and row["detail"].get("recording") == recording
    ]
    return str(found)


async def test_a_leak_reaches_exactly_what_was_there(set_the_scene):
    scene = await set_the_scene(vault=SEALED)
    recordings = []
    for calls in (1, 2):
        leg, agent = await scene.connect("100")
        await agent.until_heard(0.5)
        await leg.hang_up()
        await scene.site.until_ended(calls)
        recordings.append(scene.details("recording_sealed")[-1]["recording"])
    first, second = recordings
    requested = row_at(scene, "recording_requested", second)

    # Somebody read the vault until the second call was about to be recorded.
    number = str((await incidents(scene, "open", "--category", "WRONGFUL"))["incident"])
    window = ("--since", row_at(scene, "recording_sealed", first), "--until", requested)
    vault = await incidents(scene, "assess", number, *window, "--place", "VAULT")
    assert [(one["what"], one["forms"]) for one in vault["reached"]] == [(first, ["sealed"])]
    assert vault["recipients"] == [fingerprint(RECIPIENT)]
    assert (vault["encrypted"], vault["persons"], vault["duties"]) == (True, 1, [])

    # The spool was open while the second call was recorded: that is plain.
    during = ("--since", requested, "--until", row_at(scene, "recording_closed", second))
    spool = await incidents(scene, "assess", number, *during, "--place", "SPOOL", code=1)
    assert [(one["what"], one["forms"]) for one in spool["reached"]] == [(second, ["spooled"])]
    assert spool["duties"] == ["PRELIMINARY", "FINAL", "PERSONS"]

    # While a call is being recorded now, what the disk holds of it counts too.
    leg, agent = await scene.connect("100")
    await agent.until_heard(0.5)
    live = scene.details("recording_requested")[-1]["recording"]
    since = row_at(scene, "recording_requested", live)
    now = await incidents(scene, "assess", number, "--since", since, code=1)
    forms = {one["what"]: one["forms"] for one in now["reached"]}
    assert forms == {first: ["sealed"], second: ["sealed"], live: ["spooled"]}
    assert (now["strangers"], now["lost"], now["persons_most"]) == (0, 0, 3)
    assert now["values"] == 3, "the store holds the callers' numbers"
    await leg.hang_up()
    await scene.site.until_ended(3)

    await incidents(scene, "note", number, "--item", "CAUSE", said="an open port")
    draft = await incidents(scene, "report", number, "--language", "en")
    assert "an open port" in draft["text"]
    assert "CAUSE" not in draft["missing"]
    assert {"OUTLINE", "PREVENTION"} <= set(draft["missing"])
    for step in ("PRELIMINARY", "PERSONS", "FINAL"):
        await incidents(scene, "report", number, "--sent", step)
    await incidents(scene, "close", number, "--outcome", "REPORTED")
    kinds = [row["kind"] for row in scene.site.rows() if row["kind"].startswith("incident_")]
    assert kinds == [
        "incident_opened",
        *["incident_assessed"] * 3,
        "incident_noted",
        *["incident_reported"] * 3,
        "incident_closed",
    ]
    assert "open port" not in json.dumps(scene.site.rows())
