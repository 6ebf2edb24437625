"""The policy of a call: as its dialplan asks for it, and as the rules make it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from asterisk_compliance.app.policy import policies as module
from asterisk_compliance.app.policy.arrivals import parse_arguments
from asterisk_compliance.app.policy.policies import AppliedPolicy, Policies, digest_of
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.policy.matching import CallDirection, Match
from asterisk_compliance.domain.policy.notice import (
    Announcement,
    Consent,
    ConsentKeys,
    Notice,
    OnProblem,
    Prompt,
    Withdrawal,
)
from asterisk_compliance.domain.policy.plan import PolicyPlan
from asterisk_compliance.domain.policy.rules import PolicyRule
from asterisk_compliance.domain.policy.terms import NOTHING, PolicyTerms
from asterisk_compliance.shipped.presets import chosen_rules
from values import replace

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
TOLD, ASKED = Notice("told", "1", (), {}), Notice("asked", "1", (), {})
SALES = PolicyPlan(
    name="sales",
    site=NOTHING,
    notices={Consent.NOTICE: TOLD, Consent.OPT_OUT: TOLD, Consent.OPT_IN: ASKED},
    languages=("ja",),
    keys=ConsentKeys(accept="1", refuse="9"),
    grace_ms=3_000,
    repeats_max=1,
    announcements={kind: {"ja": Prompt(f"sound:/{kind}", 1_000)} for kind in Announcement},
)
HELP = replace(SALES, name="help", site=PolicyTerms(consent=Consent.OPT_OUT))
PRESETS = chosen_rules(["jp"], ["us-all-party", "eu-explicit"])
BERLIN, TOKYO = "+4930123456", "0312345678"


def policies(*rules: PolicyRule, home: str | None = "JP") -> Policies:
    return Policies({"sales": SALES, "help": HELP}, (), rules, home)


def applied(
    known: Policies,
    *arguments: str,
    number: str = "",
    dialled: str = "",
    language: str = "ja",
    at: datetime = NOON,
) -> AppliedPolicy:
    asked = parse_arguments(arguments or ("policy=sales",))
    return known.apply(asked, number=number, dialled=dialled, language=language, at=at)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["policy=other"], Reason.POLICY_UNKNOWN),
        (["policy=Sales"], Reason.POLICY_UNKNOWN),
        (["policy="], Reason.POLICY_MISSING),
        (["policy=a b"], Reason.ARGUMENTS_INVALID),
    ],
)
def test_why_there_is_no_policy(arguments: Sequence[str], reason: Reason) -> None:
    assert applied(policies(*PRESETS), *arguments) == AppliedPolicy(reason)


def test_without_rules_a_policy_is_what_its_table_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is looked at: no number is read, no rule resolved."""
    for name in ("resolve", "facts_of"):
        monkeypatch.setattr(module, name, None)
    known = policies()
    for name in ("sales", "help"):
        found = applied(known, f"policy={name}", number=BERLIN)
        assert found == AppliedPolicy(known.by_name[name], published=False)
    assert known.by_name["help"].consent is Consent.OPT_OUT


def test_rules_of_another_policy_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = policies(PolicyRule(id="r", match=Match(policy=frozenset({"help"}))))
    assert applied(known, "policy=help").rules == ("r",)
    monkeypatch.setattr(module, "resolve", None)
    assert applied(known).rules == ()


def test_a_caller_from_berlin_is_asked_and_one_from_tokyo_is_told() -> None:
    known = policies(*PRESETS)
    told, asked = applied(known, number=TOKYO).policy, applied(known, number=BERLIN).policy
    assert not isinstance(told, Reason)
    assert not isinstance(asked, Reason)
    assert (told.consent, told.notice, told.grace_ms) == (Consent.NOTICE, TOLD, 0)
    assert (asked.consent, asked.notice, asked.grace_ms) == (Consent.OPT_IN, ASKED, 3_000)
    assert asked.withdrawal is Withdrawal.ON
    assert told.digest == known.by_name["sales"].digest
    assert asked.digest != told.digest


def test_the_rules_that_applied_are_named_sorted() -> None:
    assert applied(policies(*PRESETS), number=BERLIN).rules == (
        "eu-agent",
        "eu-consent",
        "eu-join",
        "eu-withdrawal",
        "jp-appi.20261102",
        "jp-ccaj",
        "jp-every-leg",
    )


@pytest.mark.parametrize("number", ["", "anonymous", "200", "9" * 10_000])
def test_an_unknown_number_is_asked(number: str) -> None:
    found = applied(policies(*PRESETS), number=number).policy
    assert not isinstance(found, Reason)
    assert found.consent is Consent.OPT_IN


def test_without_a_home_country_everybody_is_unknown() -> None:
    found = applied(policies(*PRESETS, home=None), number=TOKYO).policy
    assert not isinstance(found, Reason)
    assert found.consent is Consent.OPT_IN


@pytest.mark.parametrize(
    ("match", "arguments", "meets"),
    [
        (Match(direction=frozenset({CallDirection.CALLBACK})), {}, False),
        (Match(direction=frozenset({CallDirection.CALLBACK})), {"direction": "callback"}, True),
        (Match(queue=frozenset({"gold"})), {}, False),
        (Match(queue=frozenset({"gold"})), {"queue": "gold"}, True),
    ],
)
def test_what_the_dialplan_says_of_the_call(match, arguments, meets) -> None:
    given = [f"{key}={value}" for key, value in {"policy": "sales", **arguments}.items()]
    assert bool(applied(policies(PolicyRule(id="r", match=match)), *given).rules) is meets


@pytest.mark.parametrize(
    ("match", "fits", "does_not"),
    [
        (Match(did=frozenset({"0312*"})), {"dialled": TOKYO}, {"dialled": "0698765432"}),
        (Match(language=frozenset({"ja"})), {"language": "ja_JP"}, {"language": "en"}),
        (Match(prefix=frozenset({"8131"})), {"number": "0312345678"}, {"number": "0698765432"}),
    ],
)
def test_what_the_channel_says_of_the_call(match, fits, does_not) -> None:
    known = policies(PolicyRule(id="r", match=match))
    assert applied(known, **fits).rules == ("r",)
    assert applied(known, **does_not).rules == ()


def test_whom_we_call_decides_on_calls_of_ours() -> None:
    found = applied(
        policies(*PRESETS),
        "policy=sales",
        "direction=outbound",
        number=TOKYO,
        dialled="+4930123456",
    )
    assert "eu-consent" in found.rules


def test_a_rule_begins_on_its_day() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    known = policies(PolicyRule(id="r", valid_from=date(2027, 1, 17), time_zone=tokyo))
    midnight = datetime(2027, 1, 17, tzinfo=tokyo)
    assert applied(known, at=midnight).rules == ("r",)
    assert applied(known, at=midnight.replace(day=16)).rules == ()


def test_a_call_arrives_now_unless_somebody_says_when() -> None:
    today = datetime.now(UTC).date()
    known = policies(
        PolicyRule(id="past", valid_to=today.replace(year=today.year - 1, day=1)),
        PolicyRule(id="present", valid_from=today.replace(year=today.year - 1, day=1)),
    )
    asked = parse_arguments(["policy=sales"])
    assert known.apply(asked, number="", dialled="", language="").rules == ("present",)


def test_the_same_terms_are_built_once() -> None:
    known = policies(*PRESETS)
    first = applied(known, number=BERLIN).policy
    assert applied(known, number="+33140000000").policy is first
    assert applied(known, "policy=help", number=BERLIN).policy is not first


def test_rules_that_no_recording_can_satisfy() -> None:
    """Found at load; if one came through all the same, nothing may be recorded."""
    known = policies(
        PolicyRule(id="long", terms=PolicyTerms(retention_min_days=2)),
        PolicyRule(id="short", terms=PolicyTerms(retention_max_days=1)),
    )
    assert applied(known) == AppliedPolicy(Reason.RULES_CONFLICT, ("long", "short"))


def test_by_name_has_what_every_call_must_meet() -> None:
    always = PolicyRule(id="r", terms=PolicyTerms(on_notice_failure=OnProblem.END))
    assert policies(always).by_name["sales"].on_notice_failure is OnProblem.END


def test_what_the_rules_can_make_of_a_policy() -> None:
    assert set(policies(*PRESETS).reach("sales")["consent"]) == {Consent.NOTICE, Consent.OPT_IN}


def test_the_digest_of_rules_names_every_rule_and_no_order() -> None:
    digests = {
        digest_of(()),
        digest_of(PRESETS),
        digest_of(PRESETS[1:]),
        digest_of((replace(PRESETS[0], text="other"), *PRESETS[1:])),
        digest_of((replace(PRESETS[0], time_zone=ZoneInfo("UTC")), *PRESETS[1:])),
    }
    assert len(digests) == 5
    assert digest_of(PRESETS) == digest_of(PRESETS[::-1])
    many = [
        PolicyRule(id="r", match=Match(policy=frozenset(order))) for order in ("abcdef", "fedcba")
    ]
    assert digest_of(many[:1]) == digest_of(many[1:])
