"""Which values each field can have in some call of a policy, and who can ask for them. Pure.

A call whose terms nobody prepared for cannot be told or asked, so a configuration is checked
against everything that its rules can make of a policy, before a call comes. In doubt a value is
reachable: a rule whose days are over counts, so that what loads today loads tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from asterisk_compliance.domain.policy.matching import Match
from asterisk_compliance.domain.policy.notice import OnProblem, RecordingDuty
from asterisk_compliance.domain.policy.rules import DEFAULT, SITE, PolicyRule
from asterisk_compliance.domain.policy.terms import (
    DEFAULTS,
    FAILURES,
    FIELDS,
    NEVER_UNRECORDED,
    PolicyTerms,
    filled,
    is_laxer,
    merge,
    strictest,
)

Reach: TypeAlias = Mapping[Any, tuple[str, ...]]
"""By value of one field: the ids of the rules that can ask for it, ``SITE`` or ``DEFAULT``."""


def applying_to(rules: Iterable[PolicyRule], policy: str) -> tuple[PolicyRule, ...]:
    """Those that can apply to a call of ``policy``."""
    return tuple(rule for rule in rules if rule.match.policy is None or policy in rule.match.policy)


def reachable(rules: Iterable[PolicyRule], site: PolicyTerms) -> Mapping[str, Reach]:
    """What each field can be in a call.

    Args:
        rules: Those that can apply to the policy, see :func:`applying_to`.
        site: What the policy itself says.
    """
    rules = tuple(rules)
    floor = lowest(rules, site)
    found: dict[str, Reach] = {}
    for field in FIELDS:
        found[field] = _values(field, getattr(floor, field), rules, site, found)
    return found


def lowest(rules: Iterable[PolicyRule], site: PolicyTerms) -> PolicyTerms:
    """What every call of the policy has to meet: its own terms, and the rules for all calls."""
    always = (rule.terms for rule in rules if _always_applies(rule))
    terms = merge(filled(site, DEFAULTS), strictest(always))
    return merge(terms, NEVER_UNRECORDED) if terms.duty is RecordingDuty.MANDATORY else terms


def _always_applies(rule: PolicyRule) -> bool:
    return rule.match == Match(policy=rule.match.policy) and not (rule.valid_from or rule.valid_to)


def _values(
    field: str,
    floor: Any,
    rules: tuple[PolicyRule, ...],
    site: PolicyTerms,
    found: Mapping[str, Reach],
) -> Reach:
    asked = [(rule.id, getattr(rule.terms, field)) for rule in rules]
    asked.append((SITE, getattr(site, field)))
    values: dict[Any, tuple[str, ...]] = {floor: ()}
    for who, value in asked:
        if value is not None and not is_laxer(field, value, floor):
            values[value] = (*values.get(value, ()), who)
    mandatory = found.get("duty", {}).get(RecordingDuty.MANDATORY, ())
    if field in FAILURES and mandatory and not is_laxer(field, OnProblem.ALTERNATIVE, floor):
        values[OnProblem.ALTERNATIVE] = values.get(OnProblem.ALTERNATIVE, ()) or mandatory
    return {value: by or (DEFAULT,) for value, by in values.items()}
