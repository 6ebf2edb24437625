"""A policy that records while the service is away: where it may, and where it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from asterisk_compliance.domain.policy.notice import Fallback
from sample_settings import accepted, problems, raw

KEYS = {"accept": "1", "refuse": "9"}
CANNOT = "and the dialplan alone cannot do that"


def site(*rules: dict[str, Any], **policy: Any) -> dict[str, Any]:
    value = raw() | {"rule": list(rules)}
    value["policy"][0] |= {"fallback": "record", **policy}
    return value


def test_by_default_nobody_is_recorded_while_the_service_is_away() -> None:
    assert accepted(raw()).policy[0].fallback is Fallback.UNRECORDED


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"capture": "from-notice"},
        {"beep_s": 15},
        {"duty": "mandatory", "on_join": "continue", "agent_consent": "required"},
    ],
)
def test_a_policy_may_have_it_that_asks_for_a_notice_only(policy: dict[str, Any]) -> None:
    assert accepted(site(**policy)).policy[0].fallback is Fallback.RECORD


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"consent": "opt-in", "keys": KEYS}, "consent = opt-in"),
        ({"consent": "opt-out", "keys": KEYS}, "consent = opt-out"),
        ({"capture": "on-demand"}, "capture = on-demand"),
        ({"on_join": "stop"}, "on_join = stop"),
        ({"withdrawal": "on"}, "withdrawal = on"),
    ],
)
def test_what_needs_the_service_cannot_have_it(policy: dict[str, Any], why: str) -> None:
    assert problems(site(**policy)) == [f"policy[1].fallback: {why}, {CANNOT}"]


def test_a_rule_that_could_ask_for_more_is_named() -> None:
    rule = {"id": "abroad", "match": {"direction": ["outbound"]}, "terms": {"consent": "opt-in"}}
    asked = "rule abroad can ask for consent = opt-in"
    assert problems(site(rule, keys=KEYS)) == [f"policy[1].fallback: {asked}, {CANNOT}"]


def test_it_says_no_more_than_the_notice() -> None:
    assert problems(site(sales={"introduction": "intro"})) == [
        "policy[1].fallback: the dialplan alone says no sales.introduction"
    ]


def test_who_has_no_ari_adopts_nothing() -> None:
    value = site()
    value["asterisk"][0] |= {"ari": None, "agi": {}}
    assert problems(value) == ["policy[1].fallback: asterisk[1] has no ARI to adopt by"]


def test_it_is_one_of_two_words() -> None:
    (problem,) = problems(site(fallback="maybe"))
    assert problem.startswith("policy[1].fallback: ")
