"""A plan becomes the policy of a call: at least as strict as the policy, with all that it needs."""

from __future__ import annotations

from hypothesis import given

from asterisk_compliance.domain.policy.notice import (
    Announcement,
    Consent,
    ConsentKeys,
    Notice,
    OnProblem,
    Prompt,
    announcement_for,
)
from asterisk_compliance.domain.policy.plan import PolicyPlan
from asterisk_compliance.domain.policy.rules import resolve
from asterisk_compliance.domain.policy.terms import DEFAULTS, FIELDS, NOTHING, PolicyTerms, settled
from domain.policy_values import facts, is_at_least_as_strict, rule_lists, terms
from values import replace

TOLD, ASKED = Notice("told", "1", (), {}), Notice("asked", "1", (), {})
PLAN = PolicyPlan(
    name="inbound",
    site=NOTHING,
    notices={Consent.NOTICE: TOLD, Consent.OPT_OUT: TOLD, Consent.OPT_IN: ASKED},
    languages=("ja",),
    keys=ConsentKeys(accept="1", refuse="9"),
    grace_ms=3_000,
    repeats_max=1,
    announcements={kind: {"ja": Prompt(f"sound:/{kind}", 1_000)} for kind in Announcement},
)


@given(rule_lists, facts(), terms)
def test_the_policy_of_a_call_is_at_least_as_strict_as_the_policy_itself(rules, call, site) -> None:
    policy = replace(PLAN, site=site).under(resolve(rules, call, site).terms)
    assert is_at_least_as_strict(PolicyTerms(**{f: getattr(policy, f) for f in FIELDS}), site)


@given(terms)
def test_the_policy_has_everything_that_its_terms_need_and_no_more(held) -> None:
    policy = PLAN.under(settled(held))
    assert {f: getattr(policy, f) for f in FIELDS} == {f: getattr(settled(held), f) for f in FIELDS}
    asks = policy.consent is not Consent.NOTICE
    assert policy.notice is (ASKED if policy.consent is Consent.OPT_IN else TOLD)
    assert (policy.grace_ms, policy.repeats_max) == ((3_000, 1) if asks else (0, 0))
    fails = (policy.on_notice_failure, policy.on_recording_failure)
    needed = {announcement_for(what, refused=False) for what in fails}
    needed.add(announcement_for(policy.on_refusal, refused=True))
    assert set(policy.announcements) == needed - {None}


def test_what_only_staff_can_cause_may_be_missing() -> None:
    silent = replace(PLAN, announcements={}).under(settled(PolicyTerms(on_refusal=OnProblem.TELL)))
    assert silent.announcements == {}


def test_a_policy_says_by_default_what_the_defaults_say() -> None:
    """Whoever makes one by hand must not get a laxer one."""
    policy = PLAN.under(settled(NOTHING))
    fields = type(policy).__dataclass_fields__
    for name in set(FIELDS) - {"capture"}:
        assert fields[name].default == getattr(DEFAULTS, name), name


def test_a_digest_names_everything_in_a_policy() -> None:
    def digest(**asked: object) -> str:
        return PLAN.under(settled(PolicyTerms(**asked))).digest  # type: ignore[arg-type]

    different = [
        digest(),
        digest(consent=Consent.OPT_OUT),
        digest(on_recording_failure=OnProblem.END),
        digest(beep_s=15),
        digest(retention_max_days=90),
        replace(PLAN, languages=("ja", "en")).under(settled(NOTHING)).digest,
    ]
    assert len(set(different)) == len(different)
    assert digest() == digest(on_refusal=OnProblem.TELL), "what a default says again"
