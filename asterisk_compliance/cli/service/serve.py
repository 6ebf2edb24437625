"""``asterisk-compliance serve``: run the service in the foreground."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

import uvloop

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption
from asterisk_compliance.cli.logs import (
    JsonLogOption,
    LevelOption,
    LogLevel,
    log_to_stderr,
    take_over_python,
)

if TYPE_CHECKING:
    from asterisk_compliance.app.service.runner import Service


_YOUNG_OBJECTS = 10_000
"""So many new ones before Python looks for cycles among them; by itself it does at 700."""


def serve(
    config: ConfigFileOption = DEFAULT_CONFIG,
    log_json: JsonLogOption = False,
    log_level: LevelOption = LogLevel.INFO,
) -> None:
    """Serve calls until SIGTERM or SIGINT; then finish notices, close files, and exit 0.

    SIGHUP: read the configuration again.

    Exit status: 2 configuration, 3 Asterisk's application taken by another, or store not usable.
    """
    from asterisk_compliance.app.policy.configuration import load_configuration
    from asterisk_compliance.app.service.runner import Service
    from asterisk_compliance.app.service.systemd import Systemd

    log_to_stderr(log_level, as_json=log_json)
    take_over_python()
    watchdog = [sys.executable, "-m", "asterisk_compliance", "watchdog", "--config", str(config)]
    watchdog += ["--log-level", log_level, *(["--log-json"] if log_json else [])]
    service = Service(load_configuration(config), Systemd(os.environ), watchdog)
    _collect_less()
    uvloop.run(_until_told(service))


def _collect_less() -> None:
    """What is there by now stays, so nobody looks at it again; what calls leave is little."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)


async def _until_told(service: Service) -> None:
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    await service.run(stop, reload=reload)
