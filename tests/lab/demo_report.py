"""What the demo shows and keeps: timelines and tables, the rows, a picture, ``summary.json``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from lab.demo_evidence import BUNDLE, KEY

if TYPE_CHECKING:
    from lab.demo import Telling


def report(tellings: list[Telling], output: Path, version: str) -> int:
    """Print it all and write the files; the exit status is 0 if every claim holds."""
    console = Console(highlight=False)
    for telling in tellings:
        _print(console, telling)
    (output / "rows.jsonl").write_bytes((output / "store/audit.jsonl").read_bytes())
    summary = {"asterisk": version, "calls": [summarise(one) for one in tellings]}
    (output / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    _draw(tellings, output)
    claims = [claim for telling in tellings for claim in telling.claims]
    held = sum(claim.ok for claim in claims)
    console.print(f"\n{held} of {len(claims)} claims hold.", style="bold")
    _say_where(console, output)
    return 0 if held == len(claims) else 1


def summarise(telling: Telling) -> dict[str, Any]:
    """One call of ``summary.json``; times are UTC, from the audio."""
    notice, capture = telling.notice, telling.capture

    def moment(clock: float | None) -> str | None:
        if clock is None:
            return None
        at = datetime.fromtimestamp(telling.unix(clock), UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return {
        "name": telling.name,
        "decision": telling.decision,
        "reason": telling.reason,
        "notice": {
            "completed": notice is not None and notice.completed,
            "started_at": moment(notice.started_at if notice else None),
            "ended_at": moment(notice.ended_at if notice else None),
        },
        "capture": capture
        and {
            "first_sample_at": moment(capture.first_sample_at),
            "last_sample_at": moment(capture.last_sample_at),
        },
        "agent_reached": telling.agent_leg is not None,
        "recording": telling.recording and f"recordings/{telling.recording.name}",
        "audit": {"rows": len(telling.rows), "verified": telling.verified},
        "claims": [
            {"claim": claim.name, "holds": claim.ok, "measured": claim.measured}
            for claim in telling.claims
        ],
    }


def _print(console: Console, telling: Telling) -> None:
    console.print(f"\n{telling.name}: {telling.title}", style="bold")
    for at, what in sorted(telling.moments):
        console.print(f"  {at:8.3f} s  {what}", style="dim" if what.startswith("row") else "")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for claim in telling.claims:
        mark = "[green]holds[/]" if claim.ok else "[red]FAILS[/]"
        table.add_row(f"  {mark}", claim.name, f"[dim]{claim.measured}[/]")
    console.print(table)


def _draw(tellings: list[Telling], output: Path) -> None:
    from lab.picture import draw_call

    for telling in tellings:
        if telling.capture is not None and telling.notice is not None:
            draw_call(
                output / f"{telling.name}.png",
                telling.title,
                heard=telling.leg.heard_pcm(),
                capture=telling.capture,
                notice=telling.notice,
                invite_at=telling.began,
                moments={"the agent answers": telling.agent_leg.times["confirmed"]}
                if telling.agent_leg
                else None,
            )


def _say_where(console: Console, output: Path) -> None:
    config = f"--config {output.name}/compliance.toml"
    kept = "summary.json, rows.jsonl, recordings/ (sealed), officer/ (the key), inbound.png"
    console.print(f"Kept in {output.name}/: {kept}", soft_wrap=True)
    console.print(f"Evidence of the first call: {BUNDLE}, and {KEY}, to verify it", soft_wrap=True)
    console.print("Try:")
    drill = f"recordings drill --identity {output.name}/officer/officer.key"
    for command in ("calls list", "audit verify", "audit list", drill):
        console.print(f"  {_command()} {command} {config}", soft_wrap=True)
    bundle = f"{output.name}/{BUNDLE} --key {output.name}/{KEY}"
    console.print(f"  {_command()} evidence verify {bundle}", soft_wrap=True)
    console.print(
        f"Or, with nothing but Python and cryptography: unzip {output.name}/{BUNDLE} -d evidence"
        f" and python evidence/verify.py --key {output.name}/{KEY}; read evidence/report.html",
        soft_wrap=True,
    )


def _command() -> str:
    """The installed command as it can be typed in the checkout."""
    installed = Path(sys.executable).with_name("asterisk-compliance")
    inside = installed.is_relative_to(Path.cwd())
    return str(installed.relative_to(Path.cwd()) if inside else installed)
