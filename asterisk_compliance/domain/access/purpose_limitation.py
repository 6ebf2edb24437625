"""Purposes bind: what a recording may be used for, by what its parties were told. Pure.

Whoever asks for a recording says a :class:`Use`: what he does with it, for which purpose, and why.

1. Who asks must have a role for it, where the site has roles.
2. A purpose must have been told to every party outside of the controller whose voice is in it, or
   a legal ground with a reference must permit it (APPI Article 18(1) and (3); GDPR Articles 6, 9).
3. Who stopped the use, or withdrew under a policy that then keeps it from use, is obeyed; only a
   ground that does not depend on his will goes beyond that.
4. ``RIGHTS`` is the answer to a person: it needs his request, granted and about this call, and then
   nothing else. Nobody can use it for himself.
5. What leaves the controller needs the record of its provision as well.
6. Voice biometrics are no part of any other purpose. No notice tells them; only the consent of the
   person himself permits them, where the site has them at all (APPI, Cabinet Order, Article 1).
7. A drill tries a key. Nobody listens, so nobody was told; and it permits nothing else.
8. To be shown past calls of a number hands out nothing, and is for ``SERVICE`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RIGHTS: Final = "RIGHTS"
SERVICE: Final = "SERVICE"
"""The purpose for which past calls are shown (W3C DPV: CustomerCare)."""
DRILL: Final = "DRILL"
"""The purpose of a drill. Nobody listens, so nobody was told; no notice can have it."""
BIOMETRICS: Final = "BIOMETRICS"
"""To know somebody by his voice. No notice can have it either."""
OWN_CODES: Final = frozenset({DRILL, BIOMETRICS})
"""Purposes that no notice can tell, and no site can define."""


class Action(StrEnum):
    """What is done with a recording. Values stand in rows: never renamed, never reused."""

    LISTEN = "LISTEN"
    """Somebody of the controller hears it, and keeps no copy."""
    EXPORT = "EXPORT"
    """A copy leaves the vault, for the controller's own work."""
    EVIDENCE = "EVIDENCE"
    """A bundle about the call, for somebody who has to judge."""
    TRANSCRIBE = "TRANSCRIBE"
    """It is made into text."""
    ANSWER = "ANSWER"
    """A copy for the person who asked for it."""
    HEAR = "HEAR"
    """The person who asked hears it by telephone."""
    HAND_OVER = "HAND_OVER"
    """A copy for somebody who is neither the controller nor the person."""
    DRILL = "DRILL"
    """It is opened to try a key, and forgotten."""
    PAST_CALLS = "PAST_CALLS"
    """Somebody is shown when the number on the line called before; nobody's voice."""


class UseReason(StrEnum):
    """Why just now. Values stand in rows: never renamed, never reused."""

    COMPLAINT = "COMPLAINT"
    CLARIFICATION = "CLARIFICATION"
    """What was said or ordered has to be looked up."""
    REVIEW = "REVIEW"
    """A regular look at calls."""
    COACHING = "COACHING"
    CLAIM = "CLAIM"
    """A legal dispute, begun or expected."""
    INVESTIGATION = "INVESTIGATION"
    """Suspected fraud, abuse, or a leak."""
    INSPECTION = "INSPECTION"
    """An auditor or a supervisory authority looks."""
    ORDER = "ORDER"
    """A court or an authority demands it."""
    REQUEST = "REQUEST"
    PROVISION = "PROVISION"
    ANALYSIS = "ANALYSIS"
    """With many others: speech recognition, statistics."""
    TECHNICAL = "TECHNICAL"
    """The sound itself is looked into."""
    OWN_TEST = "OWN_TEST"
    DRILL = "DRILL"
    CALL = "CALL"
    """The person is on the line, or about to be."""


IMPLIED: Final[Mapping[Action, UseReason]] = {
    Action.ANSWER: UseReason.REQUEST,
    Action.HEAR: UseReason.REQUEST,
    Action.HAND_OVER: UseReason.PROVISION,
    Action.DRILL: UseReason.DRILL,
    Action.PAST_CALLS: UseReason.CALL,
}
"""The reason of an action that needs no other; all others have to say one."""


class UseGround(StrEnum):
    """Why it may be used for what was not told. Values stand in rows: never renamed or reused."""

    JP_CONSENT = "JP_CONSENT"
    JP_LAW = "JP_LAW"
    JP_LIFE = "JP_LIFE"
    JP_PUBLIC_HEALTH = "JP_PUBLIC_HEALTH"
    JP_PUBLIC_DUTY = "JP_PUBLIC_DUTY"
    JP_OWN_RESEARCH = "JP_OWN_RESEARCH"
    JP_RESEARCH = "JP_RESEARCH"
    GDPR_CONSENT = "GDPR_CONSENT"
    GDPR_EXPLICIT_CONSENT = "GDPR_EXPLICIT_CONSENT"
    GDPR_LEGAL_OBLIGATION = "GDPR_LEGAL_OBLIGATION"
    GDPR_VITAL_INTERESTS = "GDPR_VITAL_INTERESTS"
    GDPR_PUBLIC_TASK = "GDPR_PUBLIC_TASK"
    GDPR_LEGAL_CLAIMS = "GDPR_LEGAL_CLAIMS"


SOURCES: Final[Mapping[UseGround, str]] = {
    UseGround.JP_CONSENT: "APPI Art. 18(1)",
    UseGround.JP_LAW: "APPI Art. 18(3)(i)",
    UseGround.JP_LIFE: "APPI Art. 18(3)(ii)",
    UseGround.JP_PUBLIC_HEALTH: "APPI Art. 18(3)(iii)",
    UseGround.JP_PUBLIC_DUTY: "APPI Art. 18(3)(iv)",
    UseGround.JP_OWN_RESEARCH: "APPI Art. 18(3)(v)",
    UseGround.JP_RESEARCH: "APPI Art. 18(3)(vi)",
    UseGround.GDPR_CONSENT: "GDPR Art. 6(1)(a), 6(4)",
    UseGround.GDPR_EXPLICIT_CONSENT: "GDPR Art. 9(2)(a)",
    UseGround.GDPR_LEGAL_OBLIGATION: "GDPR Art. 6(1)(c), 6(4)",
    UseGround.GDPR_VITAL_INTERESTS: "GDPR Art. 6(1)(d)",
    UseGround.GDPR_PUBLIC_TASK: "GDPR Art. 6(1)(e), 6(4)",
    UseGround.GDPR_LEGAL_CLAIMS: "GDPR Art. 18(2), 23(1)(j)",
}
"""Where each ground stands. The law decides whether it applies; nothing here does."""

COMPELLING: Final = frozenset(
    {
        UseGround.JP_LAW,
        UseGround.JP_LIFE,
        UseGround.JP_PUBLIC_DUTY,
        UseGround.GDPR_LEGAL_OBLIGATION,
        UseGround.GDPR_VITAL_INTERESTS,
        UseGround.GDPR_LEGAL_CLAIMS,
    }
)
"""Grounds that do not depend on the will of the person; they go beyond a stop."""
OWN_CONSENT: Final = frozenset({UseGround.JP_CONSENT, UseGround.GDPR_EXPLICIT_CONSENT})
"""What permits biometrics, and nothing else does."""


class UseRefusal(StrEnum):
    """Why a use is refused. Values stand in rows: never renamed, never reused."""

    NOT_IN_ROLE = "NOT_IN_ROLE"
    PURPOSE_UNFIT = "PURPOSE_UNFIT"
    NO_REQUEST = "NO_REQUEST"
    NO_PROVISION = "NO_PROVISION"
    BIOMETRICS_OFF = "BIOMETRICS_OFF"
    GROUND_UNFIT = "GROUND_UNFIT"
    WITHDRAWN = "WITHDRAWN"
    STOPPED = "STOPPED"
    NOT_TOLD = "NOT_TOLD"


@dataclass(frozen=True, slots=True)
class Use:
    """A use that somebody asks for; everything but ``action`` as it was written.

    Attributes:
        purpose: A purpose code; for ``ANSWER`` and ``HEAR`` it is ``RIGHTS``.
        reason: A :class:`UseReason`; may be left out where the action is in :data:`IMPLIED`.
        ground: A :class:`UseGround`, for a purpose that was not told; then with a reference.
        reference: Where the ground is to be read: the number of a warrant, of a consent form.
        request: The granted request that ``ANSWER`` and ``HEAR`` carry out: ``q-…``.
        provision: The number of the row ``provision_recorded``, for ``HAND_OVER``.
    """

    action: Action
    purpose: str
    reason: str = ""
    ground: str = ""
    reference: str = ""
    request: str = ""
    provision: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the log and the configuration say about a use.

    Attributes:
        told: Of each party outside of the controller who can be heard, what it was told; ``None``
            where nobody's voice is handed out.
        stopped: Somebody who can be heard had the use for this purpose stopped.
        withheld: Somebody who can be heard withdrew, and his policy keeps his voice from use.
        in_role: Who asks may do this; so where the site has no roles.
        granted: The request that was named is granted, and about this call.
        provided: The provision that was named is about this call's recording.
        biometrics: The site has them.
    """

    told: tuple[frozenset[str], ...] | None
    stopped: bool = False
    withheld: bool = False
    in_role: bool = True
    granted: bool = False
    provided: bool = False
    biometrics: bool = False

    @property
    def told_to_all(self) -> frozenset[str]:
        """What everybody was told. Where nobody is known to be heard, nothing."""
        return frozenset.intersection(*self.told) if self.told else frozenset()

    def is_told(self, purpose: str) -> bool:
        return purpose in self.told_to_all


def refusal(use: Use, facts: Facts) -> UseRefusal | None:
    """Why ``use`` is refused; ``None``: it is permitted."""
    if not facts.in_role:
        return UseRefusal.NOT_IN_ROLE
    if not fits(use.action, use.purpose) or (
        use.action is Action.PAST_CALLS and facts.told is not None
    ):
        return UseRefusal.PURPOSE_UNFIT
    match use.action:
        case Action.DRILL:
            return None
        case Action.ANSWER | Action.HEAR:
            return None if facts.granted else UseRefusal.NO_REQUEST
        case Action.HAND_OVER if not facts.provided:
            return UseRefusal.NO_PROVISION
        case _:
            return _of_purpose(use, facts)


def _of_purpose(use: Use, facts: Facts) -> UseRefusal | None:
    if use.purpose == BIOMETRICS and not facts.biometrics:
        return UseRefusal.BIOMETRICS_OFF
    if use.purpose == BIOMETRICS and use.ground not in OWN_CONSENT:
        return UseRefusal.GROUND_UNFIT
    if use.ground not in COMPELLING:
        if facts.withheld and facts.told is not None:
            return UseRefusal.WITHDRAWN
        if facts.stopped:
            return UseRefusal.STOPPED
    if use.ground or facts.told is None or facts.is_told(use.purpose):
        return None
    return UseRefusal.NOT_TOLD


def fits(action: Action, purpose: str) -> bool:
    """Some purposes are those of one action alone, and some actions of one purpose."""
    if action is Action.PAST_CALLS:
        return purpose == SERVICE
    answers = action in {Action.ANSWER, Action.HEAR}
    return (purpose == RIGHTS) == answers and (purpose == DRILL) == (action is Action.DRILL)
