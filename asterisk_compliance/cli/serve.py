"""``asterisk-compliance serve``: run the service in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
import uvloop

from asterisk_compliance.cli.context import DEFAULT_CONFIG

if TYPE_CHECKING:
    from asterisk_compliance.app.service import Service


def serve(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The configuration file.")
    ] = DEFAULT_CONFIG,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Serve calls until SIGTERM or SIGINT; then finish notices, close files, and exit 0.

    SIGHUP: read the configuration again.

    Exit status: 2 configuration, 3 Asterisk's application taken by another, or store not usable.
    """
    from asterisk_compliance.app.loading import load_configuration
    from asterisk_compliance.app.service import Service
    from asterisk_compliance.app.systemd import Systemd

    log_to_stderr(as_json=log_json, verbose=verbose)
    watchdog = [sys.executable, "-m", "asterisk_compliance", "watchdog", "--config", str(config)]
    watchdog += ["--log-json"] if log_json else []
    service = Service(load_configuration(config), Systemd(os.environ), watchdog)
    uvloop.run(_until_told(service))


async def _until_told(service: Service) -> None:
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    await service.run(stop, reload=reload)


def log_to_stderr(*, as_json: bool, verbose: bool) -> None:
    """For operators; it proves nothing."""
    renderer = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
