"""Who waits for an answer for too long."""

from __future__ import annotations

from asterisk_compliance.app.checks.finding import (
    OperatorFinding,
    OperatorFindingId,
    OperatorSeverity,
)
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.errors import StoreError
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries.subject_requests import every_request


def request_findings(settings: Settings, now_ms: int) -> list[OperatorFinding]:
    """Requests that are overdue at ``now_ms``; nothing where there is no store to read."""
    try:
        with StoreReader(settings.audit.store) as reader:
            found = every_request(reader)
    except StoreError:
        return []
    late = [one for one in found.values() if one.is_overdue(now_ms)]
    if not late:
        return []
    what = f"overdue requests of people: {len(late)}"
    todo = "requests list --overdue shows them: answer, or refuse with the reason"
    return [
        OperatorFinding(
            OperatorFindingId.REQUESTS_OVERDUE, OperatorSeverity.WARNING, "requests", what, todo
        )
    ]
