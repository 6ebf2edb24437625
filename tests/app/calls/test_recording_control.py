"""What the dialplan's words mean; words that it does not have mean nothing."""

from __future__ import annotations

import pytest

from asterisk_compliance.app.calls.recording_control import ASKABLE, asked_event
from asterisk_compliance.app.dialplan.rendering import ASKED
from asterisk_compliance.domain.audit.rows import Actor
from asterisk_compliance.domain.call.events import (
    AskedBy,
    PauseAsked,
    ResumeAsked,
    StartAsked,
    StopAsked,
    WithdrawalAsked,
)
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason

BY = AskedBy(Actor.CALLER)


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("CompliancePause", PauseAsked("CARD", 5, BY)),
        ("ComplianceResume", ResumeAsked(5, BY, everybody=False)),
        ("ComplianceWithdraw", WithdrawalAsked(5, BY)),
        ("ComplianceStart", StartAsked(5, BY)),
        ("ComplianceStop", StopAsked(5, BY)),
    ],
)
def test_the_word_of_each_event(name: str, event: object) -> None:
    assert asked_event(name, "", 5, BY) == event


@pytest.mark.parametrize("name", ASKED)
def test_every_word_of_the_dialplan_is_known(name: str) -> None:
    assert asked_event(f"Compliance{name}", "", 5, BY) is not None


@pytest.mark.parametrize(
    "name", ["", "Compliance", "compliancepause", "CompliancePauseX", "Pause", "ComplianceMark"]
)
def test_other_words_mean_nothing(name: str) -> None:
    assert asked_event(name, "CARD", 5, BY) is None


@pytest.mark.parametrize("reason", ASKABLE)
def test_why_somebody_may_pause(reason: PauseReason) -> None:
    assert asked_event("CompliancePause", str(reason), 5, BY) == PauseAsked(reason, 5, BY)


@pytest.mark.parametrize("reason", [*sorted(set(PauseReason) - set(ASKABLE)), "card", "BORED", " "])
def test_why_nobody_may_pause(reason: str) -> None:
    """The service's own reasons are not anybody's to give."""
    assert asked_event("CompliancePause", reason, 5, BY) is None


def test_a_resume_for_everybody() -> None:
    resume = asked_event("ComplianceResume", "", 5, BY, everybody=True)
    assert resume == ResumeAsked(5, BY, everybody=True)
