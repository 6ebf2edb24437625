"""What the officer can do where a step of a request cannot be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asterisk_compliance.domain.retention.erasure import Ground
from asterisk_compliance.domain.subject_requests.codes import GRANTING, REFUSING, Refusal
from asterisk_compliance.domain.subject_requests.requests import Request
from asterisk_compliance.domain.subject_requests.steps import Problem

_HINTS: Final[Mapping[Problem, str]] = {
    Problem.NOT_DECIDED: "requests decide",
    Problem.NOT_CARRIED_OUT: "requests carry-out",
    Problem.NOT_IDENTIFIED: "requests identify --how …",
    Problem.NOT_AUTHORISED: "requests identify --how … --authority …",
    Problem.NO_CALLS: "requests search looks for calls of his",
    Problem.WRONG_REASON: f"--reason: to grant {', '.join(sorted(GRANTING))};"
    f" to refuse {', '.join(sorted(REFUSING))} (CODE only under the regime own)",
    Problem.NO_CAUSE: f"--cause: one of {', '.join(Ground)}",
    Problem.NO_PURPOSES: "leave --purpose out",
    Problem.NO_TEXT: "--text: - reads it from standard input",
    Problem.EXCEPTED: "--except names each call that is left out: requests show",
    Problem.NOT_ITS_CALL: "requests show names its calls",
    Problem.HELD: "requests decide … IN_PART --reason ON_HOLD, or REFUSED if all of it is held",
    Problem.DECIDED: "requests show",
    Problem.OVER: "open another one",
}


def hint_of(problem: Problem, request: Request) -> str:
    """A command, or an option with what it can be; empty where nothing helps."""
    if problem is Problem.NO_GROUND:
        grounds = [ground for ground in Refusal if ground.regime == request.regime]
        return f"--ground: one of {', '.join(grounds)}" if grounds else "this regime has no grounds"
    return _HINTS.get(problem, "")
