"""A call that bypasses the notice is found; one that came while the service was down is explained.

Asterisk writes its records in every format that we read, and each of them says the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from asterisk_compliance.cli.main import app
from asterisk_compliance.storage.queries.call_records import read_cdrs, read_cel
from lab.site import EXTENSIONS
from lab.versions import has_module

pytestmark = pytest.mark.asterisk

BYPASS = """
exten => 120,1,Answer()
 same => n,Playback(notice-test)
 same => n,Wait(5)
"""

CDR_CUSTOM = "uniqueid linkedid dcontext start answer billsec disposition userfield".split()  # noqa: SIM905
CDR_SQLITE = "start dcontext duration billsec disposition uniqueid userfield".split()  # noqa: SIM905
CEL_SAMPLE = """
eventtype eventtime CALLERID(name) CALLERID(num) CALLERID(ANI) CALLERID(RDNIS) CALLERID(DNID)
CHANNEL(exten) CHANNEL(context) CHANNEL(channame) CHANNEL(appname) CHANNEL(appdata)
CHANNEL(amaflags) CHANNEL(accountcode) CHANNEL(uniqueid) CHANNEL(linkedid) BRIDGEPEER
CHANNEL(userfield) userdeftype eventextra
""".split()  # noqa: SIM905 - easier to read
CEL_SQLITE = "eventtype CHANNEL(context) CHANNEL(uniqueid) CHANNEL(linkedid)".split()  # noqa: SIM905


def quoted(names: list[str]) -> str:
    """A line of CSV, as the mappings of Asterisk's samples write it."""
    return ",".join(f"${{CSV_QUOTE(${{{name}}})}}" for name in names)


def values(names: list[str]) -> str:
    return ",".join(f"'${{{name}}}'" for name in names)


RECORDS = {
    "cdr_custom.conf": "[mappings]\ncustom.csv => "
    + quoted([f"CDR({name})" for name in CDR_CUSTOM]),
    "cdr_sqlite3_custom.conf": "[master]\ntable = cdr\ncolumns = calldate, "
    f"{', '.join(CDR_SQLITE[1:])}\nvalues = {values([f'CDR({name})' for name in CDR_SQLITE])}\n",
    "cel.conf": "[general]\nenable = yes\n"
    "events = CHAN_START,CHAN_END,ANSWER,HANGUP,LINKEDID_END\n",
    "cel_custom.conf": f"[mappings]\nMaster.csv => {quoted(CEL_SAMPLE)}\n",
    "cel_sqlite3_custom.conf": "[master]\ntable = cel\n"
    f"columns = eventtype, context, uniqueid, linkedid\nvalues = {values(CEL_SQLITE)}\n",
}
MODULES = ("cdr_custom", "cdr_sqlite3_custom", "cel_custom", "cel_sqlite3_custom")
NEEDED = "res_cdrel_custom"
"""By those, where Asterisk has it; 16 has not."""


async def test_the_call_that_bypassed_the_notice_is_found_and_the_outage_is_explained(
    set_the_scene,
):
    scene = await set_the_scene(extensions=EXTENSIONS + BYPASS, extra=RECORDS)
    log = scene.site.asterisk.home / "log"
    for name in ("cdr-custom", "cel-custom"):
        (log / name).mkdir()
        (log / name).chmod(0o777)
    needed = (NEEDED,) if has_module(scene.site.asterisk.build, NEEDED) else ()
    for module in (*needed, *MODULES):
        assert "Loaded" in await scene.site.asterisk.cli(f"module load {module}.so")

    leg, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    await scene.hang_up(leg)
    bypassing = await scene.caller.dial("120", scene.port)
    await bypassing.until_heard(0.5)
    await bypassing.hang_up()
    await scene.site.service.stop()
    leg, agent = await scene.connect("102")
    await leg.hang_up()
    await agent.ended()

    master = scene.site.asterisk.cdr_file
    custom, cdr_db = log / "cdr-custom/custom.csv", log / "master.db"
    cel_csv, cel_db = log / "cel-custom/Master.csv", cdr_db
    for path, columns in ((master, []), (custom, CDR_CUSTOM), (cdr_db, [])):
        await _until(3, path, lambda path=path, columns=columns: list(read_cdrs(path, columns)))
    for path in (cel_csv, cel_db):
        await _until(3, path, lambda path=path: _ends(path))

    (untold,) = [line[16] for line in scene.site.cdrs() if line[2] == "120"]
    never_told = [("CALL_NEVER_TOLD", untold)]
    found = _reconcile(scene, "--cdr", master)
    assert _ids(found) == never_told
    assert found[-1]["summary"] == {
        "calls": 1,
        "cdrs": 3,
        "cel_events": 0,
        "files": 1,
        "explained": {"SERVICE_UNAVAILABLE": 1},
        "unexplained": {"CALL_NEVER_TOLD": 1},
        "not_compared": [],
    }
    for records in (
        ("--cdr", master, "--digests", "--context", "from-lab"),
        ("--cdr", custom, "--cdr-columns", ",".join(CDR_CUSTOM)),
        ("--cdr", cdr_db),
        ("--cdr", master, "--cel", cel_csv),
        ("--cdr", master, "--cel", cel_db),
    ):
        assert _ids(_reconcile(scene, *records)) == never_told, records
    for cel in (cel_csv, cel_db):  # which alone knows of no reason
        for more in ((), ("--context", "from-lab")):
            found = _ids(_reconcile(scene, "--cel", cel, *more))
            assert len(found) == 2
            assert never_told[0] in found
    assert _ids(_reconcile(scene, "--cdr", master, "--context", "elsewhere", code=0)) == []


def _reconcile(scene: Any, *options: str | Path, code: int = 1) -> list[dict[str, Any]]:
    command = ["reconcile", "--json", "-c", scene.site.service.config, *options]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == code, (result.output, result.exception)
    return [json.loads(line) for line in result.stdout.splitlines()]


def _ids(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["id"], line["channel"]) for line in lines[:-1]]


def _ends(path: Path) -> list[object]:
    return [event for event in read_cel(path) if getattr(event, "event", "") == "LINKEDID_END"]


async def _until(count: int, path: Path, read: Callable[[], list[object]]) -> None:
    """Asterisk writes its records a moment after the end of a call."""
    async with asyncio.timeout(5):
        while not (path.exists() and len(read()) >= count):  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)
