"""``asterisk-compliance evidence``: all that shows what happened to one call, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.access.recordings import IDENTITY, read_identity
from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.purpose_options import (
    GroundOption,
    PurposeOption,
    ReasonOption,
    ReferenceOption,
    listed,
    read_once,
    use_for,
)
from asterisk_compliance.domain.access.purpose_limitation import Action

app = typer.Typer(no_args_is_help=True, help="Evidence about one call, for somebody else.")


@app.command()
def export(
    calls: Annotated[
        list[str], typer.Argument(metavar="CALL…", help="Ids: c-…; - reads standard input.")
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", help="A new file, a zip; a directory, for several or from -.")
    ],
    purpose: PurposeOption,
    reason: ReasonOption,
    ground: GroundOption = "",
    reference: ReferenceOption = "",
    identity: Annotated[str | None, typer.Option("--identity", help=IDENTITY)] = None,
    recording: Annotated[
        list[str] | None, typer.Option("--recording", help="Only this one; all, unless given.")
    ] = None,
    json: JsonOption = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
) -> None:
    """Write a bundle of evidence about a call, in your name, with its rows first.

    Recordings are in it as they are sealed; or opened, with --identity.
    """
    from asterisk_compliance.cli.evidence.bundle import BundleSelection, export_each
    from asterisk_compliance.cli.evidence.bundle import export as make

    read_once(*calls, reference, identity)
    text = None if identity is None else read_identity(identity)
    use = use_for(Action.EVIDENCE, purpose, reason, ground, reference)
    if calls == ["-"] or len(calls) > 1 or out.is_dir():
        if recording:
            raise typer.BadParameter("of one call only", param_hint="--recording")
        export_each(
            config, listed(calls), out, BundleSelection("", use, text), output.say, json=json
        )
        return
    wanted = BundleSelection(calls[0], use, text, tuple(recording or ()))
    said = make(config, out, wanted, output.say)
    if json:
        output.print_json(said)
        return
    output.print_line(f"{out}: {said['files']} files, {said['bytes']:,} bytes")
    output.print_line(f"row {said['seq']}, manifest {said['manifest']}")
    output.say("hint: give the log's public key to whoever gets it, by another way:")
    output.say(f"hint: {said['key']}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The bundle: a zip, or a directory.")],
    *,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="KEY", help="The log's public key, a file of it, or its fingerprint."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a bundle, as the verify.py in it does, without trusting that one. Exit 1 if it fails.

    Needs neither configuration nor store.
    """
    from asterisk_compliance.cli.audit.verify import read_text
    from asterisk_compliance.verify import Check, told_of

    if not file.exists():
        raise typer.BadParameter("there is no such file", param_hint="FILE")
    given = read_text(Path(key)) if key is not None and Path(key).is_file() else key
    check = Check(str(file), given)
    if json:
        output.print_json(
            {
                "verdict": check.verdict,
                "origin_proven": check.verdict == "VERIFIED",
                "call": check.call,
                "origin": check.origin,
                "fingerprint": check.fingerprint,
                "checked": check.checked,
                "wrong": [{"where": where, "what": what} for where, what in check.wrong],
                "not_shown": check.not_shown,
            }
        )
    else:
        for line in told_of(check):
            output.print_line(line)
    if check.wrong:
        raise typer.Exit(1)
