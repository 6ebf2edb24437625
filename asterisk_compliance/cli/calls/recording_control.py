"""``asterisk-compliance calls pause|resume|withdraw|start|stop``: steer a live recording.

Through the running service, in your name, which it knows from the kernel. The row says who.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_line
from asterisk_compliance.errors import ComplianceError, StoreUnavailable

CallArgument: TypeAlias = Annotated[str, typer.Argument(help="Id of the call: c-…")]


def pause(
    call: CallArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="CARD or PRIVATE.")] = "CARD",
    config: ConfigFileOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Keep nothing of a live call until somebody resumes."""
    _ask(config, json, call=call, what="pause", reason=reason)


def resume(
    call: CallArgument,
    *,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="End the pauses of agent and dialplan as well.")
    ] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """End a pause that staff began; the recording goes on when nobody else pauses."""
    everyone = {"everybody": "yes"} if everybody else {}
    _ask(config, json, call=call, what="resume", **everyone)


def withdraw(
    call: CallArgument, *, config: ConfigFileOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """The caller does not want to be recorded any more: end it for good."""
    _ask(config, json, call=call, what="withdraw")


def start(
    call: CallArgument, *, config: ConfigFileOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """Begin to record, where the policy records on demand or the recording was stopped."""
    _ask(config, json, call=call, what="start")


def stop(
    call: CallArgument, *, config: ConfigFileOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """End the recording; it can be started again."""
    _ask(config, json, call=call, what="stop")


def register(app: typer.Typer) -> None:
    """Add the commands to the group ``calls``."""
    for command in (pause, resume, withdraw, start, stop):
        app.command(command.__name__)(command)


def _ask(config: Path, as_json: bool, /, **arguments: str) -> None:
    from asterisk_compliance.app.shared.control_socket import ask
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    answer = ask(settings.service.socket, "ask", arguments)
    if answer is None:
        hint = "a live call can be steered only by the running service"
        raise StoreUnavailable(f"{settings.service.socket}: no service", hint=hint)
    if as_json:
        print_json(answer)
    else:
        print_line(answer["status"])
    if not answer["done"]:
        raise ComplianceError("it was not done", hint=_WHY_NOT[arguments["what"]])


_WHY_NOT = {
    "pause": "only a call that is recorded can be paused",
    "resume": "others pause as well? --everybody ends their pauses too",
    "withdraw": "only a call that was decided as ALLOWED can be withdrawn",
    "start": "nobody is there, the caller does not want it, or the policy forbids it: calls show",
    "stop": "look at the call: calls show",
}
