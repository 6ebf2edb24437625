"""Which rules apply to a call, and what they make of it together. Pure; every rule is a value.

1. A rule applies when the call is as its match asks
   (:mod:`~asterisk_compliance.domain.policy.matching`).
2. A rule applies from midnight of ``valid_from`` until midnight of ``valid_to``. These days, and
   the hours and weekdays that it asks for, are those of its own time zone.
3. Of all that apply, and of what the site's policy says itself, the strictest value of each field
   holds (:mod:`~asterisk_compliance.domain.policy.terms`). :class:`Resolution` says who decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from asterisk_compliance.domain.policy.matching import ALL_CALLS, CallFacts, Match
from asterisk_compliance.domain.policy.terms import (
    DEFAULTS,
    FAILURES,
    FIELDS,
    NOTHING,
    CallTerms,
    PolicyTerms,
    RetentionConflict,
    is_impossible,
    is_laxer,
    settled,
    strictest,
)

SITE = "policy"
"""Stands for a rule's id in a trace, where the site's own policy decided."""
DEFAULT = "default"
"""Stands for a rule's id in a trace, where nobody said anything."""


class RuleSeverity(StrEnum):
    LAW = "law"
    CODE = "code"
    """A code of the industry, or guidance of an authority."""
    SITE = "site"
    """The site's own, or our own reading."""


class Checked(StrEnum):
    """How sure a source is."""

    VERIFIED = "verified"
    """The law's or the authority's own words were read."""
    SECONDARY = "secondary"
    """Somebody who quotes or explains them was read."""
    MEMORY = "memory"
    """Not looked up. No fact."""
    INFERRED = "inferred"
    """Our own conclusion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a rule comes from.

    Attributes:
        ref: Short id under which our documentation speaks of it, such as ``JP-04``.
        statute: Law, code or judgement, with article.
        revision: Of the law, where its publisher names one; a rule is of one revision.
        url: Where it was read.
    """

    ref: str
    statute: str
    checked: Checked
    revision: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One rule, under one revision of its source. A new revision is a new rule.

    Attributes:
        text: What it asks, in plain words, also what no field of :class:`PolicyTerms` can say.
        warning: What an operator must know before relying on it.
        valid_from, valid_to: Days in ``time_zone``; ``valid_to`` is the first day without it.
    """

    id: str
    terms: PolicyTerms = NOTHING
    match: Match = ALL_CALLS
    severity: RuleSeverity = RuleSeverity.SITE
    source: tuple[Source, ...] = ()
    text: str = ""
    warning: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", self.id):
            raise ValueError("id: use small letters, digits, dots and hyphens")
        if self.id in {SITE, DEFAULT}:
            raise ValueError("id: this one has a meaning of its own")
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            raise ValueError("valid_to: must be after valid_from")

    def applies_to(self, facts: CallFacts) -> bool:
        local = facts.at.astimezone(self.time_zone)
        return self.is_in_force_on(local.date()) and self.match.is_met_by(facts, local)

    def is_in_force_on(self, day: date) -> bool:
        return (self.valid_from or day) <= day and (self.valid_to is None or day < self.valid_to)

    def can_meet(self, other: PolicyRule) -> bool:
        """Whether both can apply to one call."""
        same_zone = self.time_zone.key == other.time_zone.key
        return _days_meet(self, other, slack=timedelta(days=0 if same_zone else 2)) and (
            self.match.overlaps(other.match, same_zone=same_zone)
        )


def _days_meet(one: PolicyRule, other: PolicyRule, slack: timedelta) -> bool:
    """``slack``: midnights of two time zones are up to 26 hours apart."""
    return all(
        start is None or end is None or start < end + slack
        for start, end in ((one.valid_from, other.valid_to), (other.valid_from, one.valid_to))
    )


@dataclass(frozen=True, slots=True)
class DecidedTerm:
    """Why a field has its value.

    Attributes:
        value: ``None`` only for a beep or a period that nobody asked for.
        by: Ids of the rules that asked for this value, :data:`SITE` or :data:`DEFAULT`.
        overruled: Ids of the rules that asked for something laxer.
        for_duty: The value was raised because recording is mandatory; ``by`` asked for that.
    """

    value: Any
    by: tuple[str, ...]
    overruled: tuple[str, ...] = ()
    for_duty: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """What holds for a call, and why.

    Attributes:
        trace: By field of :class:`~asterisk_compliance.domain.policy.terms.PolicyTerms`.
        applied: The rules that applied, by id.
        conflicts: Not empty: nothing may be recorded under these rules. A configuration in
            which that can happen is found by :func:`reachable_conflicts`.
    """

    terms: CallTerms
    trace: Mapping[str, DecidedTerm]
    applied: tuple[str, ...]
    conflicts: tuple[RetentionConflict, ...] = ()


def resolve(
    rules: Iterable[PolicyRule], facts: CallFacts, site: PolicyTerms = NOTHING
) -> Resolution:
    """What holds for the call that ``facts`` describe.

    Args:
        rules: All that are configured, in any order, each id once.
        facts: What is known of the call.
        site: What the policy itself says. Where it says nothing, ``DEFAULTS`` do.
    """
    applying = sorted((rule for rule in rules if rule.applies_to(facts)), key=lambda rule: rule.id)
    asked = [(rule.id, rule.terms) for rule in applying]
    asked.append((SITE, site))
    asked.append((DEFAULT, _left_to_defaults(site)))
    terms = settled(strictest(terms for _, terms in asked))
    trace: dict[str, DecidedTerm] = {}
    for name in FIELDS:
        trace[name] = _decided(name, getattr(terms, name), asked, trace)
    conflicts = (_conflict(trace),) if is_impossible(terms) else ()
    return Resolution(terms, trace, tuple(rule.id for rule in applying), conflicts)


def _left_to_defaults(site: PolicyTerms) -> PolicyTerms:
    silent = {name: getattr(DEFAULTS, name) for name in FIELDS if getattr(site, name) is None}
    return PolicyTerms(**silent)


def _decided(
    name: str, value: Any, asked: list[tuple[str, PolicyTerms]], before: Mapping[str, DecidedTerm]
) -> DecidedTerm:
    said = [(who, getattr(terms, name)) for who, terms in asked]
    said = [(who, wanted) for who, wanted in said if wanted is not None]
    by = tuple(who for who, wanted in said if wanted == value)
    overruled = tuple(who for who, wanted in said if is_laxer(name, wanted, value))
    if not by and name in FAILURES:
        return DecidedTerm(value, before["duty"].by, overruled, for_duty=True)
    return DecidedTerm(value, _without_default(by), _without_default(overruled))


def _without_default(ids: tuple[str, ...]) -> tuple[str, ...]:
    """A default is worth a word only where nobody else said the same."""
    return tuple(one for one in ids if one != DEFAULT) or ids


def _conflict(trace: Mapping[str, DecidedTerm]) -> RetentionConflict:
    shortest, longest = trace["retention_min_days"], trace["retention_max_days"]
    return RetentionConflict(shortest.value, longest.value, shortest.by, longest.by)


def reachable_conflicts(
    rules: Iterable[PolicyRule], site: PolicyTerms = NOTHING
) -> list[RetentionConflict]:
    """Every pair of rules that no call could satisfy, and that one call could meet.

    The longest minimum and the shortest maximum come from one rule each, so pairs are enough:
    if this is empty, no call's :class:`Resolution` has conflicts. ``site`` is one of them, for
    calls of every policy; ask once per policy, with the rules that can apply to it.
    """
    everyone = [*((rule.id, rule) for rule in rules), (SITE, PolicyRule(id="site", terms=site))]
    return [
        RetentionConflict(at_least, at_most, (one,), (other,))
        for one, keeps in everyone
        for other, removes in everyone
        if (at_least := keeps.terms.retention_min_days) is not None
        and (at_most := removes.terms.retention_max_days) is not None
        and at_least > at_most
        and keeps.can_meet(removes)
    ]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A day on which a rule begins or ends, from midnight in the rule's time zone."""

    on: date
    rule: str
    begins: bool
    warning: str = ""


def upcoming(rules: Iterable[PolicyRule], on: date, within_days: int) -> list[RuleChange]:
    """The changes after ``on``, up to and including ``within_days`` later, the next first."""
    last = on + timedelta(days=within_days)
    found = [change for rule in rules for change in _changes(rule) if on < change.on <= last]
    return sorted(found, key=lambda change: (change.on, change.rule, change.begins))


def _changes(rule: PolicyRule) -> Iterator[RuleChange]:
    if rule.valid_from is not None:
        yield RuleChange(rule.valid_from, rule.id, begins=True, warning=rule.warning)
    if rule.valid_to is not None:
        yield RuleChange(rule.valid_to, rule.id, begins=False)
