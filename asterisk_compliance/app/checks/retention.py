"""Which recordings nobody will ever dispose of, because nothing says when."""

from __future__ import annotations

from asterisk_compliance.app.checks.finding import (
    OperatorFinding,
    OperatorFindingId,
    OperatorSeverity,
)
from asterisk_compliance.app.retention.plan import today_of
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.periods import Period
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.retention.schedule import is_dated, told


def retention_findings(settings: Settings) -> list[OperatorFinding]:
    """The policies whose recordings are kept for ever, each with what they lack."""
    today = today_of(settings)
    notices = {notice.id: notice for notice in settings.notice}
    found = []
    for number, policy in enumerate(settings.policy, 1):
        notice = notices[policy.notice]
        codes = [PurposeCode(code) for code in notice.purposes]
        promised: Period | None = notice.retention
        said = told(codes, {}, min_days=None, max_days=None, promised=(promised,))
        if not is_dated(policy.name, said, today):
            lacking = " and ".join(code for code in codes if code not in today.needed)
            what = f"nothing says how long recordings are kept: no period for {lacking}"
            todo = "say it with each purpose, or set a maximum: docs/retention.md"
            address = f"policy[{number}].retention_max_days"
            found.append(
                OperatorFinding(
                    OperatorFindingId.RETENTION_MISSING,
                    OperatorSeverity.WARNING,
                    address,
                    what,
                    todo,
                )
            )
    return found
