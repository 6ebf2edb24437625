"""Prompts must be enough for every call that the rules can make of a policy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from app.policy.test_prompts import LONG, asking, loaded, notice, policy, problems, sounds
from asterisk_compliance.domain.policy.notice import Announcement, Consent
from asterisk_compliance.shipped import catalogue

__all__ = ["asking", "sounds"]
NO_FILE = "No such file or directory"


def ruled(*rules: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A policy that only tells, by the shipped prompt, with keys, and rules beside it."""
    keys = {"accept": "1", "refuse": "2"}
    return {
        "notice": notice(ja={"prompt": "notice-standard"}),
        "policy": policy("ja", **{"keys": keys, **changed}),
        "rule": list(rules),
        "limits": LONG,
    }


def asking_notice() -> dict[str, Any]:
    return {**notice(ja={"prompt": "notice-opt-in"})[0], "id": "asks"}


SOMETIMES = {"direction": ["outbound"]}
OPT_IN = {"id": "own", "match": SOMETIMES, "terms": {"consent": "opt-in"}}


def test_a_rule_can_ask_by_a_key_that_the_notice_does_not_say(asking: Path) -> None:
    assert problems(asking, **ruled(OPT_IN)) == [
        f'policy[1].keys: notice "standard" does not say key {key} in ja: '
        "rule own can ask for opt-in"
        for key in ("1", "2")
    ]


def test_another_notice_for_those_who_are_asked(asking: Path) -> None:
    tables = ruled(OPT_IN, notice_opt_in="asks")
    tables["notice"].append(asking_notice())
    plan = loaded(asking, **tables).plans["inbound"]
    assert {consent: it.id for consent, it in plan.notices.items()} == {
        Consent.NOTICE: "standard",
        Consent.OPT_OUT: "standard",
        Consent.OPT_IN: "asks",
    }
    assert set(plan.announcements) == {Announcement.REFUSED}


def test_a_key_is_missing_once_even_where_two_questions_need_it(asking: Path) -> None:
    opt_out = {"id": "b", "match": SOMETIMES, "terms": {"consent": "opt-out"}}
    assert problems(asking, **ruled(OPT_IN, opt_out)) == [
        'policy[1].keys: notice "standard" does not say key 2 in ja: rule b can ask for opt-out',
        'policy[1].keys: notice "standard" does not say key 1 in ja: rule own can ask for opt-in',
    ]


@pytest.mark.parametrize(
    ("terms", "why", "kind"),
    [
        ({"on_notice_failure": "tell"}, "on_notice_failure = tell", "not_recorded"),
        ({"on_notice_failure": "end"}, "on_notice_failure = end", "required"),
        ({"on_recording_failure": "end"}, "on_recording_failure = end", "required"),
        ({"duty": "mandatory"}, "on_notice_failure = alternative", "required"),
    ],
)
def test_a_rule_can_ask_for_words_that_are_not_there(
    sounds: Path, terms: dict[str, str], why: str, kind: str
) -> None:
    prompt = {"not_recorded": "not-recorded", "required": "required-here"}[kind]
    file = sounds / "ja" / f"{prompt}.wav"
    assert problems(sounds, **ruled({"id": "own", "match": SOMETIMES, "terms": terms})) == [
        f"policy[1].announcements.{kind}: rule own can ask for {why}: {file}: {NO_FILE}"
    ]


def test_who_can_withdraw_is_told_what_follows(asking: Path) -> None:
    """Where only staff can withdraw for him, he is told if the prompt is there."""
    own = {"id": "own", "match": SOMETIMES, "terms": {"withdrawal": "on"}}
    for rules in ([], [own]):
        plan = loaded(asking, **ruled(*rules)).plans["inbound"]
        assert set(plan.announcements) == {Announcement.REFUSED}
    (asking / "ja" / "refused.wav").unlink()
    assert loaded(asking, **ruled()).plans["inbound"].announcements == {}
    (problem,) = problems(asking, **ruled(own))
    assert problem.startswith("policy[1].announcements.refused: ")


def test_who_can_be_asked_can_refuse_and_is_told_what_follows(asking: Path) -> None:
    (asking / "ja" / "refused.wav").unlink()
    (asking / "ja" / "required-here.wav").unlink()
    end = {"id": "ends", "match": SOMETIMES, "terms": {"on_refusal": "end"}}
    loaded(asking, **ruled(end))
    tables = ruled(OPT_IN, end, notice_opt_in="asks")
    tables["notice"].append(asking_notice())
    found = [problem.split(": /")[0] for problem in problems(asking, **tables)]
    assert found == [
        "policy[1].announcements.refused",
        "policy[1].announcements.required: rule ends can ask for on_refusal = end",
    ]


def test_the_dialplan_must_wait_for_the_longest_call_that_rules_can_make(asking: Path) -> None:
    tables = ruled(OPT_IN, notice_opt_in="asks", grace_s=5)
    tables["notice"].append(asking_notice())
    lengths = {
        name: catalogue.shipped_prompts()[name, "ja"].length_ms / 1_000
        for name in ("notice-opt-in", "refused")
    }
    needed_s = sum(lengths.values()) + 3 + 3 + 5
    loaded(asking, **{**tables, "limits": {"dialplan_s": needed_s + 0.01}})
    (problem,) = problems(asking, **{**tables, "limits": {"dialplan_s": needed_s - 0.01}})
    assert problem.startswith(f"limits.dialplan_s: policy inbound needs {needed_s:.1f} s ")
    assert "asks/1/ja" in problem


def test_what_a_rule_for_every_call_forbids_needs_no_words(sounds: Path) -> None:
    """Nobody is ever only told: the prompt for that is not looked for."""
    shutil.copy(catalogue.sounds() / "ja" / "required-here.wav", sounds / "ja")
    always = {"id": "own", "terms": {"on_notice_failure": "end"}}
    built = loaded(sounds, **ruled(always, on_notice_failure="tell"))
    assert set(built.by_name["inbound"].announcements) == {Announcement.REQUIRED}
