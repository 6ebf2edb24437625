"""Are Asterisk's own records of calls where the configuration says, and do they go on?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from asterisk_compliance.app.checks.finding import OperatorFinding, SiteFindingId
from asterisk_compliance.app.checks.site import found
from asterisk_compliance.app.shared.service_account import ServiceAccount, service_account
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import decode, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import StoreError
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

LATE_S = 600
"""A record is written when its call ends; so long a batch may keep it."""


def record_findings(settings: Settings) -> list[OperatorFinding]:
    """What keeps ``reconcile`` from finding calls that never reached the service."""
    named = chain(
        (("reconcile.cdr", path) for path in settings.reconcile.cdr),
        (("reconcile.cel", path) for path in settings.reconcile.cel),
    )
    account = service_account(settings)
    last_s = _last_call_s(settings)
    return [one for address, path in named for one in _of(path, address, account, last_s)]


def _of(
    path: Path, address: str, account: ServiceAccount | None, last_s: float | None
) -> Iterator[OperatorFinding]:
    if last_s is None and path.parent.is_dir() and not path.exists():
        yield found(SiteFindingId.RECORDS_NOT_YET, address, f"{path}: the first call makes it")
        return
    if not path.is_file():
        what = f"{path} is not there"
        yield found(SiteFindingId.RECORDS_UNREADABLE, address, what)
        return
    if not os.access(path, os.R_OK):
        what = f"{path} cannot be read"
        yield found(SiteFindingId.RECORDS_UNREADABLE, address, what)
    elif account is not None and not account.may(path, os.R_OK):
        what = f"{path} cannot be read by the service's user ({account.name})"
        yield found(SiteFindingId.RECORDS_UNREADABLE, address, what)
    elif last_s is not None and (behind_s := last_s - path.stat().st_mtime) > LATE_S:
        what = f"{path} was last written {behind_s / 60:.0f} min before our last call ended"
        yield found(SiteFindingId.RECORDS_STALE, address, what)


def _last_call_s(settings: Settings) -> float | None:
    """When the last call of the log ended, in Unix seconds, as far as the caller may read it."""
    try:
        with StoreReader(settings.audit.store) as reader:
            query = RowQuery(kind=Kind.CALL_ENDED, limit=1, newest=True)
            last = next(iter(reader.rows(query)), None)
    except StoreError:
        return None
    return None if last is None else milliseconds(decode(last.data).at) / 1_000
