"""The command ``asterisk-compliance``: results on stdout, talk on stderr, ``error:``, ``hint:``.

Exit status: 0 yes, 1 a negative finding, 2 usage or configuration, 3 Asterisk or the store
cannot be reached.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from asterisk_compliance.cli.output import print_line, say
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.version import __version__

COMMANDS: Final = {
    "init": "install.init",
    "uninstall": "install.uninstall",
    "serve": "service.serve",
    "status": "service.status",
    "watchdog": "service.watchdog",
    "check": "check",
    "explain": "explain",
    "reconcile": "reconcile",
}
"""Each is a function of the module that is named here."""
GROUPS: Final = {
    "audit": "audit.commands",
    "calls": "calls.commands",
    "dialplan": "dialplan",
    "do-not-call": "calls.do_not_call",
    "evidence": "evidence.commands",
    "export": "evidence.export",
    "holds": "retention.holds",
    "incidents": "incidents.commands",
    "observed": "observed",
    "recordings": "access.recordings",
    "requests": "subject_requests.commands",
    "retention": "retention.commands",
    "persons": "retention.persons",
    "provisions": "third_parties.provisions",
    "publish": "publish",
    "sounds": "sounds",
}
"""Each is the ``app`` of the module that is named here."""


class _Lazily(TyperGroup):
    """Imports the command that was asked for, and none of the others: a second for each."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return _command(cmd_name) if cmd_name in self.list_commands(ctx) else None


@cache
def _command(name: str) -> Any:
    """The command or group ``name``: made once in a process, since a group takes up to 20 ms."""
    module = import_module(f"asterisk_compliance.cli.{(COMMANDS | GROUPS)[name]}")
    if name in GROUPS:
        module.app.rich_markup_mode = None
        command: Any = typer.main.get_group(module.app)
    else:
        commands = typer.Typer(rich_markup_mode=None, add_completion=False)
        commands.command(name)(getattr(module, name.replace("-", "_")))
        command = typer.main.get_command(commands)
    command.name = name
    return command


app = typer.Typer(
    name="asterisk-compliance",
    cls=_Lazily,
    help="Tell every caller before a single sample is recorded, record, and prove it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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
    """Nothing of its own but where events are said: every command has its options."""
    from asterisk_compliance.cli.logs import log_to_stderr

    log_to_stderr()


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
    from asterisk_compliance.cli.logs import priority

    hint = f"\nhint: {error.hint}" if error.hint else ""
    for line in f"error: {error}{hint}".splitlines():
        say(f"{priority('error')}{line}")
    return error.exit_code


def first_of(group: BaseExceptionGroup[BaseException]) -> ComplianceError | None:
    """The error of ours that ended a group of tasks, if that was the reason."""
    for error in group.exceptions:
        if isinstance(error, ComplianceError):
            return error
        if isinstance(error, BaseExceptionGroup) and (inner := first_of(error)) is not None:
            return inner
    return None
