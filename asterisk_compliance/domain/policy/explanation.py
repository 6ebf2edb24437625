"""Explains what would happen to a call and why, as values for a command to print. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asterisk_compliance.domain.disclosure.publication import Publication
from asterisk_compliance.domain.policy.matching import CallFacts
from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Consent,
    OnJoin,
    OnProblem,
    RecordingDuty,
    Withdrawal,
)
from asterisk_compliance.domain.policy.rules import (
    DEFAULT,
    SITE,
    DecidedTerm,
    PolicyRule,
    Resolution,
    RuleSeverity,
)
from asterisk_compliance.domain.policy.terms import FAILURES, RetentionConflict


@dataclass(frozen=True, slots=True)
class Cited:
    """A rule that applied, as it is shown.

    Attributes:
        sources: ``ref: statute (how sure)``, one each.
    """

    id: str
    severity: RuleSeverity
    text: str
    sources: tuple[str, ...]
    warning: str


@dataclass(frozen=True, slots=True)
class Explained:
    """One field: its value, what that means for the call, and who decided."""

    field: str
    value: str
    means: str
    by: tuple[str, ...]
    overruled: tuple[str, ...]
    for_duty: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say about a call that has not happened.

    Attributes:
        call: What the rules were asked about, by label.
        emergency: It calls for help: no notice, no recording, and nothing else is said.
        terms: In the order in which a call comes to them.
        rules: Those that applied.
        conflicts: Why nothing can be recorded under these rules.
        notice: Id of the notice that is played; empty if nobody said.
        purposes: By what the party is told what the recording is for, and whether that holds.
    """

    call: Mapping[str, str]
    emergency: bool
    terms: tuple[Explained, ...] = ()
    rules: tuple[Cited, ...] = ()
    conflicts: tuple[str, ...] = ()
    notice: str = ""
    purposes: str = ""

    def lines(self) -> Iterator[str]:
        """As plain text."""
        width = max(map(len, self.call))
        yield from (f"{label:{width}}  {value}" for label, value in self.call.items())
        if self.emergency:
            yield ""
            yield "An emergency number: no notice, no recording, whatever the rules say."
            return
        if self.notice:
            yield ""
            yield f"notice = {self.notice}"
            if self.purposes:
                yield f"    {self.purposes}"
        for term in self.terms:
            yield ""
            yield f"{term.field} = {term.value}"
            yield f"    {term.means}"
            yield f"    {_said_by(term)}"
        for cited in self.rules:
            yield ""
            yield f"rule {cited.id} ({cited.severity})"
            yield from (f"    {line}" for line in (cited.text, *cited.sources) if line)
            if cited.warning:
                yield f"    warning: {cited.warning}"
        for conflict in self.conflicts:
            yield ""
            yield f"conflict: {conflict}"


def explain(
    resolution: Resolution,
    facts: CallFacts,
    rules: Iterable[PolicyRule],
    *,
    emergency: bool = False,
    notice: str = "",
    purposes: str = "",
) -> Explanation:
    """Put into words what :func:`~asterisk_compliance.domain.policy.rules.resolve` found.

    Args:
        resolution: Of ``rules`` for ``facts``.
        facts: What is known of the call.
        rules: Those that were resolved, to cite the ones that applied.
        emergency: The dialled number calls for help.
        notice: Id of the notice that is played under these terms.
        purposes: As :func:`told_by_publication` says it, where they are told so.
    """
    call = _call(facts)
    if emergency:
        return Explanation(call, emergency=True)
    by_id = {rule.id: rule for rule in rules}
    return Explanation(
        call,
        emergency=False,
        terms=tuple(_explained(field, decided) for field, decided in resolution.trace.items()),
        rules=tuple(_cited(by_id[name]) for name in resolution.applied),
        conflicts=tuple(map(_conflict, resolution.conflicts)),
        notice=notice,
        purposes=purposes,
    )


def told_by_publication(publication: Publication, at: datetime) -> str:
    """What follows for a call at ``at`` whose notice leaves its purposes to the published page."""
    if publication.holds_at(at):
        return f"Its purposes are told by publication, at {publication.page}."
    if publication.page and publication.since is not None:
        return f"Not recorded: its purposes are published from {publication.since} on."
    return "Not recorded: its purposes are told by publication, and no page is published."


def _call(facts: CallFacts) -> Mapping[str, str]:
    return {
        "policy": facts.policy,
        "direction": facts.direction.value,
        "at": facts.at.isoformat(" ", "seconds"),
        "dialled": facts.did or "none",
        "queue": facts.queue or "none",
        "number": f"+{facts.number}" if facts.number else f"{_UNKNOWN} a prefix",
        "country": ", ".join(sorted(facts.countries)) or f"{_UNKNOWN} a country",
        "language": facts.language or f"{_UNKNOWN} a language",
    }


_UNKNOWN = "unknown: meets every rule that asks for"


def _explained(field: str, decided: DecidedTerm) -> Explained:
    value = "none" if decided.value is None else str(decided.value)
    means = _MEANS[field].get(decided.value) or _MEANS[field][int].format(decided.value)
    return Explained(field, value, means, decided.by, decided.overruled, decided.for_duty)


def _said_by(term: Explained) -> str:
    if not term.by:
        return "nobody asked for it"
    laxer = f"; laxer: {_names(term.overruled)}" if term.overruled else ""
    if term.for_duty:
        return f"raised because recording is mandatory by {_names(term.by)}{laxer}"
    return f"decided by {_names(term.by)}{laxer}"


def _names(ids: Iterable[str]) -> str:
    return " and ".join(_NAMES.get(one, one) for one in ids)


_NAMES = {SITE: "the policy itself", DEFAULT: "the default"}


def _cited(rule: PolicyRule) -> Cited:
    sources = tuple(f"{one.ref}: {one.statute} ({one.checked})" for one in rule.source)
    return Cited(rule.id, rule.severity, rule.text, sources, rule.warning)


def _conflict(conflict: RetentionConflict) -> str:
    return (
        f"kept for at least {conflict.min_days} days ({_names(conflict.longest_min_by)}) "
        f"and at most {conflict.max_days} ({_names(conflict.shortest_max_by)}): "
        "no recording can be both"
    )


def _otherwise(when: str, goes_on: str) -> Mapping[Any, str]:
    return {
        OnProblem.CONTINUE: f"{when}, the call goes on unrecorded{goes_on}.",
        OnProblem.TELL: f"{when}, the party is told so, and the call goes on unrecorded.",
        OnProblem.ALTERNATIVE: f"{when}, the call leaves by the dialplan's other way.",
        OnProblem.END: f"{when}, the call is ended after a word.",
    }


_MEANS: Mapping[str, Mapping[Any, str]] = {
    "consent": {
        Consent.NOTICE: "After the completed notice, staying on the line is enough.",
        Consent.OPT_OUT: "After the completed notice, a digit refuses; silence does not.",
        Consent.OPT_IN: "After the completed notice, only a digit accepts; silence refuses.",
    },
    "duty": {
        RecordingDuty.OPTIONAL: "The call may be held without a recording.",
        RecordingDuty.MANDATORY: "The call is not held without a recording.",
    },
    "capture": {
        CaptureFrom.NOTICE: "Audio is kept from the completed notice on.",
        CaptureFrom.BRIDGED: "Audio is kept while the party is bridged to somebody.",
        CaptureFrom.ON_DEMAND: "Audio is kept only while somebody asked for a recording.",
    },
    **{
        field: _otherwise(when, goes_on)
        for field, when, goes_on in zip(
            FAILURES,
            ("If the party refuses", "If the notice fails", "If the recording fails"),
            (", without a word", "", ""),
            strict=True,
        )
    },
    "agent_consent": {
        AgentConsent.NONE: "The agent is recorded without being asked.",
        AgentConsent.REQUIRED: "The agent is kept only with consent on file.",
    },
    "on_join": {
        OnJoin.CONTINUE: "If a party joins, the recording goes on.",
        OnJoin.RENOTIFY: "If a party joins, it hears the notice before it is kept.",
        OnJoin.STOP: "If a party joins, the recording stops.",
    },
    "withdrawal": {
        Withdrawal.OFF: "The caller's digits in mid-call mean nothing to us.",
        Withdrawal.ON: "The caller can withdraw in mid-call by the policy's digits.",
    },
    "beep_s": {None: "No tone.", int: "A tone to both parties every {} seconds."},
    "retention_min_days": {
        None: "The recording may be deleted at any time.",
        int: "The recording is kept for at least {} days.",
    },
    "retention_max_days": {
        None: "No rule says when the recording must be deleted.",
        int: "The recording is deleted after {} days at the latest.",
    },
}
