"""``asterisk-compliance watchdog``: the second process of ``serve``, which starts it itself."""

from __future__ import annotations

import signal
import sys

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption
from asterisk_compliance.cli.logs import (
    JsonLogOption,
    LevelOption,
    LogLevel,
    log_to_stderr,
    take_over_python,
)


def watchdog(
    config: ConfigFileOption = DEFAULT_CONFIG,
    log_json: JsonLogOption = False,
    log_level: LevelOption = LogLevel.INFO,
) -> None:
    """Let callers go on while the service hangs. Started by ``serve``, which beats on its input.

    It ends with the service, and with nothing else: not on SIGTERM, SIGINT or SIGHUP.

    Exit status: 2 configuration, or standard input is no pipe.
    """
    from asterisk_compliance.app.service.watchdog import Watchdog, addresses
    from asterisk_compliance.config.settings import load

    if sys.stdin.isatty():
        raise typer.BadParameter("nobody beats here: serve starts it, there is nothing to do")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    log_to_stderr(log_level, as_json=log_json)
    take_over_python()
    settings = load(config)
    Watchdog(
        addresses(settings),
        settings.limits.watchdog_s,
        beats=sys.stdin.fileno(),
        reports=sys.stdout.fileno(),
    ).watch()
