"""Values for property tests of policies: terms, matches, rules and facts that often meet."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from asterisk_compliance.domain.policy.matching import CallDirection, CallFacts, Match, Weekday
from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Consent,
    OnJoin,
    OnProblem,
    RecordingDuty,
    Withdrawal,
)
from asterisk_compliance.domain.policy.rules import PolicyRule
from asterisk_compliance.domain.policy.terms import FIELDS, PolicyTerms, is_laxer


def is_at_least_as_strict(one: PolicyTerms, other: PolicyTerms) -> bool:
    return not any(is_laxer(field, getattr(one, field), getattr(other, field)) for field in FIELDS)


def maybe(values):
    return st.none() | values


terms = st.builds(
    PolicyTerms,
    consent=maybe(st.sampled_from(Consent)),
    duty=maybe(st.sampled_from(RecordingDuty)),
    capture=maybe(st.sampled_from(CaptureFrom)),
    on_refusal=maybe(st.sampled_from(OnProblem)),
    on_notice_failure=maybe(st.sampled_from(OnProblem)),
    on_recording_failure=maybe(st.sampled_from(OnProblem)),
    agent_consent=maybe(st.sampled_from(AgentConsent)),
    on_join=maybe(st.sampled_from(OnJoin)),
    withdrawal=maybe(st.sampled_from(Withdrawal)),
    beep_s=maybe(st.integers(1, 4)),
    retention_min_days=maybe(st.integers(1, 4)),
    retention_max_days=maybe(st.integers(1, 4)),
)


def some(*values):
    """Nothing asked for, or one or more of ``values``."""
    return maybe(st.frozensets(st.sampled_from(values), min_size=1))


hours = st.tuples(
    st.sampled_from([time(0), time(9), time(17)]), st.sampled_from([time(8), time(18)])
)
NUMBERS = {"819012345678": "JP", "12125550100": "US", "4930123456": "DE"}

matches = st.builds(
    Match,
    policy=some("sales", "help"),
    direction=some(*CallDirection),
    did=some("0312345678", "03*", "0*", "0698765432"),
    queue=some("gold", "silver"),
    country=some("JP", "US", "DE"),
    prefix=some("1", "81", "8190"),
    language=some("ja", "en"),
    weekdays=some(*Weekday),
    hours=maybe(hours),
)

days = st.sampled_from([date(2027, 1, 15) + timedelta(days=n) for n in range(4)])
zones = st.sampled_from([ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")])


@st.composite
def rules(draw, terms=terms):
    start, end = draw(maybe(days)), draw(maybe(days))
    if start and end and start >= end:
        end = start + timedelta(days=1)
    return PolicyRule(
        id=f"r{draw(st.integers(0, 10**6))}",
        terms=draw(terms),
        match=draw(matches),
        valid_from=start,
        valid_to=end,
        time_zone=draw(zones),
    )


rule_lists = st.lists(rules(), max_size=6, unique_by=lambda rule: rule.id)


@st.composite
def facts(draw):
    number = draw(st.sampled_from(["", *NUMBERS]))
    return CallFacts(
        policy=draw(st.sampled_from(["sales", "help"])),
        direction=draw(st.sampled_from(CallDirection)),
        did=draw(st.sampled_from(["", "0312345678", "0698765432"])),
        queue=draw(st.sampled_from(["", "gold", "silver"])),
        number=number,
        countries=frozenset({NUMBERS[number]}) if number else frozenset(),
        language=draw(st.sampled_from(["", "ja", "en_GB"])),
        at=draw(
            st.datetimes(datetime(2027, 1, 14), datetime(2027, 1, 20), timezones=st.just(UTC))  # noqa: DTZ001
        ),
    )
