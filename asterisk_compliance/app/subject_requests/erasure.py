"""Carrying out an erasure that was granted: the recordings, then what identifies the person.

    1  row ``request_begun``              nothing has gone
    2  the recordings, each behind rows   the rest is there; what was begun is brought to an end
       of its own (``app/retention/disposal.py``)
    3  the person's values and salts,     the rest is there
       each in the transaction of its row (``app/retention/erasure.py``)
    4  row ``request_carried_out``        done

Dying behind any step leaves what is on the right, and carrying it out again goes on from there.
What a hold is about stays, and the last row names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asterisk_compliance.app.retention.disposal import DisposalOutcome
from asterisk_compliance.app.retention.erasure import PARTIES_PER_COMMIT, tombstones
from asterisk_compliance.app.retention.plan import PlannedDisposal
from asterisk_compliance.app.retention.run import RetentionService
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.app.subject_requests import rows as rows_of
from asterisk_compliance.app.subject_requests.steps import NotPossible, find
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.retention.erasure import LONGEST_CALL_MS, KeptParty
from asterisk_compliance.domain.retention.schedule import DisposalDue, RetentionGround
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest
from asterisk_compliance.domain.subject_requests.steps import RequestStep, problem
from asterisk_compliance.ids import CallId, RecordingId, RequestId
from asterisk_compliance.storage.log.legal_holds import matters_on
from asterisk_compliance.storage.log.reader import CallQuery, StoreReader
from asterisk_compliance.storage.queries import persons
from asterisk_compliance.storage.queries.retention import RetentionReader
from asterisk_compliance.storage.queries.subject_requests import every_request

_IN_THE_VAULT = frozenset({"closed", "sealed", "unjudged"})
_GONE = frozenset({"empty", "missing", "removed", "disposed"})


@dataclass(frozen=True, slots=True)
class ErasureScope:
    """What is to be done for a request.

    Attributes:
        recordings: That go.
        parties: Of whom something is kept, and goes.
        kept: The calls that a hold saves, with its matters.
        waiting: Other requests that wait for an answer about calls that go.
    """

    request: SubjectRequest
    recordings: tuple[PlannedDisposal, ...]
    parties: tuple[KeptParty, ...]
    kept: Mapping[CallId, tuple[str, ...]]
    waiting: tuple[RequestId, ...] = ()


def planned(reader: StoreReader, name: str, now_ms: int) -> ErasureScope:
    """What carrying out the request ``name`` would do at ``now_ms``.

    Raises:
        BadRequest, NoSuchRequest: there is none.
        NotPossible: there is nothing to carry out, one of its calls lives, or a recording of one
            is not closed yet.
        StoreUnavailable: the store cannot be read.
    """
    request = find(reader, name)
    if wrong := problem(request, RequestStep.CARRY_OUT, now_ms):
        raise NotPossible(str(wrong))
    kept = matters_on(reader, request.granted)
    going = sorted(request.granted - kept.keys())
    begun = {one.recording: one for one in RetentionReader(reader).begun()}
    due = DisposalDue(now_ms, RetentionGround.REQUESTED, request.request)
    recordings: list[PlannedDisposal] = []
    for call in going:
        _ended(reader, call, now_ms)
        for entry in reader.recordings(call):
            recording, level = RecordingId(str(entry["recording"])), entry["level"]
            if recording in begun:
                one = begun[recording]
                why = DisposalDue(milliseconds(one.due_at), one.ground, one.rule, one.period)
                recordings.append(PlannedDisposal(recording, call, why, begun=one))
            elif level in _IN_THE_VAULT:
                recordings.append(PlannedDisposal(recording, call, due))
            elif level not in _GONE:
                raise NotPossible(f"a recording is not closed yet: {recording}", hint=_LATER)
    known = (persons.party(reader, request.calls[call]) for call in going)
    parties = tuple(one for one in known if one is not None and one.is_kept)
    waiting = tuple(
        name
        for name, one in every_request(reader).items()
        if one.is_open and name != request.request and not one.calls.keys().isdisjoint(going)
    )
    return ErasureScope(request, tuple(recordings), parties, kept, waiting)


_LATER = "say it again when the call is over and its recording is in the vault: calls show"


def _ended(reader: StoreReader, call: CallId, now_ms: int) -> None:
    """As ``erasure.hindrance``: a call without an end that is a day old is over."""
    (entry,) = reader.calls(CallQuery(call=call))
    if not entry["ended_at"] and now_ms - minted_ms(call) < LONGEST_CALL_MS:
        raise NotPossible(f"the call is not over: {call}", hint=_LATER)


class ErasureExecution:
    """The verb ``request-carry-out``.

    Args:
        rows: The log.
        settings: What holds at the moment of asking.
        retaining: Disposes of recordings, in the same log.
        one_at_a_time: Held by whoever changes requests.
    """

    def __init__(
        self,
        rows: AuditAppender,
        settings: Callable[[], Settings],
        retaining: RetentionService,
        one_at_a_time: asyncio.Lock,
    ) -> None:
        self._rows = rows
        self._settings = settings
        self._retaining = retaining
        self._one_at_a_time = one_at_a_time

    def verbs(self) -> dict[str, Verb]:
        return {"request-carry-out": self.carry_out}

    async def carry_out(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Carry out what was granted, or go on with it.

        Returns:
            How many ``recordings`` and ``parties`` went now, how many recordings are ``left`` (ask
            again) and ``failed``, and the calls that were ``kept`` when it is ``done``.

        Raises:
            BadRequest, NoSuchRequest, NotPossible: nothing is done.
            StoreError: what was begun is finished when it is asked for again.
        """
        async with self._one_at_a_time:
            name = arguments.get("request", "")
            before = await asyncio.to_thread(self._work, name)
            who = staff(peer.user)
            assert who.party is not None
            count = len(before.recordings)
            request = before.request.request
            await self._rows.append(rows_of.begun(request, count, len(before.parties), who))
            run = await self._retaining.dispose_of(before.recordings, who.party)
            answer: dict[str, Any] = {
                "request": request,
                "recordings": run.done[DisposalOutcome.DISPOSED],
                "failed": run.done[DisposalOutcome.FAILED],
                "parties": 0,
            }
            async with self._retaining.holds_stand:
                after = await asyncio.to_thread(self._work, name)
                if after.recordings:
                    return {**answer, "left": len(after.recordings), "done": False}
                await self._erase(after, peer.user)
            await self._rows.append(rows_of.carried_out(request, after.kept, who))
            parties = len(after.parties)
            return {**answer, "parties": parties, "left": 0, "done": True, "kept": [*after.kept]}

    async def _erase(self, of: ErasureScope, user: str) -> None:
        drafts = tombstones(of.parties, of.request.cause, of.request.request, user)
        for first in range(0, len(drafts), PARTIES_PER_COMMIT):
            await self._rows.append(*drafts[first : first + PARTIES_PER_COMMIT])

    def _work(self, name: str) -> ErasureScope:
        with StoreReader(self._settings().audit.store) as reader:
            return planned(reader, name, unix_ms())
