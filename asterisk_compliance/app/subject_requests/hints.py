"""What the officer can do where a step of a request cannot be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asterisk_compliance.domain.retention.erasure import ErasureGround
from asterisk_compliance.domain.subject_requests.codes import GRANTING, REFUSING, RequestRefusal
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest
from asterisk_compliance.domain.subject_requests.steps import StepProblem

_HINTS: Final[Mapping[StepProblem, str]] = {
    StepProblem.NOT_DECIDED: "requests decide",
    StepProblem.NOT_CARRIED_OUT: "requests carry-out",
    StepProblem.NOT_IDENTIFIED: "requests identify --how …",
    StepProblem.NOT_AUTHORISED: "requests identify --how … --authority …",
    StepProblem.NO_CALLS: "requests search looks for calls of his",
    StepProblem.WRONG_REASON: f"--reason: to grant {', '.join(sorted(GRANTING))};"
    f" to refuse {', '.join(sorted(REFUSING))} (CODE only under the regime own)",
    StepProblem.NO_CAUSE: f"--cause: one of {', '.join(ErasureGround)}",
    StepProblem.NO_PURPOSES: "leave --purpose out",
    StepProblem.NO_TEXT: "--text: - reads it from standard input",
    StepProblem.EXCEPTED: "--except names each call that is left out: requests show",
    StepProblem.NOT_ITS_CALL: "requests show names its calls",
    StepProblem.HELD: "requests decide … IN_PART --reason ON_HOLD, or REFUSED if all of it is held",
    StepProblem.DECIDED: "requests show",
    StepProblem.OVER: "open another one",
}


def hint_of(problem: StepProblem, request: SubjectRequest) -> str:
    """A command, or an option with what it can be; empty where nothing helps."""
    if problem is StepProblem.NO_GROUND:
        grounds = [ground for ground in RequestRefusal if ground.regime == request.regime]
        return f"--ground: one of {', '.join(grounds)}" if grounds else "this regime has no grounds"
    return _HINTS.get(problem, "")
