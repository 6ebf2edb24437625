"""What may be done with a request, and why not. Pure.

1. A request is opened, the person is identified, it is decided, it is answered. It can be withdrawn
   until it is answered; a stop of use also later.
2. Nothing is granted before somebody noted how the person was identified, and an agent's authority
   too. It can be refused before: that nobody showed who he is can be the reason.
3. A refusal can be decided anew until it is answered. It has to be where somebody shows then who he
   is, or another call is found. What was granted stays granted.
4. An erasure that was granted is answered when it was carried out, and is not withdrawn once it was
   begun.
5. Who refuses by law says on which ground; who refuses a part says which calls. Only where no law
   that we know speaks can our own rules refuse.
6. What a legal hold is about is not erased: it is left out, and the hold is the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.retention.erasure import ErasureGround
from asterisk_compliance.domain.subject_requests.codes import (
    GRANTING,
    REFUSING,
    Requester,
    RequestReason,
    RequestRefusal,
    RequestVerdict,
    Right,
)
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest
from asterisk_compliance.ids import CallId


class RequestStep(StrEnum):
    """What somebody does with a request that was opened."""

    SEARCH = "search"
    IDENTIFY = "identify"
    EXTEND = "extend"
    DECIDE = "decide"
    CARRY_OUT = "carry out"
    ANSWER = "answer"
    WITHDRAW = "withdraw"


class StepProblem(StrEnum):
    """Why something cannot be done, as it is said to whoever asked for it."""

    OVER = "it was answered or withdrawn"
    DECIDED = "it is decided"
    NOT_DECIDED = "it is not decided"
    NO_LONGER = "no law lets its time be longer: a promise is kept or broken"
    LONGER_ALREADY = "its time was made longer already"
    TOO_LATE = "its time is over: who wants it longer says so before"
    NOTHING_TO_CARRY_OUT = "there is nothing to carry out"
    NOT_CARRIED_OUT = "what was granted is not carried out"
    BEGUN = "its erasure has begun, and cannot be taken back"

    NOT_IDENTIFIED = "nobody noted how the person was identified"
    NOT_AUTHORISED = "nobody noted by what authority the agent asks"
    NO_CALLS = "it is about no call that we know: refuse it as NOT_KEPT"
    WRONG_REASON = "that is no reason for such a decision"
    IDENTIFIED = "the person was identified"
    BY_PERSON = "no agent asks"
    NO_GROUND = "a refusal by law needs the ground of this law, and no other has one"
    NO_CAUSE = "an erasure needs its ground, and nothing else has one"
    NO_PURPOSES = "only a stop of use is for some purposes"
    NO_TEXT = "a correction needs its text, and nothing else has one"
    EXCEPTED = "in part: some of its calls are left out, and some are not"
    NOT_ITS_CALL = "it is not about this call"
    HELD = "a legal hold stands in the way: leave what is held out, for the reason ON_HOLD"
    NOT_HELD = "no legal hold stands in the way"


def problem(request: SubjectRequest, step: RequestStep, at_ms: int) -> StepProblem | None:
    """Why ``step`` cannot be done at ``at_ms``; ``None`` if it can."""
    taken_back = (
        step is RequestStep.WITHDRAW and request.right is Right.STOP_USE and request.granted
    )
    if not request.is_open and not taken_back:
        return StepProblem.OVER
    match step:
        case RequestStep.SEARCH | RequestStep.IDENTIFY | RequestStep.EXTEND | RequestStep.DECIDE:
            if request.verdict not in {None, RequestVerdict.REFUSED}:
                return StepProblem.DECIDED
            return _not_longer(request, at_ms) if step is RequestStep.EXTEND else None
        case RequestStep.CARRY_OUT:
            return None if request.to_be_carried_out else StepProblem.NOTHING_TO_CARRY_OUT
        case RequestStep.ANSWER:
            if request.verdict is None:
                return StepProblem.NOT_DECIDED
            return StepProblem.NOT_CARRIED_OUT if request.to_be_carried_out else None
        case _:
            return StepProblem.BEGUN if request.begun else None


def _not_longer(request: SubjectRequest, at_ms: int) -> StepProblem | None:
    if request.legal_ms is None:
        return StepProblem.NO_LONGER
    if request.extended:
        return StepProblem.LONGER_ALREADY
    return StepProblem.TOO_LATE if at_ms >= request.legal_ms else None


@dataclass(frozen=True, slots=True)
class RequestDecision:
    """What somebody wants to decide; codes as they were written, so they may be none.

    Attributes:
        ground: Of a refusal by law: a value of :class:`~.request_codes.Refusal`.
        cause: Of an erasure: a value of
            :class:`~asterisk_compliance.domain.retention.erasure.ErasureGround`.
        purposes: For which the use is stopped.
        excepted: The calls that it leaves out.
        held: The calls that it is about and a legal hold too, with the matters.
        text: There is a text of a correction.
    """

    verdict: RequestVerdict
    reason: str
    ground: str = ""
    cause: str = ""
    purposes: tuple[str, ...] = ()
    excepted: frozenset[CallId] = frozenset()
    held: Mapping[CallId, tuple[str, ...]] = field(default_factory=dict)
    text: bool = False

    @property
    def grants(self) -> bool:
        return self.verdict is not RequestVerdict.REFUSED


def decision_problem(request: SubjectRequest, wish: RequestDecision) -> StepProblem | None:
    """Why a request cannot be decided so; ``None`` if it can."""
    return (
        _granted_to_nobody(request, wish)
        or _reasons(request, wish)
        or _belongings(request, wish)
        or _parts(request, wish)
    )


def _granted_to_nobody(request: SubjectRequest, wish: RequestDecision) -> StepProblem | None:
    if not wish.grants:
        return None
    if not request.how:
        return StepProblem.NOT_IDENTIFIED
    if request.by is Requester.AGENT and not request.authority:
        return StepProblem.NOT_AUTHORISED
    return None if request.calls else StepProblem.NO_CALLS


def _reasons(request: SubjectRequest, wish: RequestDecision) -> StepProblem | None:
    fitting = GRANTING if wish.verdict is RequestVerdict.GRANTED else REFUSING
    if wish.reason not in fitting:
        return StepProblem.WRONG_REASON
    match wish.reason:
        case RequestReason.CODE if (
            wish.verdict is not RequestVerdict.GRANTED and request.regime != Regime.OWN
        ):
            return StepProblem.WRONG_REASON
        case RequestReason.NOT_IDENTIFIED if request.how:
            return StepProblem.IDENTIFIED
        case RequestReason.NOT_AUTHORISED if request.by is not Requester.AGENT:
            return StepProblem.BY_PERSON
        case RequestReason.ON_HOLD if not wish.held:
            return StepProblem.NOT_HELD
    by_law = wish.reason == RequestReason.LAW and wish.verdict is not RequestVerdict.GRANTED
    if not by_law:
        return StepProblem.NO_GROUND if wish.ground else None
    known = wish.ground in set(RequestRefusal)
    if not known or RequestRefusal(wish.ground).regime != request.regime:
        return StepProblem.NO_GROUND
    return None


def _belongings(request: SubjectRequest, wish: RequestDecision) -> StepProblem | None:
    """What belongs to one kind of request, and to no other."""
    erases = wish.grants and request.right is Right.ERASE
    if (wish.cause in set(ErasureGround)) is not erases or (wish.cause and not erases):
        return StepProblem.NO_CAUSE
    if wish.purposes and not (wish.grants and request.right is Right.STOP_USE):
        return StepProblem.NO_PURPOSES
    if wish.text is not (wish.grants and request.right is Right.CORRECT):
        return StepProblem.NO_TEXT
    return None


def _parts(request: SubjectRequest, wish: RequestDecision) -> StepProblem | None:
    if wish.excepted - request.calls.keys():
        return StepProblem.NOT_ITS_CALL
    some = bool(wish.excepted) and wish.excepted != request.calls.keys()
    if some is not (wish.verdict is RequestVerdict.IN_PART) or (wish.excepted and not some):
        return StepProblem.EXCEPTED
    left_out = wish.excepted if wish.grants else request.calls.keys()
    if wish.reason == RequestReason.ON_HOLD and left_out != wish.held.keys():
        return StepProblem.EXCEPTED
    if request.right is Right.ERASE and wish.grants and wish.held.keys() - wish.excepted:
        return StepProblem.HELD
    return None
