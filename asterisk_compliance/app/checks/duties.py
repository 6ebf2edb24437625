"""Findings about what the site owes: answers to requests, and notices of incidents, in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from asterisk_compliance.app.checks.finding import OperatorFinding, OperatorFindingId, found
from asterisk_compliance.app.incidents.register import known
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.incidents.notification_duties import LeakRule, Standing
from asterisk_compliance.domain.incidents.state import worst
from asterisk_compliance.domain.periods import day_of
from asterisk_compliance.errors import StoreError
from asterisk_compliance.shipped.presets import shipped_leak_rules
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries.subject_requests import every_request


def leak_rules_ahead(settings: Settings, now_ms: int, within_days: int) -> list[LeakRule]:
    """Rules about leaks, of the site's laws, that begin within so many days after ``now_ms``."""
    return list(_beginning(settings, now_ms, within_days))


def _beginning(settings: Settings, now_ms: int, within_days: int) -> Iterator[LeakRule]:
    for rule in shipped_leak_rules():
        today = day_of(now_ms, rule.time_zone)
        begins = rule.valid_from or today
        if rule.regime in settings.incidents.regimes and (
            today < begins <= today + timedelta(days=within_days)
        ):
            yield rule


def incident_findings(settings: Settings, now_ms: int) -> list[OperatorFinding]:
    """Incidents of which a step is overdue at ``now_ms``; nothing where no store can be read."""
    try:
        incidents = known(settings)
    except StoreError:
        return []
    late = [
        one
        for one in incidents.values()
        if one.incident.closed is None and worst(one.duties, now_ms, 0) is Standing.OVERDUE
    ]
    if not late:
        return []
    what = f"leaks of which somebody was not told in time: {len(late)}"
    todo = "incidents remind says who: tell them, and write it down"
    return [found(OperatorFindingId.INCIDENTS_OVERDUE, "incidents", what, todo)]


def request_findings(settings: Settings, now_ms: int) -> list[OperatorFinding]:
    """Requests that are overdue at ``now_ms``; nothing where there is no store to read."""
    try:
        with StoreReader(settings.audit.store) as reader:
            requests = every_request(reader)
    except StoreError:
        return []
    late = [one for one in requests.values() if one.is_overdue(now_ms)]
    if not late:
        return []
    what = f"overdue requests of people: {len(late)}"
    todo = "requests list --overdue shows them: answer, or refuse with the reason"
    return [found(OperatorFindingId.REQUESTS_OVERDUE, "requests", what, todo)]
