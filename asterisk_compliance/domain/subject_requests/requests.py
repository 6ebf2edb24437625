"""What people ask for about recordings of them, as the rows say it. Pure.

What may be done with a request is in ``domain/subject_requests/steps.py``, its closed lists in
``codes.py``. The state is a fold over rows (:func:`requests_of`), so it says nothing that
the log does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from asterisk_compliance.domain.audit.encoding import Row, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.deadlines import Basis
from asterisk_compliance.domain.subject_requests.codes import Requester, RequestVerdict, Right
from asterisk_compliance.ids import CallId, PartyId, RequestId


class RequestState(StrEnum):
    OPENED = "OPENED"
    IDENTIFIED = "IDENTIFIED"
    DECIDED = "DECIDED"
    ANSWERED = "ANSWERED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class SubjectRequest:
    """A request as its rows say it is; times in Unix milliseconds.

    Attributes:
        regime: By whose rules: a value of :class:`~asterisk_compliance.domain.deadlines.Regime`.
        requester: Who asks, as a party; the values stand beside the row.
        received_ms: When it reached us; its times count from there.
        due_ms: The first moment at which an answer is late.
        basis: Why then: a value of :class:`~asterisk_compliance.domain.deadlines.Basis`.
        legal_ms: The first moment that is too late by law; ``None``: it says none.
        fee: As it was told to the person; empty: none.
        extended: The law's time was made longer.
        how: How the person was identified; empty: not yet.
        authority: How an agent showed his.
        calls: What it is about; with each, the party in it that is the person (empty: not known).
        excepted: Those of ``calls`` that an answer in part leaves out.
        reason, ground: Of the decision.
        cause: On which ground of the law something is erased.
        purposes: For which the use is stopped; empty: for all.
        matters: Of the legal holds that stood in its way.
        begun, carried_out: Of an erasure.
        kept: The calls that a hold saved from it; an answer says so.
        overdue_ms: The moment of which a row says that it passed without an answer.
        answered_ms: ``None``: not yet.
        over_ms: When it was answered or withdrawn; ``None``: not yet.
    """

    request: RequestId
    right: Right
    regime: str
    by: Requester
    requester: PartyId
    received_ms: int
    due_ms: int
    basis: str
    legal_ms: int | None = None
    fee: str = ""
    state: RequestState = RequestState.OPENED
    extended: bool = False
    how: str = ""
    authority: str = ""
    calls: Mapping[CallId, str] = field(default_factory=dict)
    verdict: RequestVerdict | None = None
    reason: str = ""
    ground: str = ""
    cause: str = ""
    purposes: tuple[str, ...] = ()
    excepted: frozenset[CallId] = frozenset()
    matters: tuple[str, ...] = ()
    begun: bool = False
    carried_out: bool = False
    kept: frozenset[CallId] = frozenset()
    overdue_ms: int | None = None
    answered_ms: int | None = None
    over_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the person waits for an answer."""
        return self.state not in {RequestState.ANSWERED, RequestState.WITHDRAWN}

    @property
    def granted(self) -> frozenset[CallId]:
        """The calls for which it was granted, and not taken back."""
        if self.state is RequestState.WITHDRAWN or self.verdict in {None, RequestVerdict.REFUSED}:
            return frozenset()
        return frozenset(self.calls) - self.excepted

    @property
    def to_be_carried_out(self) -> bool:
        """Whether something that was granted is still to be done."""
        return self.right is Right.ERASE and bool(self.granted) and not self.carried_out

    def opens(self, call: CallId) -> bool:
        """Whether it lets the person have or hear the audio of ``call``."""
        return self.right in {Right.HEAR, Right.COPY} and call in self.granted

    def is_overdue(self, at_ms: int) -> bool:
        return self.is_open and at_ms >= self.due_ms


def requests_of(rows: Iterable[Row]) -> dict[RequestId, SubjectRequest]:
    """The requests that ``rows`` speak of, in order of their opening.

    Args:
        rows: In order of ``seq``; those of kinds that do not matter here may be among them.
    """
    found: dict[RequestId, SubjectRequest] = {}
    for row in rows:
        if row.kind == Kind.REQUEST_OPENED:
            opened = _opened(row)
            found[opened.request] = opened
        elif row.kind in _FOLDED:
            request = RequestId(str(row.detail["request"]))
            if request in found:
                found[request] = _FOLDED[Kind(row.kind)](found[request], row)
    return found


def _opened(row: Row) -> SubjectRequest:
    said: Any = row.detail
    return SubjectRequest(
        RequestId(said["request"]),
        Right(said["right"]),
        said["regime"],
        Requester(said["by"]),
        PartyId(said["requester"]),
        milliseconds(said["received_at"]),
        milliseconds(said["due_at"]),
        said["basis"],
        milliseconds(said["legal_at"]) if said["legal_at"] else None,
        said["fee"],
    )


def _with_call(request: SubjectRequest, row: Row) -> SubjectRequest:
    """A refusal that did not know of the call is none any more."""
    assert row.call is not None
    person = str(row.detail.get("party", ""))
    before = _undecided(request) if request.verdict is RequestVerdict.REFUSED else request
    return replace(before, calls={**request.calls, row.call: person})


def _identified(request: SubjectRequest, row: Row) -> SubjectRequest:
    """A refusal before it is none any more: it has to be decided."""
    said: Any = row.detail
    return _undecided(replace(request, how=said["how"], authority=said["authority"]))


def _undecided(request: SubjectRequest) -> SubjectRequest:
    state = RequestState.IDENTIFIED if request.how else RequestState.OPENED
    return replace(request, state=state, verdict=None, reason="", ground="", matters=())


def _extended(request: SubjectRequest, row: Row) -> SubjectRequest:
    due_ms = milliseconds(str(row.detail["due_at"]))
    return replace(request, due_ms=due_ms, legal_ms=due_ms, basis=Basis.STATUTORY, extended=True)


def _decided(request: SubjectRequest, row: Row) -> SubjectRequest:
    said: Any = row.detail
    return replace(
        request,
        state=RequestState.DECIDED,
        verdict=RequestVerdict(said["verdict"]),
        reason=said["reason"],
        ground=said["ground"],
        cause=said["cause"],
        purposes=tuple(said["purposes"]),
        excepted=frozenset(map(CallId, said["excepted"])),
        matters=tuple(said["matters"]),
    )


def _begun(request: SubjectRequest, _row: Row) -> SubjectRequest:
    return replace(request, begun=True)


def _carried_out(request: SubjectRequest, row: Row) -> SubjectRequest:
    said: Any = row.detail
    kept = frozenset(map(CallId, said["kept"]))
    matters = tuple(sorted({*request.matters, *said["matters"]}))
    return replace(request, carried_out=True, kept=kept, matters=matters)


def _answered(request: SubjectRequest, row: Row) -> SubjectRequest:
    at_ms = milliseconds(row.at)
    return replace(request, state=RequestState.ANSWERED, answered_ms=at_ms, over_ms=at_ms)


def _withdrawn(request: SubjectRequest, row: Row) -> SubjectRequest:
    return replace(request, state=RequestState.WITHDRAWN, over_ms=milliseconds(row.at))


def _overdue(request: SubjectRequest, row: Row) -> SubjectRequest:
    return replace(request, overdue_ms=milliseconds(str(row.detail["due_at"])))


_FOLDED: Final[Mapping[Kind, Callable[[SubjectRequest, Row], SubjectRequest]]] = {
    Kind.REQUEST_CALL: _with_call,
    Kind.REQUEST_IDENTIFIED: _identified,
    Kind.REQUEST_EXTENDED: _extended,
    Kind.REQUEST_DECIDED: _decided,
    Kind.REQUEST_BEGUN: _begun,
    Kind.REQUEST_CARRIED_OUT: _carried_out,
    Kind.REQUEST_ANSWERED: _answered,
    Kind.REQUEST_WITHDRAWN: _withdrawn,
    Kind.REQUEST_OVERDUE: _overdue,
}
KINDS: Final = (Kind.REQUEST_OPENED, *_FOLDED)
"""The kinds that :func:`requests_of` reads; it passes over all others."""
