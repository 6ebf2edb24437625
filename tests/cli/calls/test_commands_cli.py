"""Lists name who alone told a caller."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from asterisk_compliance.cli.calls import commands as calls
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.ids import recording_id
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import a_call, a_recorded_call, draft

ALONE, SERVED = a_call(1), a_call(2)


def test_what_the_dialplan_recorded_alone_is_named_so(tmp_path: Path) -> None:
    recording = {"recording": recording_id(ALONE, 1)}
    closed = {**recording, "purposes": ("SERVICE",), "whole": True}
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit(
            [
                draft(Kind.CALL_ARRIVED, ALONE, detail={"channel": "1795507200.1"}),
                draft(Kind.RECORDING_ADOPTED, ALONE, detail={**recording, "level": "dialplan"}),
                draft(Kind.RECORDING_CLOSED, ALONE, detail=closed),
                *a_recorded_call(SERVED),
            ]
        )

    def say(*args: str) -> str:
        result = CliRunner().invoke(calls.app, [*args, "--store", str(tmp_path / "store")])
        assert result.exit_code == 0, result.output
        return result.stdout

    lines = {
        call: line for line in say("list").splitlines() for call in (ALONE, SERVED) if call in line
    }
    assert "closed (dialplan)" in lines[ALONE]
    assert "dialplan" not in lines[SERVED]
    assert "told_by" in say("show", ALONE)
    assert "told_by" not in say("show", SERVED)
