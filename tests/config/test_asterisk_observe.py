"""``[asterisk.observe]``: what it can say, and a site that does nothing else."""

from __future__ import annotations

import pytest

from asterisk_compliance.app.policy.prompts import policies_for
from sample_settings import accepted, problems, raw

ONLY = {
    "node": "pbx1",
    "spool": "/var/spool/asterisk/compliance",
    "sounds": "/usr/share/asterisk/sounds/compliance",
    "ami": {"user": "watcher", "secret_env": "AMI_SECRET"},
    "observe": {"notices": {"custom/notice": 6.5, "en/a&b": 1}},
}


def only_observing() -> dict:
    value = raw() | {"asterisk": [ONLY]}
    del value["notice"], value["policy"]
    return value


def test_a_site_can_observe_and_nothing_else():
    settings = accepted(only_observing())
    (asterisk,) = settings.asterisk
    assert asterisk.observe is not None
    assert asterisk.observe.notices == {"custom/notice": 6.5, "en/a&b": 1.0}
    assert policies_for(asterisk, settings, "compliance.toml").longest_prompt_ms == 0


def test_it_can_have_no_notice_at_all():
    value = only_observing()
    value["asterisk"] = [ONLY | {"observe": {"notices": {}}}]
    assert accepted(value).asterisk[0].observe.notices == {}


def test_it_needs_ami():
    value = only_observing()
    value["asterisk"] = [{key: ONLY[key] for key in ONLY if key != "ami"}]
    assert problems(value) == ["asterisk[1].observe: needs [asterisk.ami]"]
    beside = raw()
    beside["asterisk"][0]["observe"] = ONLY["observe"]
    del beside["asterisk"][0]["ami"]
    assert problems(beside) == ["asterisk[1].observe: needs [asterisk.ami]"]


def test_who_takes_calls_needs_a_notice_and_a_policy():
    value = only_observing()
    taking = raw()["asterisk"][0] | {"node": "pbx2", "spool": "/spool2"}
    taking["ami"] = taking["ami"] | {"port": 5039}
    value["asterisk"] = [*value["asterisk"], taking]
    assert problems(value) == ["notice: is missing", "policy: is missing"]
    for nothing in ([], "pbx1"):
        found = problems(value | {"asterisk": nothing})
        assert {"notice: is missing", "policy: is missing"} < set(found)


def test_who_does_not_observe_takes_calls():
    value = only_observing()
    value["asterisk"] = [{key: ONLY[key] for key in ONLY if key != "observe"}]
    assert problems(value) == [
        "asterisk[1]: needs [asterisk.ari], or [asterisk.agi] without ARI",
        "notice: is missing",
        "policy: is missing",
    ]


@pytest.mark.parametrize(
    ("observe", "problem"),
    [
        ({}, "notices: is missing"),
        (
            {"notices": {"custom/notice": 0}},
            "notices.custom/notice: Input should be greater than 0",
        ),
        ({"notices": {"custom/notice": 1e9}}, "less than or equal to 3600"),
        ({"notices": {"a b": 1}}, "String should match pattern"),
        ({"notices": {"a,b": 1}}, "String should match pattern"),
        ({"notices": ["custom/notice"]}, "Input should be a valid"),
        ({"notices": {}, "notice": "x"}, "observe.notice: is not a setting"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(observe, problem):
    value = only_observing()
    value["asterisk"] = [ONLY | {"observe": observe}]
    (found,) = problems(value)
    assert found.startswith("asterisk[1].observe")
    assert problem in found
