"""What can be wrong with a dialplan, and what to do: ``docs/findings.md`` says more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from asterisk_compliance.domain.dialplan.config_lines import Place
from asterisk_compliance.domain.dialplan.model import Step


class FindingId(StrEnum):
    """Stable: programs may look for one. ``docs/findings.md`` explains each."""

    RECORDED_UNTOLD = "DIALPLAN_RECORDED_UNTOLD"
    DECISION_NOT_ASKED = "DIALPLAN_DECISION_NOT_ASKED"
    RECORDED_TWICE = "DIALPLAN_RECORDED_TWICE"
    OUTSIDE_NOT_TOLD = "DIALPLAN_OUTSIDE_NOT_TOLD"
    EMERGENCY_TOLD = "DIALPLAN_EMERGENCY_TOLD"
    EMERGENCY_BY_PATTERN = "DIALPLAN_EMERGENCY_BY_PATTERN"
    CALLER_DATA_EXECUTED = "DIALPLAN_CALLER_DATA_EXECUTED"
    CALLER_DATA_PASSED = "DIALPLAN_CALLER_DATA_PASSED"
    POLICY_UNKNOWN = "DIALPLAN_POLICY_UNKNOWN"
    ROUTINE_ARGUMENTS = "DIALPLAN_ROUTINE_ARGUMENTS"
    ROUTINE_MISUSED = "DIALPLAN_ROUTINE_MISUSED"
    ROUTINE_NOT_YOURS = "DIALPLAN_ROUTINE_NOT_YOURS"
    ROUTINE_MISSING = "DIALPLAN_ROUTINE_MISSING"
    ROUTINE_OLD = "DIALPLAN_ROUTINE_OLD"
    FEATURES_MISSING = "DIALPLAN_FEATURES_MISSING"
    VARIABLE_SET = "DIALPLAN_VARIABLE_SET"
    USERFIELD_OVERWRITTEN = "DIALPLAN_USERFIELD_OVERWRITTEN"
    NOTICE_BY_HAND = "DIALPLAN_NOTICE_BY_HAND"
    AGI_HOLDS = "DIALPLAN_AGI_HOLDS"
    FRAME_LEFT = "DIALPLAN_FRAME_LEFT"
    LOCAL_SETS_NOTHING = "DIALPLAN_LOCAL_SETS_NOTHING"
    RECORDING_STOPPED = "DIALPLAN_RECORDING_STOPPED"
    FEATURES_OVERWRITTEN = "DIALPLAN_FEATURES_OVERWRITTEN"
    HANDLERS_WIPED = "DIALPLAN_HANDLERS_WIPED"
    LISTENS_UNSEEN = "DIALPLAN_LISTENS_UNSEEN"
    LIMIT_SHORT = "DIALPLAN_LIMIT_SHORT"
    ANSWER_WAITS = "DIALPLAN_ANSWER_WAITS"
    EARLY_MEDIA = "DIALPLAN_EARLY_MEDIA"
    INCLUDE_MISSING = "DIALPLAN_INCLUDE_MISSING"
    LINE_IGNORED = "DIALPLAN_LINE_IGNORED"
    TARGET_MISSING = "DIALPLAN_TARGET_MISSING"
    NOT_FOLLOWED = "DIALPLAN_NOT_FOLLOWED"
    NOT_READ = "DIALPLAN_NOT_READ"


_NOTES: Final = frozenset(
    {
        FindingId.HANDLERS_WIPED,
        FindingId.LISTENS_UNSEEN,
        FindingId.LIMIT_SHORT,
        FindingId.ANSWER_WAITS,
        FindingId.EARLY_MEDIA,
        FindingId.NOT_FOLLOWED,
        FindingId.NOT_READ,
    }
)
_WARNINGS: Final = frozenset(
    {
        FindingId.RECORDED_TWICE,
        FindingId.OUTSIDE_NOT_TOLD,
        FindingId.EMERGENCY_BY_PATTERN,
        FindingId.CALLER_DATA_PASSED,
        FindingId.ROUTINE_NOT_YOURS,
        FindingId.FEATURES_MISSING,
        FindingId.FEATURES_OVERWRITTEN,
        FindingId.RECORDING_STOPPED,
        FindingId.USERFIELD_OVERWRITTEN,
        FindingId.NOTICE_BY_HAND,
        FindingId.AGI_HOLDS,
        FindingId.FRAME_LEFT,
        FindingId.LOCAL_SETS_NOTHING,
        FindingId.LINE_IGNORED,
        FindingId.TARGET_MISSING,
    }
)

REMEDIES: Final[Mapping[FindingId, str]] = {
    FindingId.RECORDED_UNTOLD: "take it out, and let Gosub(compliance-notice,s,1(POLICY)) record",
    FindingId.DECISION_NOT_ASKED: 'take it out, or run it only if "${COMPLIANCE_STATUS}"="ALLOWED"',
    FindingId.RECORDED_TWICE: "take it out: our own recording runs, with rows, seal and retention",
    FindingId.OUTSIDE_NOT_TOLD: "dial with U(compliance-callee^POLICY): docs/outbound.md",
    FindingId.EMERGENCY_TOLD: "dial emergency numbers without any of our routines",
    FindingId.EMERGENCY_BY_PATTERN: "give each of these numbers an extension of its own",
    FindingId.CALLER_DATA_EXECUTED: "put it through FILTER() with the few characters that it needs",
    FindingId.CALLER_DATA_PASSED: "put it through FILTER(), as in ${FILTER(0-9+*#,${EXTEN})}",
    FindingId.POLICY_UNKNOWN: "name a [[policy]] of the configuration, or add this one",
    FindingId.ROUTINE_ARGUMENTS: "call it as docs/dialplan.md says",
    FindingId.ROUTINE_MISUSED: "call it where docs/dialplan.md says",
    FindingId.ROUTINE_NOT_YOURS: "call one of the routines that docs/dialplan.md gives you",
    FindingId.ROUTINE_MISSING: "render the dialplan, include it, and reload: docs/wiring.md",
    FindingId.ROUTINE_OLD: "render the dialplan again, and reload",
    FindingId.FEATURES_MISSING: "include compliance-features.conf in features.conf: docs/wiring.md",
    FindingId.VARIABLE_SET: "take it out: only our routines and the service may set it",
    FindingId.USERFIELD_OVERWRITTEN: "use another field, or set the global COMPLIANCE_CDR to no",
    FindingId.NOTICE_BY_HAND: "call Gosub(compliance-notice,s,1(POLICY)) instead",
    FindingId.AGI_HOLDS: "set AGIEXITONHANGUP to yes before it, or call compliance-notice-agi",
    FindingId.FRAME_LEFT: "end the subroutine with Return(), and go on from where it was called",
    FindingId.LOCAL_SETS_NOTHING: "set the variable plainly, or in a subroutine that Gosub() calls",
    FindingId.RECORDING_STOPPED: "name the id of your own, which option i(ID) gives you",
    FindingId.FEATURES_OVERWRITTEN: "append ours: #${DYNAMIC_FEATURES}, or set yours before",
    FindingId.LISTENS_UNSEEN: "tell callers that somebody may listen, or let nobody",
    FindingId.LIMIT_SHORT: "set the limit behind the notice, or a longer one",
    FindingId.HANDLERS_WIPED: "take away only the handler that you have set",
    FindingId.ANSWER_WAITS: "leave it out: the routine answers; or write Answer(,i)",
    FindingId.EARLY_MEDIA: "tell nothing there that a caller must have heard",
    FindingId.INCLUDE_MISSING: "mend the name, or write #tryinclude",
    FindingId.LINE_IGNORED: "mend it: Asterisk leaves it out",
    FindingId.TARGET_MISSING: "mend the target, or add the extension",
    FindingId.NOT_FOLLOWED: "look at it yourself: what is behind it was not checked",
    FindingId.NOT_READ: "look at it yourself, or check what dialplan show prints",
}


def severity_of(finding: FindingId) -> str:
    """``error``, ``warning`` or ``note``."""
    if finding in _NOTES:
        return "note"
    return "warning" if finding in _WARNINGS else "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a dialplan.

    Attributes:
        place: File and line, as far as they are known.
        address: ``context,extension,priority``; empty for what is about a whole file.
        what: What is wrong and why that matters, one sentence.
    """

    id: FindingId
    place: Place
    address: str
    what: str

    @property
    def severity(self) -> str:
        return severity_of(self.id)

    @property
    def todo(self) -> str:
        return REMEDIES[self.id]


def at(step: Step, finding: FindingId, what: str) -> Finding:
    """A finding about one priority."""
    return Finding(finding, step.place, step.address, what)
