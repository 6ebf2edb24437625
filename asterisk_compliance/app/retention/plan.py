"""What is due to be disposed of, what is held, and why: read from the log and the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from asterisk_compliance.app.policy.prompts import needed_for
from asterisk_compliance.config.settings import PolicySettings, Settings
from asterisk_compliance.domain.audit.encoding import milliseconds, timestamp
from asterisk_compliance.domain.periods import days
from asterisk_compliance.domain.policy.reachability import applying_to, lowest, reachable
from asterisk_compliance.domain.policy.rules import PolicyRule
from asterisk_compliance.domain.retention.schedule import (
    DisposalDue,
    RecordingFate,
    RetentionLimits,
    Today,
    due,
    due_before,
    fate,
    is_dated,
)
from asterisk_compliance.ids import CallId, RecordingId
from asterisk_compliance.storage.log.legal_holds import matters_on
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries.retention import Begun, RetentionGroup, RetentionReader

OVERDUE_MS = 48 * 3_600_000
"""Two nights: the timer did not run, or the disposal failed."""


@dataclass(frozen=True, slots=True)
class PlannedDisposal:
    """A recording whose time is over.

    Attributes:
        matters: Those that hold it; empty: it goes.
        begun: Its disposal was interrupted; then it is only brought to an end.
    """

    recording: RecordingId
    call: CallId
    due: DisposalDue
    matters: tuple[str, ...] = ()
    begun: Begun | None = None

    def as_json(self) -> Mapping[str, object]:
        return {
            "begun": self.begun is not None,
            "call": self.call,
            "due_at": timestamp(self.due.at_ms),
            "ground": self.due.ground,
            "held_by": self.matters,
            "period": self.due.period,
            "recording": self.recording,
            "rule": self.due.rule,
        }


@dataclass(frozen=True, slots=True)
class DisposalPlan:
    """What would happen at one moment.

    Attributes:
        at_ms: In Unix milliseconds.
        due: What goes, the longest due first.
        held: What would go, and is held.
        kept: How many recordings there are, these included.
        undated: How many of them are told nothing that ever makes them due.
    """

    at_ms: int
    due: tuple[PlannedDisposal, ...]
    held: tuple[PlannedDisposal, ...]
    kept: int
    undated: int

    @property
    def overdue(self) -> int:
        """How many should have gone long before."""
        return sum(self.at_ms - one.due.at_ms >= OVERDUE_MS for one in self.due)

    def counts(self) -> Mapping[str, int]:
        return {
            "due": len(self.due),
            "held": len(self.held),
            "kept": self.kept,
            "overdue": self.overdue,
            "undated": self.undated,
        }


def today_of(settings: Settings) -> Today:
    """What the configuration says of periods."""
    limits = {policy.name: _limits(policy, settings.every_rule) for policy in settings.policy}
    return Today(settings.rules.time_zone, needed_for(settings), limits)


def plan(store: Path, today: Today, at_ms: int) -> DisposalPlan:
    """What is due at ``at_ms``, and what of it is held; reads, and changes nothing.

    Raises:
        StoreUnavailable: the log cannot be read.
        LogBroken: a row is none.
    """
    with StoreReader(store) as reader:
        log = RetentionReader(reader)
        groups = log.groups()
        candidates = list(_candidates(log, groups, today, at_ms))
        held = matters_on(reader, {one.call for one in candidates})
    due_now: list[PlannedDisposal] = []
    held_now: list[PlannedDisposal] = []
    for one in candidates:
        matters = held.get(one.call, ())
        match fate(one.due, matters, at_ms):
            case RecordingFate.DUE:
                due_now.append(one)
            case RecordingFate.HELD:
                held_now.append(
                    PlannedDisposal(one.recording, one.call, one.due, matters, one.begun)
                )
            case RecordingFate.KEPT:
                pass
    due_now.sort(key=lambda one: (one.due.at_ms, one.recording))
    held_now.sort(key=lambda one: (one.due.at_ms, one.recording))
    return DisposalPlan(
        at_ms,
        tuple(due_now),
        tuple(held_now),
        sum(group.recordings for group in groups),
        sum(group.recordings for group in groups if _is_undated(group, today)),
    )


def _limits(policy: PolicySettings, rules: tuple[PolicyRule, ...]) -> RetentionLimits:
    """A rule for some calls only may have asked for its minimum then; its maximum is in the row."""
    applying = applying_to(rules, policy.name)
    least = [one for one in reachable(applying, policy.terms)["retention_min_days"] if one]
    most = lowest(applying, policy.terms).retention_max_days
    return RetentionLimits(
        days(max(least)) if least else None,
        None if most is None else days(most),
    )


def _candidates(
    log: RetentionReader, groups: Sequence[RetentionGroup], today: Today, at_ms: int
) -> Iterator[PlannedDisposal]:
    """What may be due: few more than are."""
    seen: set[RecordingId] = set()
    for begun in log.begun():
        seen.add(begun.recording)
        why = DisposalDue(milliseconds(begun.due_at), begun.ground, begun.rule, begun.period)
        yield PlannedDisposal(begun.recording, begun.call, why, begun=begun)
    found = (
        log.of_group(group, due_before(group.policy or "", group.told, today, at_ms))
        for group in groups
    )
    for kept in chain(chain.from_iterable(found), log.withdrawn()):
        why_now = due(kept, today)
        if why_now is not None and kept.recording not in seen:
            seen.add(kept.recording)
            yield PlannedDisposal(kept.recording, kept.call, why_now)


def _is_undated(group: RetentionGroup, today: Today) -> bool:
    return group.retention is not None and not is_dated(group.policy or "", group.told, today)
