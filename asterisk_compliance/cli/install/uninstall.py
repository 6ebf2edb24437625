"""``asterisk-compliance uninstall``: take back what ``init`` made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asterisk_compliance.cli.context import JsonOption
from asterisk_compliance.cli.output import print_json, say, stdout, table

if TYPE_CHECKING:
    from asterisk_compliance.app.install.uninstallation import Removal

_ONE_BY_ONE = 8


def uninstall(
    *,
    etc: Annotated[Path, typer.Option("--etc", help="Where init wrote compliance.toml.")] = Path(
        "/etc/asterisk-compliance"
    ),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and touch nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove what init made, and nothing that somebody edited since.

    The log, the recordings and the officer's keys are evidence: no option removes them.

    Exit status: 1 while the service runs, or while Asterisk still includes a file of ours; then
    nothing is removed. 2 if nothing is installed.
    """
    from asterisk_compliance.app.install.places import InstallPaths
    from asterisk_compliance.app.install.uninstallation import RemovalFate, uninstallation

    places = InstallPaths(etc=etc.absolute())
    planned = uninstallation(places.manifest, places.config)
    refused = bool(planned.obstacles)
    if not refused and not dry_run:
        planned.carry_out()
    if as_json:
        print_json(
            {
                "removed": not refused and not dry_run,
                "obstacles": planned.obstacles,
                "paths": [{"path": str(one.path), "fate": one.fate} for one in planned.removals],
                "commands": [" ".join(command) for command in planned.commands],
                "stays": planned.kept_user,
            }
        )
    else:
        lines = [*_lines(planned.removals)]
        lines += [(" ".join(command), "run") for command in planned.commands]
        stdout().print(table(("path", "becomes"), lines))
    for obstacle in planned.obstacles:
        say(f"first: {obstacle}")
    for one in planned.removals:
        if one.fate in {RemovalFate.NOT_EMPTY, RemovalFate.EDITED}:
            evidence = ", the log and the recordings" if one.path == planned.evidence else ""
            say(f"kept: {one.path}{evidence}")
    if planned.kept_user:
        say(f"kept: user {planned.kept_user}, to whom some of this belongs")
    if refused:
        say("nothing was removed")
    raise typer.Exit(1 if refused else 0)


def _lines(removals: Sequence[Removal]) -> Iterator[tuple[str, str]]:
    """Many files of one directory that have the same fate are one line."""
    for (parent, fate, _), group in groupby(removals, _kind):
        alike = list(group)
        if len(alike) > _ONE_BY_ONE:
            yield f"{parent}/* ({len(alike)} files)", fate
        else:
            yield from ((str(one.path), one.fate) for one in alike)


def _kind(removal: Removal) -> tuple[Path, str, bool]:
    return removal.path.parent, removal.fate, removal.is_directory
