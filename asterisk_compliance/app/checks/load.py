"""Findings about room for the calls that may come, and about periods that conflict. Estimates."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import time

from asterisk_compliance.app.checks.finding import OperatorFinding, SiteFindingId, found
from asterisk_compliance.app.policy.prompts import needed_for
from asterisk_compliance.app.recordings.storage_monitor import MIB
from asterisk_compliance.config.settings import PolicySettings, Settings
from asterisk_compliance.domain.periods import Period, days
from asterisk_compliance.domain.purposes import PurposeCode

CALL_BYTES_S = 32_000
"""What Asterisk writes for a call: two directions of 8 kHz and 16 bits."""
SPOOL_LASTS_S = 3_600
VAULT_LASTS_DAYS = 14
SERVICE_MIB, ASTERISK_MIB, CALL_MIB = 250, 80, 0.5
"""docs/performance.md; of a call what 100 recorded ones took of Asterisk's memory, and a margin."""
MOST_RECORDINGS = 200_000
_WEEK_DAYS, _DAY_S = 7, 86_400
_MEMORY = Path("/proc/meminfo")


def load_findings(settings: Settings) -> list[OperatorFinding]:
    """As if ``limits.notices_max`` calls were recorded at once: the most that can begin together.

    Which place is how full is asked of the file systems, and what a day brings of the vault.
    """
    return [*_spools(settings), *_vault(settings), *_memory(settings), *_periods(settings)]


def _spools(settings: Settings) -> Iterator[OperatorFinding]:
    calls = settings.limits.notices_max
    for number, asterisk in enumerate(settings.asterisk, 1):
        room = _room(asterisk.spool_path, settings.limits.spool_free_mib)
        lasts_s = None if room is None else room / (calls * CALL_BYTES_S)
        if lasts_s is not None and lasts_s < SPOOL_LASTS_S:
            what = (
                f"{calls} recorded calls at once (limits.notices_max), 32 kB/s each, "
                f"fill the spool in {lasts_s / 60:.0f} min"
            )
            yield found(SiteFindingId.DISK_FOR_LOAD, f"asterisk[{number}].spool", what)


def _vault(settings: Settings) -> Iterator[OperatorFinding]:
    vault = settings.vault.recordings
    room = _room(vault, settings.limits.vault_free_mib)
    a_day = _written_a_day(vault)
    if room is not None and a_day and room / a_day < VAULT_LASTS_DAYS:
        what = (
            f"as much as in the last {_WEEK_DAYS} days ({a_day / MIB:.0f} MiB a day) "
            f"fills the vault in {room / a_day:.0f} days"
        )
        yield found(SiteFindingId.DISK_FILLING, "vault.recordings", what)


def _memory(settings: Settings) -> Iterator[OperatorFinding]:
    calls = settings.limits.notices_max
    needed = SERVICE_MIB + ASTERISK_MIB + calls * CALL_MIB
    there = _total_mib()
    if there is not None and there < needed:
        what = (
            f"{calls} recorded calls at once (limits.notices_max) need about {needed:.0f} MiB "
            f"with Asterisk, and this host has {there}"
        )
        yield found(SiteFindingId.MEMORY_FOR_LOAD, "limits.notices_max", what)


def _room(directory: Path, watermark_mib: int) -> int | None:
    """Bytes until nothing new is begun; ``None`` where nobody can tell."""
    try:
        at = os.statvfs(directory)
    except OSError:
        return None
    return max(0, at.f_bavail * at.f_frsize - watermark_mib * MIB)


def _written_a_day(vault: Path) -> float:
    """Bytes, of the files that came in the last week and are still there."""
    since = time() - _WEEK_DAYS * _DAY_S
    total = 0
    try:
        with os.scandir(vault) as entries:
            for entry in islice(entries, MOST_RECORDINGS):
                at = entry.stat(follow_symlinks=False)
                total += at.st_size if at.st_mtime >= since else 0
    except OSError:
        return 0.0
    return total / _WEEK_DAYS


def _total_mib() -> int | None:
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    said = next((line.split() for line in lines if line.startswith("MemTotal:")), None)
    return None if said is None else int(said[1]) // 1024


# -- periods -----------------------------------------------------------------------------------


def _periods(settings: Settings) -> Iterator[OperatorFinding]:
    """Of a minimum above a maximum the configuration itself complains."""
    notices = {notice.id: notice for notice in settings.notice}
    needed = needed_for(settings)
    for number, policy in enumerate(settings.policy, 1):
        notice = notices[policy.notice]
        at_most = _at_most(policy, notice.retention)
        for code in map(PurposeCode, notice.purposes):
            period = needed.get(code)
            if period and at_most and _longest_days(at_most) < period.shortest_days:
                what = f"{code} needs recordings for {period}, and they go after {at_most}"
                yield found(SiteFindingId.RETENTION_CONFLICT, f"policy[{number}]", what)


def _at_most(policy: PolicySettings, promised: Period | None) -> Period | None:
    said = [promised, days(policy.retention_max_days) if policy.retention_max_days else None]
    return min(filter(None, said), key=lambda one: one.shortest_days, default=None)


def _longest_days(period: Period) -> int:
    """At most so long, in whichever month it begins."""
    per_unit = {"day": 1, "month": 31, "year": 366}
    return period.count * per_unit[period.unit]
