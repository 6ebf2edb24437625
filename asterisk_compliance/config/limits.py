"""The table ``[limits]``: how long everything may take, and how much room there must be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from asterisk_compliance.config.tables import ConfigTable, Count, Seconds

Mebibytes = Annotated[int, Field(ge=0, le=1_000_000)]


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
