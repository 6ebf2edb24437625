"""Requests as the command line shows them: what the log says, and who asks, for the officer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from asterisk_compliance.app.retention.kept_until import kept_until
from asterisk_compliance.app.retention.plan import today_of
from asterisk_compliance.app.subject_requests.deadline_watch import state_of
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import decode, timestamp
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.deadlines import SOURCES as SOURCES_OF_TIMES
from asterisk_compliance.domain.deadlines import Regime, last_day, suit_ms
from asterisk_compliance.domain.recording.assurance_words import Recorded, recorded
from asterisk_compliance.domain.retention.schedule import Today
from asterisk_compliance.domain.subject_requests.codes import SOURCES, RequestRefusal
from asterisk_compliance.domain.subject_requests.requests import RequestState, SubjectRequest
from asterisk_compliance.ids import CallId, RecordingId
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.queries import persons
from asterisk_compliance.storage.queries.subject_requests import corrections, rows_about

_NEXT = {
    RequestState.OPENED: "identify",
    RequestState.IDENTIFIED: "decide",
    RequestState.DECIDED: "answer",
}


def next_step(request: SubjectRequest) -> str:
    """The command that brings it nearer to its answer; empty: it has one, or needs none."""
    return "carry-out" if request.to_be_carried_out else _NEXT.get(request.state, "")


def listed(
    requests: Iterable[SubjectRequest], settings: Settings, now_ms: int
) -> list[dict[str, Any]]:
    """A line for each, the first due first."""
    found = sorted(requests, key=lambda one: (one.due_ms, one.request))
    return [_line(one, settings, now_ms) for one in found]


def shown(
    reader: StoreReader, request: SubjectRequest, settings: Settings, now_ms: int
) -> Mapping[str, Any]:
    """Everything that is known of one request, with what identifies who asked.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    zone = settings.rules.time_zone
    suit = suit_ms(Regime(request.regime), request.received_ms, zone)
    today = today_of(settings)
    return {
        **_line(request, settings, now_ms),
        "authority": request.authority,
        "by": request.by,
        "calls": [_call(reader, request, call, today) for call in sorted(request.calls)],
        "cause": request.cause,
        "extended": request.extended,
        "fee": request.fee,
        "ground": request.ground,
        "ground_source": SOURCES[RequestRefusal(request.ground)] if request.ground else "",
        "how": request.how,
        "legal_at": _at(request.legal_ms),
        "matters": request.matters,
        "purposes": request.purposes,
        "reason": request.reason,
        "regime": request.regime,
        "regime_source": SOURCES_OF_TIMES[Regime(request.regime)],
        "requester": dict(_requester(reader, request)),
        "suit_from": _at(suit),
    }


def _line(request: SubjectRequest, settings: Settings, now_ms: int) -> dict[str, Any]:
    answered = request.answered_ms
    return {
        "answered_at": _at(answered),
        "basis": request.basis,
        "due_at": timestamp(request.due_ms),
        "last_day": last_day(request.due_ms, settings.rules.time_zone).isoformat(),
        "late": (now_ms if answered is None else answered) >= request.due_ms
        if request.state is not RequestState.WITHDRAWN
        else False,
        "next": next_step(request),
        "number_of_calls": len(request.calls),
        "received_at": timestamp(request.received_ms),
        "request": request.request,
        "right": request.right,
        "standing": state_of(request, settings, now_ms) or None,
        "state": request.state,
        "verdict": request.verdict,
    }


def _requester(reader: StoreReader, request: SubjectRequest) -> Iterator[tuple[str, str]]:
    yield "party", request.requester
    known = persons.party(reader, request.requester)
    for one in persons.openings(reader, known) if known else ():
        yield one.field, one.value if one.state == "opened" else f"({one.state})"


def _call(
    reader: StoreReader, request: SubjectRequest, call: CallId, today: Today
) -> Mapping[str, Any]:
    recordings = reader.recordings(call)
    rows = [decode(one.data) for one in reader.rows(RowQuery(call=call))]
    until = {
        name: kept_until(name, rows, today)
        for name, level in (
            (RecordingId(str(one["recording"])), one["level"]) for one in recordings
        )
        if recorded(str(level)) is Recorded.KEPT
    }
    return {
        "at": timestamp(minted_ms(call)),
        "call": call,
        "corrections": [one.text or "(erased)" for one in corrections(reader, call)],
        "granted": call in request.granted if request.verdict else None,
        "held": call in request.kept,
        "kept_until": {name: _at(due.at_ms if due else None) for name, due in until.items()},
        "person": request.calls[call] or None,
        "provisions": [dict(_provision(reader, seq, row.detail)) for seq, row in
                       rows_about(reader, call, Kind.PROVISION_RECORDED)],
        "recordings": {str(one["recording"]): one["level"] for one in recordings},
    }  # fmt: skip


def _provision(
    reader: StoreReader, seq: int, detail: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """A record of provision as the person may read it: to whom, what, when, on which ground."""
    yield "provision", seq
    for name in ("country", "day", "ground", "items"):
        yield name, detail.get(name)
    known = persons.party(reader, str(detail.get("recipient", "")))
    recipient = {one.field: one.value for one in persons.openings(reader, known)} if known else {}
    yield "recipient", recipient


def _at(ms: int | None) -> str | None:
    return None if ms is None else timestamp(ms)
