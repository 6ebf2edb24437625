"""What rules ask of a call, and how what several of them ask becomes one: the strictest wins.

Every field of :class:`PolicyTerms` is a chain from lax to strict, and ``None`` (the rule says
nothing) is below all of it. So merging two terms is the maximum in every field: the order in which
rules stand does not matter, saying a thing twice changes nothing, and one more rule never makes a
call laxer.

Two things follow after the merge, from all fields together: recording that is *mandatory* never
goes on unrecorded (:func:`settled`), and a retention period whose minimum is above its maximum is
a :class:`RetentionConflict`, a value, because no strictest can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any

from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Consent,
    OnJoin,
    OnProblem,
    RecordingDuty,
    Withdrawal,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTerms:
    """What one rule asks. ``None`` says nothing; the order of values is that of their types.

    Attributes:
        capture: From when on audio is kept; the later beginning is the stricter.
        beep_s: A tone to both parties every so many seconds; the smaller is the stricter.
        retention_min_days, retention_max_days: A recording is kept at least and at most so long.
    """

    consent: Consent | None = None
    duty: RecordingDuty | None = None
    capture: CaptureFrom | None = None
    on_refusal: OnProblem | None = None
    on_notice_failure: OnProblem | None = None
    on_recording_failure: OnProblem | None = None
    agent_consent: AgentConsent | None = None
    on_join: OnJoin | None = None
    withdrawal: Withdrawal | None = None
    beep_s: int | None = None
    retention_min_days: int | None = None
    retention_max_days: int | None = None

    def __post_init__(self) -> None:
        for name in ("beep_s", "retention_min_days", "retention_max_days"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1")


NOTHING = PolicyTerms()
"""Says nothing."""
FIELDS = tuple(field.name for field in fields(PolicyTerms))
FAILURES = ("on_refusal", "on_notice_failure", "on_recording_failure")
"""The fields that say what happens to a call that is not recorded."""

_ORDERS: Mapping[str, tuple[object, ...]] = {
    "consent": tuple(Consent),
    "duty": tuple(RecordingDuty),
    "capture": (CaptureFrom.NOTICE, CaptureFrom.BRIDGED, CaptureFrom.ON_DEMAND),
    **dict.fromkeys(FAILURES, tuple(OnProblem)),
    "agent_consent": tuple(AgentConsent),
    "on_join": tuple(OnJoin),
    "withdrawal": tuple(Withdrawal),
}
_SMALLER_IS_STRICTER = frozenset({"beep_s", "retention_max_days"})


def strictness(field: str, value: Any) -> int:
    """How strict ``value`` is, to be compared with other values of the same field."""
    if field in _ORDERS:
        return _ORDERS[field].index(value)
    assert isinstance(value, int)
    return -value if field in _SMALLER_IS_STRICTER else value


def is_laxer(field: str, one: Any, other: Any) -> bool:
    """Whether ``one`` asks for less than ``other``; saying nothing asks for the least."""
    if one is None or other is None:
        return one is None and other is not None
    return strictness(field, one) < strictness(field, other)


def merge(one: PolicyTerms, other: PolicyTerms) -> PolicyTerms:
    """The strictest of both in every field."""
    stricter = {
        field: getattr(other, field)
        for field in FIELDS
        if is_laxer(field, getattr(one, field), getattr(other, field))
    }
    return replace(one, **stricter)


def strictest(terms: Iterable[PolicyTerms]) -> PolicyTerms:
    """:func:`merge` of all; of none, terms that say nothing."""
    return reduce(merge, terms, NOTHING)


def filled(terms: PolicyTerms, defaults: PolicyTerms) -> PolicyTerms:
    """``terms``, and where they say nothing, ``defaults``.

    For a policy's own table and the product's defaults: there the site chooses, and may choose
    the laxer. Rules are never filled in, they are merged.
    """
    silent = {field: getattr(defaults, field) for field in FIELDS if getattr(terms, field) is None}
    return replace(terms, **silent)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTerms:
    """What holds for a call: :class:`PolicyTerms` in which everything is said.

    Only a beep and retention periods can be absent: then there is none.
    """

    consent: Consent
    duty: RecordingDuty
    capture: CaptureFrom
    on_refusal: OnProblem
    on_notice_failure: OnProblem
    on_recording_failure: OnProblem
    agent_consent: AgentConsent
    on_join: OnJoin
    withdrawal: Withdrawal
    beep_s: int | None
    retention_min_days: int | None
    retention_max_days: int | None


DEFAULTS = PolicyTerms(
    consent=Consent.NOTICE,
    duty=RecordingDuty.OPTIONAL,
    capture=CaptureFrom.BRIDGED,
    on_refusal=OnProblem.TELL,
    on_notice_failure=OnProblem.CONTINUE,
    on_recording_failure=OnProblem.CONTINUE,
    agent_consent=AgentConsent.NONE,
    on_join=OnJoin.RENOTIFY,
    withdrawal=Withdrawal.OFF,
)
"""What holds where a policy says nothing."""


NEVER_UNRECORDED = PolicyTerms(
    on_refusal=OnProblem.ALTERNATIVE,
    on_notice_failure=OnProblem.ALTERNATIVE,
    on_recording_failure=OnProblem.ALTERNATIVE,
)


def settled(terms: PolicyTerms) -> CallTerms:
    """What holds, from merged terms: silence filled in, and mandatory recording made good.

    Where recording is mandatory, a refusal or a failure leaves by the ``alternative`` or ends
    the call; values that would go on unrecorded are raised to ``alternative``.
    """
    complete = filled(terms, DEFAULTS)
    if complete.duty is RecordingDuty.MANDATORY:
        complete = merge(complete, NEVER_UNRECORDED)
    return CallTerms(**{field: getattr(complete, field) for field in FIELDS})


@dataclass(frozen=True, slots=True)
class RetentionConflict:
    """A recording would have to be kept longer than it may be.

    Attributes:
        longest_min_by, shortest_max_by: Ids of the rules that ask for it.
    """

    min_days: int
    max_days: int
    longest_min_by: tuple[str, ...] = ()
    shortest_max_by: tuple[str, ...] = ()


def is_impossible(terms: PolicyTerms | CallTerms) -> bool:
    """Whether the minimum retention is above the maximum."""
    shortest, longest = terms.retention_min_days, terms.retention_max_days
    return shortest is not None and longest is not None and shortest > longest
