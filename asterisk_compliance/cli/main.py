"""The command ``asterisk-compliance``: results on stdout, talk on stderr, ``error:``, ``hint:``.

Exit status: 0 yes, 1 a negative finding, 2 usage or configuration, 3 Asterisk or the store
cannot be reached.
"""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from asterisk_compliance import __version__
from asterisk_compliance.cli import (
    audit,
    calls,
    check,
    dialplan,
    do_not_call,
    evidence,
    explain,
    export,
    holds,
    incidents,
    init,
    mark,
    persons,
    provisions,
    publish,
    reconcile,
    recordings,
    requests,
    retention,
    serve,
    sounds,
    status,
    watchdog,
)
from asterisk_compliance.cli.output import print_line, say
from asterisk_compliance.errors import ComplianceError

app = typer.Typer(
    name="asterisk-compliance",
    help="Tell every caller before a single sample is recorded, record, and prove it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("init")(init.init)
app.command("serve")(serve.serve)
app.command("status")(status.status)
app.command("watchdog")(watchdog.watchdog)
app.command("check")(check.check)
app.command("explain")(explain.explain)
app.command("reconcile")(reconcile.reconcile)
audit.app.command("mark")(mark.mark)
app.add_typer(audit.app, name="audit")
app.add_typer(calls.app, name="calls")
app.add_typer(dialplan.app, name="dialplan")
app.add_typer(do_not_call.app, name="do-not-call")
app.add_typer(evidence.app, name="evidence")
app.add_typer(export.app, name="export")
app.add_typer(holds.app, name="holds")
app.add_typer(incidents.app, name="incidents")
app.add_typer(recordings.app, name="recordings")
app.add_typer(requests.app, name="requests")
app.add_typer(retention.app, name="retention")
app.add_typer(persons.app, name="persons")
app.add_typer(provisions.app, name="provisions")
app.add_typer(publish.app, name="publish")
app.add_typer(sounds.app, name="sounds")


def _version(wanted: bool) -> None:
    if wanted:
        print_line(f"asterisk-compliance {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Nothing of its own: every command has its options."""


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        app()
    except ComplianceError as error:
        sys.exit(complain(error))
    except BaseExceptionGroup as group:
        ours = first_of(group)
        if ours is None:
            raise
        sys.exit(complain(ours))
    except BrokenPipeError:  # ``| head`` had enough
        sys.stderr.close()
        sys.exit(0)
    sys.exit(0)


def complain(error: ComplianceError) -> int:
    """Say what went wrong and what to do; returns the exit status."""
    say(f"error: {error}")
    if error.hint:
        say(f"hint: {error.hint}")
    return error.exit_code


def first_of(group: BaseExceptionGroup[BaseException]) -> ComplianceError | None:
    """The error of ours that ended a group of tasks, if that was the reason."""
    for error in group.exceptions:
        if isinstance(error, ComplianceError):
            return error
        if isinstance(error, BaseExceptionGroup) and (inner := first_of(error)) is not None:
            return inner
    return None
