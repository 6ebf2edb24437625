"""What systemd is told: ready, reloading, stopping, and that we still make progress.

The protocol is one datagram of ``NAME=value`` lines to the socket that systemd names in the
environment (sd_notify(3)); without one, nothing is sent anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

import structlog

STATUS_S = 10.0
"""How often the status line is told where nobody asks for a watchdog."""
PINGS = 4
"""So many pings within the watchdog's time: a late one does not end the service."""
STARTING_S = 120
"""So much longer the start may take from each line on that says what it is at."""
STUCK = 2
"""Work that stood still for the watchdog's time by this is stuck: no ping any more."""

log = structlog.get_logger()


class Systemd:
    """Talks to systemd, or to nobody.

    ``environment``: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` as systemd sets them.

    Attributes:
        watchdog_s: systemd ends us without a ping for so long; ``None`` if it does not.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = environment or {}
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = _watchdog_s(environment) if address else None

    def starting(self, status: str) -> None:
        """The start takes its time, and goes on; from any thread."""
        self._tell(f"EXTEND_TIMEOUT_USEC={STARTING_S * 1_000_000}", f"STATUS={status}")

    def ready(self) -> None:
        self._tell("READY=1")

    def reloading(self) -> None:
        """``ready`` has to follow."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    async def watch(self, stuck_s: Callable[[], float], status: Callable[[], str]) -> NoReturn:
        """Ping, and tell the status line, until cancelled.

        This runs on the event loop: a loop that hangs does not ping.

        Args:
            stuck_s: For how long the work that nobody else watches has stood still; 0 if there
                is none.
            status: One line.
        """
        while True:
            self._tell(f"STATUS={status()}")
            if self.watchdog_s is None:
                await asyncio.sleep(STATUS_S)
                continue
            if (still := stuck_s()) < self.watchdog_s / STUCK:
                self._tell("WATCHDOG=1")
            else:
                log.error("watchdog_not_fed", stuck_s=round(still, 1))
            await asyncio.sleep(self.watchdog_s / PINGS)

    def _tell(self, *lines: str) -> None:
        """Best effort, and never a wait: a supervisor that does not listen must not stop calls."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_systemd,
        ):
            to_systemd.setblocking(False)
            to_systemd.sendto("\n".join(lines).encode(), self._address)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """sd_watchdog_enabled(3): it may be meant for another process, whose environment we have."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    usec = environment.get("WATCHDOG_USEC", "")
    return int(usec) / 1_000_000 if usec.isdecimal() and int(usec) else None
