"""Ids of dialplan findings, with severity and remedy; ``docs/findings.md`` explains each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from asterisk_compliance.domain.dialplan.config_lines import ConfigLine
from asterisk_compliance.domain.dialplan.model import Priority


class DialplanFindingId(StrEnum):
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


_Id = DialplanFindingId
_NOTES: Final = frozenset(
    {
        _Id.HANDLERS_WIPED,
        _Id.LISTENS_UNSEEN,
        _Id.LIMIT_SHORT,
        _Id.ANSWER_WAITS,
        _Id.EARLY_MEDIA,
        _Id.NOT_FOLLOWED,
        _Id.NOT_READ,
    }
)
_WARNINGS: Final = frozenset(
    {
        _Id.RECORDED_TWICE,
        _Id.OUTSIDE_NOT_TOLD,
        _Id.EMERGENCY_BY_PATTERN,
        _Id.CALLER_DATA_PASSED,
        _Id.ROUTINE_NOT_YOURS,
        _Id.FEATURES_MISSING,
        _Id.FEATURES_OVERWRITTEN,
        _Id.RECORDING_STOPPED,
        _Id.USERFIELD_OVERWRITTEN,
        _Id.NOTICE_BY_HAND,
        _Id.AGI_HOLDS,
        _Id.FRAME_LEFT,
        _Id.LOCAL_SETS_NOTHING,
        _Id.LINE_IGNORED,
        _Id.TARGET_MISSING,
    }
)

REMEDIES: Final[Mapping[DialplanFindingId, str]] = {
    _Id.RECORDED_UNTOLD: "take it out, and let Gosub(compliance-notice,s,1(POLICY)) record",
    _Id.DECISION_NOT_ASKED: 'take it out, or run it only if "${COMPLIANCE_STATUS}"="ALLOWED"',
    _Id.RECORDED_TWICE: "take it out: our own recording runs, with rows, seal and retention",
    _Id.OUTSIDE_NOT_TOLD: "dial with U(compliance-callee^POLICY): docs/outbound.md",
    _Id.EMERGENCY_TOLD: "dial emergency numbers without any of our routines",
    _Id.EMERGENCY_BY_PATTERN: "give each of these numbers an extension of its own",
    _Id.CALLER_DATA_EXECUTED: "put it through FILTER() with the few characters that it needs",
    _Id.CALLER_DATA_PASSED: "put it through FILTER(), as in ${FILTER(0-9+*#,${EXTEN})}",
    _Id.POLICY_UNKNOWN: "name a [[policy]] of the configuration, or add this one",
    _Id.ROUTINE_ARGUMENTS: "call it as docs/dialplan.md says",
    _Id.ROUTINE_MISUSED: "call it where docs/dialplan.md says",
    _Id.ROUTINE_NOT_YOURS: "call one of the routines that docs/dialplan.md gives you",
    _Id.ROUTINE_MISSING: "render the dialplan, include it, and reload: docs/wiring.md",
    _Id.ROUTINE_OLD: "render the dialplan again, and reload",
    _Id.FEATURES_MISSING: "include compliance-features.conf in features.conf: docs/wiring.md",
    _Id.VARIABLE_SET: "take it out: only our routines and the service may set it",
    _Id.USERFIELD_OVERWRITTEN: "use another field, or set the global COMPLIANCE_CDR to no",
    _Id.NOTICE_BY_HAND: "call Gosub(compliance-notice,s,1(POLICY)) instead",
    _Id.AGI_HOLDS: "set AGIEXITONHANGUP to yes before it, or call compliance-notice-agi",
    _Id.FRAME_LEFT: "end the subroutine with Return(), and go on from where it was called",
    _Id.LOCAL_SETS_NOTHING: "set the variable plainly, or in a subroutine that Gosub() calls",
    _Id.RECORDING_STOPPED: "name the id of your own, which option i(ID) gives you",
    _Id.FEATURES_OVERWRITTEN: "append ours: #${DYNAMIC_FEATURES}, or set yours before",
    _Id.LISTENS_UNSEEN: "tell callers that somebody may listen, or let nobody",
    _Id.LIMIT_SHORT: "set the limit behind the notice, or a longer one",
    _Id.HANDLERS_WIPED: "take away only the handler that you have set",
    _Id.ANSWER_WAITS: "leave it out: the routine answers; or write Answer(,i)",
    _Id.EARLY_MEDIA: "tell nothing there that a caller must have heard",
    _Id.INCLUDE_MISSING: "mend the name, or write #tryinclude",
    _Id.LINE_IGNORED: "mend it: Asterisk leaves it out",
    _Id.TARGET_MISSING: "mend the target, or add the extension",
    _Id.NOT_FOLLOWED: "look at it yourself: what is behind it was not checked",
    _Id.NOT_READ: "look at it yourself, or check what dialplan show prints",
}


def severity_of(finding: DialplanFindingId) -> str:
    """``error``, ``warning`` or ``note``."""
    if finding in _NOTES:
        return "note"
    return "warning" if finding in _WARNINGS else "error"


@dataclass(frozen=True, slots=True)
class DialplanFinding:
    """One thing to know about a dialplan.

    Attributes:
        place: File and line, as far as they are known.
        address: ``context,extension,priority``; empty for what is about a whole file.
        what: What is wrong and why that matters, one sentence.
    """

    id: DialplanFindingId
    place: ConfigLine
    address: str
    what: str

    @property
    def severity(self) -> str:
        return severity_of(self.id)

    @property
    def todo(self) -> str:
        return REMEDIES[self.id]


def at(step: Priority, finding: DialplanFindingId, what: str) -> DialplanFinding:
    """A finding about one priority."""
    return DialplanFinding(finding, step.place, step.address, what)
