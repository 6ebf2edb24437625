"""Settings of everybody else on the line, of pauses, and of withdrawals."""

from __future__ import annotations

from typing import Any

import pytest

from asterisk_compliance.domain.policy.notice import OnPauseForgotten, OnWithdrawal
from sample_settings import accepted, asterisk, problems, raw


def policy(**settings: object) -> dict[str, Any]:
    value = raw()
    value["policy"][0].update(settings)
    return value


def limits(**settings: object) -> dict[str, Any]:
    return {**raw(), "limits": settings}


def joined(*purposes: str, languages: tuple[str, ...] = ("ja", "en")) -> dict[str, Any]:
    """A second notice, for who joins."""
    value = policy(notice_joined="joined")
    wording = {language: {"prompt": "notice-joined"} for language in languages}
    value["notice"].append(
        {"id": "joined", "version": "1", "purposes": list(purposes), "wording": wording}
    )
    return value


def test_what_holds_where_nothing_is_said() -> None:
    settings = accepted(raw())
    (chosen,) = settings.policy
    assert chosen.notice_joined is None
    assert chosen.pause_max_s == 600
    assert chosen.on_pause_forgotten is OnPauseForgotten.RESUME
    assert chosen.on_withdrawal is OnWithdrawal.KEEP
    assert settings.limits.segment_s == 2
    (node,) = settings.asterisk
    assert (node.staff, node.consenting, node.segments) == ((), (), True)


@pytest.mark.parametrize("seconds", [1, 1.5, 7200])
def test_how_long_a_pause_may_be(seconds: float) -> None:
    assert accepted(policy(pause_max_s=seconds)).policy[0].pause_max_s == seconds


@pytest.mark.parametrize("seconds", [0, -1, 0.9, 7201, "x", None])
def test_how_long_no_pause_may_be(seconds: object) -> None:
    (problem,) = problems(policy(pause_max_s=seconds))
    assert problem.startswith("policy[1].pause_max_s: ")


@pytest.mark.parametrize("word", list(OnPauseForgotten))
def test_what_follows_a_forgotten_pause(word: OnPauseForgotten) -> None:
    assert accepted(policy(on_pause_forgotten=word)).policy[0].on_pause_forgotten is word


@pytest.mark.parametrize("word", list(OnWithdrawal))
def test_what_follows_a_withdrawal(word: OnWithdrawal) -> None:
    assert accepted(policy(on_withdrawal=word)).policy[0].on_withdrawal is word


@pytest.mark.parametrize("key", ["on_pause_forgotten", "on_withdrawal"])
@pytest.mark.parametrize("word", ["", "stop", "Keep", "RESUME", True])
def test_words_that_there_are_not(key: str, word: object) -> None:
    (problem,) = problems(policy(**{key: word}))
    assert problem.startswith(f"policy[1].{key}: ")


@pytest.mark.parametrize("seconds", [0, -1, 3601, "x"])
def test_how_long_no_segment_may_take(seconds: object) -> None:
    (problem,) = problems(limits(segment_s=seconds))
    assert problem.startswith("limits.segment_s: ")


@pytest.mark.parametrize("key", ["staff", "consenting"])
@pytest.mark.parametrize("endpoint", ["PJSIP/agent", "PJSIP/agent-*", "Local/?00@staff", "SIP/a"])
def test_endpoints(key: str, endpoint: str) -> None:
    node = accepted(asterisk(**{key: [endpoint]})).asterisk[0]
    assert getattr(node, key) == (endpoint,)


@pytest.mark.parametrize("key", ["staff", "consenting"])
@pytest.mark.parametrize("endpoint", ["", "agent", "*", "/agent", "PJSIP/", "PJSIP/a b", "P*/a"])
def test_what_is_no_endpoint(key: str, endpoint: str) -> None:
    """A pattern without a technology would make staff of everybody whose name fits."""
    (problem,) = problems(asterisk(**{key: ["PJSIP/agent", endpoint]}))
    assert problem.startswith(f"asterisk[1].{key}")


@pytest.mark.parametrize("value", ["maybe", 2, []])
def test_segments_are_there_or_not(value: object) -> None:
    (problem,) = problems(asterisk(segments=value))
    assert problem.startswith("asterisk[1].segments: ")


# -- who joins is told as much as the others ---------------------------------------------------


def test_another_notice_for_who_joins() -> None:
    told = raw()["notice"][0]["purposes"]
    assert accepted(joined(*told)).policy[0].notice_joined == "joined"
    assert accepted(joined(*told, "FRAUD")).policy[0].notice_joined == "joined"


def test_a_notice_for_who_joins_that_is_not_there() -> None:
    assert problems(policy(notice_joined="nothing")) == [
        "policy[1].notice_joined: there is no such notice"
    ]


def test_who_joins_is_told_in_every_language_of_the_policy() -> None:
    told = raw()["notice"][0]["purposes"]
    assert problems(joined(*told, languages=("ja",))) == [
        "policy[1].languages: its notice_joined has no wording in en"
    ]


def test_who_joins_is_told_every_purpose_of_the_others() -> None:
    told = raw()["notice"][0]["purposes"]
    assert problems(joined("FRAUD")) == [
        f"policy[1].notice_joined: does not tell purpose {code} of its notice" for code in told
    ]
