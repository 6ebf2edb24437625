"""What is said before the notice is read, measured and kept like a notice."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from app.policy.test_prompts import loaded, policy, problems, write_prompt
from app.policy.test_prompts import sounds as sounds  # noqa: PLC0414 - a fixture

SALES = {"sales": {"introduction": "own/who-we-are", "do_not_call": True}}


@pytest.fixture
def introduced(sounds: Path) -> Path:
    for language, seconds in (("ja", 2.0), ("en", 3.0)):
        write_prompt(sounds / language / "own/who-we-are.wav", seconds)
    return sounds


def test_it_is_said_in_each_language_of_the_policy(introduced: Path) -> None:
    policies = loaded(introduced, policy=policy("ja", "en", **SALES))
    built = policies.by_name["inbound"]
    assert built.do_not_call
    assert built.introduction is not None
    lengths = {language: prompt.length_ms for language, prompt in built.introduction.items()}
    assert lengths == {"ja": 2_000, "en": 3_000}
    digests = {prompt.audio_digest for prompt in built.introduction.values()}
    assert digests == {hashlib.sha256(audio).hexdigest() for audio in policies.said}
    assert built.introduction["ja"].media.endswith("/ja/own/who-we-are")


def test_a_policy_that_sells_nothing_says_nothing_first(sounds: Path) -> None:
    policies = loaded(sounds)
    built = policies.by_name["inbound"]
    assert (built.introduction, built.do_not_call, policies.said) == (None, False, ())


def test_it_makes_another_policy_of_it(introduced: Path) -> None:
    digests = {
        loaded(introduced, policy=policy("ja", "en", sales=sales)).by_name["inbound"].digest
        for sales in ({}, {"do_not_call": True}, SALES["sales"])
    }
    assert len(digests) == 3


def test_one_that_is_missing_is_a_problem(introduced: Path) -> None:
    (introduced / "en/own/who-we-are.wav").unlink()
    (problem,) = problems(introduced, policy=policy("ja", "en", **SALES))
    assert problem.startswith("policy[1].sales.introduction: ")


def test_its_time_counts_before_the_dialplans_limit(introduced: Path) -> None:
    limits = {"dialplan_s": 18.0}
    loaded(introduced, limits=limits)
    (problem, *_) = problems(introduced, policy=policy("ja", "en", **SALES), limits=limits)
    assert problem.startswith("limits.dialplan_s: policy inbound needs 20.0 s for notice")


def test_the_longest_prompt_may_be_an_introduction(introduced: Path) -> None:
    write_prompt(introduced / "en/own/who-we-are.wav", 14.0)
    policies = loaded(introduced, policy=policy("ja", "en", **SALES), limits={"dialplan_s": 60})
    assert policies.longest_prompt_ms == 14_000
