"""What a configuration may say of the canary: a call that nobody makes, and that presses no key."""

from __future__ import annotations

from typing import Any

import pytest

from sample_settings import accepted, problems, raw


def with_canary(**canary: Any) -> dict[str, Any]:
    return raw() | {"canary": {"every_min": 5, "policy": "inbound", **canary}}


def test_it_is_off_unless_it_is_asked_for() -> None:
    assert accepted(raw()).canary.every_min == 0
    assert accepted(raw() | {"canary": {"policy": "nobody's"}}).canary.every_min == 0


def test_a_policy_that_records_by_itself_will_do() -> None:
    assert accepted(with_canary()).canary.policy == "inbound"


def test_its_policy_must_be_there() -> None:
    wrong = ["canary.policy: there is no such policy"]
    assert problems(with_canary(policy="outbound")) == wrong
    assert problems(raw() | {"canary": {"every_min": 5}}) == wrong


@pytest.mark.parametrize(
    ("term", "value", "why"),
    [
        ("consent", "opt-in", "asks for a key, and nobody presses one"),
        ("capture", "on-demand", "records only when somebody asks"),
    ],
)
def test_a_policy_that_waits_for_somebody_will_not_do(term: str, value: str, why: str) -> None:
    config = with_canary()
    config["policy"][0][term] = value
    assert f"canary.policy: that policy {why}" in problems(config)


def test_it_needs_ari() -> None:
    config = with_canary()
    del config["asterisk"][0]["ari"]
    config["asterisk"][0]["agi"] = {}
    assert "canary: needs [asterisk.ari]" in problems(config)


@pytest.mark.parametrize("every_min", [-1, 10_081, "often"])
def test_minutes_are_minutes(every_min: Any) -> None:
    assert any(
        one.startswith("canary.every_min") for one in problems(with_canary(every_min=every_min))
    )
