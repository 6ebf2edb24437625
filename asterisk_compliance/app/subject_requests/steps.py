"""Requests of people, step by step: opened, searched, identified, decided, answered, withdrawn.

What may be done when is in ``domain/subject_requests/steps.py``; here it is read from the log, and
written to it. One step at a time, so that what was looked at still holds when its row is written.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from asterisk_compliance.app.retention.kept_until import going_before
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.app.subject_requests import rows as rows_of
from asterisk_compliance.app.subject_requests.hints import hint_of
from asterisk_compliance.app.subject_requests.receipts import LANGUAGES, receipt, receipt_digest
from asterisk_compliance.app.subject_requests.search import (
    MOST_CALLS,
    BadRequest,
    moment_ms,
    search,
    words,
)
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.domain.deadlines import Regime, due, extended_ms, last_day
from asterisk_compliance.domain.subject_requests.codes import (
    AnswerGiven,
    Authority,
    Back,
    How,
    Longer,
    Means,
    Requester,
    RequestReason,
    RequestVerdict,
    Right,
)
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest
from asterisk_compliance.domain.subject_requests.steps import (
    RequestDecision,
    RequestStep,
    decision_problem,
    problem,
)
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import CallId, PartyId, RequestId, is_request_id, party_id, request_id
from asterisk_compliance.shipped.catalogue import shipped_purposes
from asterisk_compliance.storage.log.legal_holds import matters_on
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries import persons
from asterisk_compliance.storage.queries.subject_requests import every_request, packages_of

LONGEST_VALUE = 256
"""Characters of a name, or of how somebody can be reached."""
LONGEST_TEXT = 4_000
"""Characters of a correction."""

_AUDIO = frozenset({Right.HEAR, Right.COPY})
"""They are about the recording itself; for them APPI Article 38 allows a fee."""
_DIGEST = re.compile(r"([0-9a-f]{64})?")
_Code = TypeVar("_Code", bound=StrEnum)


class NotPossible(ComplianceError):
    """It makes sense, and cannot be done with the request as it is."""


class NoSuchRequest(ComplianceError):
    hint = "requests list --all shows every one"


PlannedRows = tuple[Sequence[Draft], Mapping[str, Any]]
"""The rows of a step, and what is answered when they are durable."""


class Requesting:
    """The steps of requests as verbs of the control socket, one after the other.

    Each answers with ``request``, its id, and what changed.

    Args:
        rows: The log.
        settings: What holds at the moment of asking.
        now_ms: The clock, in Unix milliseconds.
    """

    def __init__(
        self,
        rows: AuditAppender,
        settings: Callable[[], Settings],
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._rows = rows
        self._settings = settings
        self._now_ms = now_ms
        self.one_at_a_time = asyncio.Lock()

    def verbs(self) -> dict[str, Verb]:
        """Raises, each of them:

        BadRequest: what was asked for makes no sense.
        NoSuchRequest, NotPossible: it cannot be done.
        StoreError: the log cannot be read or written; nothing was done.
        """
        return {
            f"request-{name}": self._verb(plan)
            for name, plan in {
                "open": self._open,
                "search": self._search,
                "identify": self._identify,
                "extend": self._extend,
                "decide": self._decide,
                "answer": self._answer,
                "withdraw": self._withdraw,
            }.items()
        }

    def _verb(self, plan: Callable[[StoreReader, str, Mapping[str, str]], PlannedRows]) -> Verb:
        def planned(user: str, arguments: Mapping[str, str]) -> PlannedRows:
            with StoreReader(self._settings().audit.store) as reader:
                return plan(reader, user, arguments)

        async def verb(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
            async with self.one_at_a_time:
                drafts, answer = await asyncio.to_thread(planned, peer.user, arguments)
                await self._rows.append(*drafts)
            return answer

        return verb

    def _open(self, reader: StoreReader, user: str, arguments: Mapping[str, str]) -> PlannedRows:
        settings, now_ms = self._settings(), self._now_ms()
        right = _code(Right, arguments, "right")
        by = _code(Requester, arguments, "by")
        regime = _code(Regime, {"regime": str(settings.requests.regime), **_said(arguments)},
                       "regime")  # fmt: skip
        received = arguments.get("received", "")
        received_ms = moment_ms(received) if received else now_ms
        if received_ms > now_ms:
            raise BadRequest("nobody can have asked after now", hint="--received: when it arrived")
        values = {name: _value(arguments, name) for name in ("name", "contact", "agent")}
        if not values["contact"]:
            raise BadRequest("say how the person can be reached: --contact")
        if bool(values["agent"]) is not (by is Requester.AGENT):
            raise BadRequest("--agent names who asks for somebody else", hint="--by AGENT")
        requests = settings.requests
        costs = right in _AUDIO and regime is not Regime.EU and not arguments.get("free")
        one = rows_of.RequestOpening(
            request_id(now_ms, secrets.token_bytes(8)),
            right,
            regime,
            by,
            received_ms,
            due(regime, requests.promise, received_ms, settings.rules.time_zone),
            requests.fee if costs else "",
            values,
        )
        searches = search(reader, arguments, settings.rules.home)
        found = {call for each in searches for call in each.calls}
        answer = {
            "basis": one.due.basis,
            "calls": len(found),
            "due_at": timestamp(one.due.at_ms),
            "fee": one.fee,
            "going": self._going(reader, right, found, one.due.at_ms),
            "last_day": last_day(one.due.at_ms, settings.rules.time_zone).isoformat(),
            "request": one.request,
        }
        return rows_of.opened(one, searches, user), answer

    def _search(self, reader: StoreReader, user: str, arguments: Mapping[str, str]) -> PlannedRows:
        request = self._the(reader, arguments, RequestStep.SEARCH)
        searches = search(reader, arguments, self._settings().rules.home)
        if not searches:
            raise BadRequest("say what to look for: --number or --call")
        found = {call for each in searches for call in each.calls}
        if len(found | request.calls.keys()) > MOST_CALLS:
            raise BadRequest(f"a request is about at most {MOST_CALLS} calls")
        drafts = rows_of.searched(request.request, request.calls, searches, user)
        new = found - request.calls.keys()
        return drafts, {
            "calls": len(found),
            "going": self._going(reader, request.right, new, request.due_ms),
            "new": len(new),
            "request": request.request,
        }

    def _going(
        self, reader: StoreReader, right: Right, calls: Iterable[CallId], due_ms: int
    ) -> int:
        """How many recordings that he wants are due to go before he has to have his answer."""
        wanted = calls if right in _AUDIO else ()
        return going_before(reader, wanted, self._settings(), due_ms)

    def _identify(
        self, reader: StoreReader, user: str, arguments: Mapping[str, str]
    ) -> PlannedRows:
        request = self._the(reader, arguments, RequestStep.IDENTIFY)
        how = _code(How, arguments, "how")
        authority = arguments.get("authority", "")
        if authority or request.by is Requester.AGENT:
            authority = _code(Authority, arguments, "authority")
        if authority and request.by is not Requester.AGENT:
            raise BadRequest("no agent asks, so nobody needs an authority")
        draft = rows_of.identified(request.request, how, authority, user)
        return [draft], {"request": request.request}

    def _extend(self, reader: StoreReader, user: str, arguments: Mapping[str, str]) -> PlannedRows:
        request = self._the(reader, arguments, RequestStep.EXTEND)
        reason = _code(Longer, arguments, "reason")
        means = _code(Means, arguments, "means")
        zone = self._settings().rules.time_zone
        due_ms = extended_ms(Regime(request.regime), request.received_ms, zone)
        assert due_ms is not None  # a time that the law does not set is not made longer
        draft = rows_of.extended(request.request, due_ms, reason, means, user)
        return [draft], {"due_at": timestamp(due_ms), "request": request.request}

    def _decide(self, reader: StoreReader, user: str, arguments: Mapping[str, str]) -> PlannedRows:
        request = self._the(reader, arguments, RequestStep.DECIDE)
        text = arguments.get("text", "").strip()
        if len(text) > LONGEST_TEXT:
            raise BadRequest(f"a correction has at most {LONGEST_TEXT} characters")
        held = matters_on(reader, request.calls) if request.right is Right.ERASE else {}
        excepted = frozenset(map(CallId, words(arguments.get("except", ""))))
        reason = _code(RequestReason, arguments, "reason")
        verdict = _code(RequestVerdict, arguments, "verdict")
        if reason is RequestReason.ON_HOLD and verdict is RequestVerdict.IN_PART:
            excepted |= frozenset(held)
        wish = RequestDecision(
            verdict,
            reason,
            arguments.get("ground", ""),
            arguments.get("cause", ""),
            tuple(sorted(words(arguments.get("purposes", "")))),
            excepted,
            held,
            bool(text),
        )
        if wrong := decision_problem(request, wish):
            raise NotPossible(str(wrong), hint=hint_of(wrong, request))
        self._known(wish.purposes)
        who = staff(user)
        drafts = [rows_of.decided(request.request, wish, who)]
        granted = request.calls.keys() - wish.excepted if wish.grants else set()
        if request.right is Right.STOP_USE:
            drafts += rows_of.use_stopped(request.request, granted, wish.purposes, who)
        if request.right is Right.CORRECT:
            of = {call: _whose(reader, request, call) for call in granted}
            drafts += rows_of.annotated(request.request, of, text, who)
        matters = sorted({matter for matters in held.values() for matter in matters})
        return drafts, {
            "calls": len(granted),
            "held": len(held),
            "matters": matters,
            "request": request.request,
            "verdict": wish.verdict,
        }

    def _answer(self, reader: StoreReader, user: str, arguments: Mapping[str, str]) -> PlannedRows:
        request = self._the(reader, arguments, RequestStep.ANSWER)
        means = _code(Means, arguments, "means")
        given = [
            _code(AnswerGiven, {"given": one}, "given") for one in words(arguments.get("given", ""))
        ]
        if not given:
            raise BadRequest("say what was given", hint=f"--given: {', '.join(AnswerGiven)}")
        handed, package = arguments.get("receipt", ""), arguments.get("package", "")
        if not (_DIGEST.fullmatch(handed) and _DIGEST.fullmatch(package)):
            raise BadRequest("this is no SHA-256")
        if bool(handed) is not (AnswerGiven.RECEIPT in given):
            raise BadRequest("a receipt that was given has a digest, and no other has one")
        if package and AnswerGiven.PACKAGE not in given:
            raise BadRequest("no package was given, so it has no digest")
        if handed and handed not in self._receipts(reader, request):
            raise NotPossible("this receipt does not say what the log says", hint="make it anew")
        draft = rows_of.answered(request.request, means, given, handed, package, user)
        return [draft], {
            "late": request.is_overdue(self._now_ms()),
            "ours": bool(package) and package in packages_of(reader, request.request),
            "request": request.request,
        }

    def _withdraw(
        self, reader: StoreReader, user: str, arguments: Mapping[str, str]
    ) -> PlannedRows:
        request = self._the(reader, arguments, RequestStep.WITHDRAW)
        who = staff(user)
        drafts = [rows_of.withdrawn(request.request, _code(Back, arguments, "reason"), who)]
        if request.right is Right.STOP_USE:
            drafts += rows_of.use_resumed(request, who)
        return drafts, {"resumed": len(drafts) - 1, "request": request.request}

    def _the(
        self, reader: StoreReader, arguments: Mapping[str, str], step: RequestStep
    ) -> SubjectRequest:
        """The request that is meant, if ``step`` can be done with it now."""
        request = find(reader, arguments.get("request", ""))
        if wrong := problem(request, step, self._now_ms()):
            raise NotPossible(str(wrong), hint=hint_of(wrong, request))
        return request

    def _known(self, purposes: Sequence[str]) -> None:
        settings = self._settings()
        known = {code for notice in settings.notice for code in notice.purposes}
        known |= {purpose.code for purpose in settings.purpose} | set(shipped_purposes())
        if set(purposes) - known:
            raise BadRequest("there is no such purpose", hint=f"one of {', '.join(sorted(known))}")

    def _receipts(self, reader: StoreReader, request: SubjectRequest) -> set[str]:
        settings = self._settings()
        return {
            receipt_digest(receipt(reader, request, settings, language)) for language in LANGUAGES
        }


def find(reader: StoreReader, text: str) -> SubjectRequest:
    """The request with this id.

    Raises:
        BadRequest: it is none.
        NoSuchRequest: nobody opened it.
        StoreUnavailable: the store cannot be read.
    """
    if not is_request_id(text):
        raise BadRequest("this is no id of a request: q-…")
    found = every_request(reader).get(RequestId(text))
    if found is None:
        raise NoSuchRequest("there is no such request")
    return found


def _whose(reader: StoreReader, request: SubjectRequest, call: CallId) -> PartyId:
    """With whom a correction goes: the person in the call; if he was erased, who asks."""
    known = persons.party(reader, request.calls[call] or party_id(call, 1))
    return request.requester if known is None or known.erased_at else known.party


def _code(codes: type[_Code], arguments: Mapping[str, str], name: str) -> _Code:
    try:
        return codes(arguments.get(name, ""))
    except ValueError:
        raise BadRequest(f"there is no such {name}", hint=f"one of {', '.join(codes)}") from None


def _value(arguments: Mapping[str, str], name: str) -> str:
    value = arguments.get(name, "").strip()
    if len(value) > LONGEST_VALUE:
        raise BadRequest(f"--{name} has at most {LONGEST_VALUE} characters")
    return value


def _said(arguments: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in arguments.items() if value}
