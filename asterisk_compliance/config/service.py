"""The tables ``[service]``, ``[limits]``, ``[health]`` and ``[canary]``: the running service.

``docs/configuration.md`` explains every setting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from asterisk_compliance.config.values import AbsolutePath, ConfigTable, Count, Seconds

Mebibytes = Annotated[int, Field(ge=0, le=1_000_000)]


class ServiceSettings(ConfigTable):
    socket: AbsolutePath = Path("/run/asterisk-compliance/control.sock")


class LimitSettings(ConfigTable):
    """Every wait has a name and a length, in seconds; every queue a size; 0 MiB: no watermark."""

    notice_margin_s: Seconds = 3.0
    dialplan_s: Seconds = 30.0
    growth_s: Seconds = 3.0
    segment_s: Seconds = 2.0
    close_s: Seconds = 5.0
    stop_s: Seconds = 5.0
    store_s: Seconds = 5.0
    watchdog_s: Seconds = 5.0
    storage_check_s: Seconds = 5.0
    spool_free_mib: Mebibytes = 500
    vault_free_mib: Mebibytes = 500
    store_free_mib: Mebibytes = 200
    notices_max: Count = 200
    events_per_call: Annotated[int, Field(ge=16, le=10_000)] = 256


class HealthSettings(ConfigTable):
    """Where a monitor asks. It has no login, so it is never open to other hosts."""

    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0


class CanarySettings(ConfigTable):
    """A synthetic call through everything, every so many minutes; 0 is never."""

    every_min: Annotated[float, Field(ge=0, le=10_080)] = 0.0
    policy: str = ""
    within_s: Seconds = 60.0
