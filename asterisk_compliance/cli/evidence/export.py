"""``asterisk-compliance export``: calls for other programs, by open standards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from asterisk_compliance.app.evidence.call_export import ExportFormat
from asterisk_compliance.cli.access.recordings import IDENTITY, read_identity
from asterisk_compliance.cli.audit.commands import SinceOption, UntilOption
from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption, moment
from asterisk_compliance.cli.evidence.export_calls import Chosen, ExportSelection, Selection, export
from asterisk_compliance.cli.purpose_options import (
    GroundOption,
    PurposeOption,
    ReasonOption,
    ReferenceOption,
    read_once,
    use_for,
)
from asterisk_compliance.domain.access.purpose_limitation import Action

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Calls for other programs: as vCon, or as consent receipts in the terms of the W3C's DPV.",
)

_Calls: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CALL…]", help="Ids: c-…; - reads them from standard input."),
]
_Out: TypeAlias = Annotated[
    Path,
    typer.Option("--out", help="A new file, one JSON document a line; or a directory: one each."),
]
_Provision: TypeAlias = Annotated[
    str, typer.Option("--provision", help="For a third party: number of the record of it.")
]
_Decision: TypeAlias = Annotated[
    str | None, typer.Option("--decision", help="Calls decided so: ALLOWED, NOT_RECORDED, …")
]
_Told: TypeAlias = Annotated[
    str | None, typer.Option("--told", help="Calls that were told this purpose.")
]
_Limit: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="The newest so many; all, unless given.")
]


@app.command("vcon")
def vcon(
    calls: _Calls = None,
    *,
    out: _Out,
    purpose: PurposeOption,
    reason: ReasonOption = "",
    ground: GroundOption = "",
    reference: ReferenceOption = "",
    provision: _Provision = "",
    numbers: Annotated[
        bool, typer.Option("--numbers", help="With telephone numbers and names.")
    ] = False,
    identity: Annotated[
        str | None, typer.Option("--identity", help=f"With the recordings, opened. {IDENTITY}")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    decision: _Decision = None,
    told: _Told = None,
    limit: _Limit = None,
    json: JsonOption = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
) -> None:
    """Write calls as vCons, in your name, each with its row first. Status 1 if one was refused.

    Recordings are referred to, by their digests; or in it, opened, with --identity.
    """
    read_once(*(calls or ()), reference, identity)
    action = Action.HAND_OVER if provision else Action.EXPORT
    use = use_for(action, purpose, reason, ground, reference, provision)
    text = None if identity is None else read_identity(identity)
    chosen = Chosen(moment(since), moment(until), decision, told, limit)
    export(
        config,
        out,
        Selection(calls, chosen),
        ExportSelection(ExportFormat.VCON, use, numbers, text),
        json=json,
    )


@app.command("dpv")
def dpv(
    calls: _Calls = None,
    *,
    out: _Out,
    purpose: PurposeOption,
    reason: ReasonOption = "",
    ground: GroundOption = "",
    reference: ReferenceOption = "",
    provision: _Provision = "",
    since: SinceOption = None,
    until: UntilOption = None,
    decision: _Decision = None,
    told: _Told = None,
    limit: _Limit = None,
    json: JsonOption = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
) -> None:
    """Write consent receipts (ISO/IEC TS 27560) as JSON-LD, in your name, each with its row first.

    Status 1 if one was refused, or nobody was told anything in a call.
    """
    read_once(*(calls or ()), reference)
    action = Action.HAND_OVER if provision else Action.EXPORT
    use = use_for(action, purpose, reason, ground, reference, provision)
    chosen = Chosen(moment(since), moment(until), decision, told, limit)
    export(config, out, Selection(calls, chosen), ExportSelection(ExportFormat.DPV, use), json=json)
