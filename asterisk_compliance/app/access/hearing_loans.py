"""Copies that people may hear by telephone: lent by the officer, opened by a code, gone soon.

Everything of a loan but its rows is in this process's memory, and in a file system in memory. So
whoever kills the service ends every loan; the next start removes what is left, and says so.

A code is random, of ``code_digits`` digits, told once and kept as scrypt of a salt of this process:
one digest for a code that is tried, whatever is lent, compared with each one that is lent in
constant time. So how long an answer takes says nothing about how many there are, or which.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import structlog

from asterisk_compliance.app.access.hearing_copies import CopyDirectory
from asterisk_compliance.app.access.hearing_rows import (
    Lending,
    lent_draft,
    owed_drafts,
    removed_draft,
)
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import HearingSettings
from asterisk_compliance.domain.access.hearing_state import (
    CodeAccepted,
    CodeRefused,
    GiveBack,
    LoanEnd,
    TelephoneLoan,
)
from asterisk_compliance.domain.access.loans import ended_by
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import ComplianceError, StoreError, StoreUnavailable
from asterisk_compliance.ids import LoanId, NodeName, loan_id

FILL_S = 120.0
"""So long the officer's command may take to fill a copy."""

EXPIRY_S = 1.0
"""So often it is looked whether one has expired."""

log = structlog.get_logger()


class NoSuchLoan(ComplianceError):
    hint = "lend it again"


class TooLong(ComplianceError):
    """Nobody could hear it to its end."""

    hint = "hearing.call_s says how long a call that hears may take; or make a package of it"


@dataclass(slots=True)
class _Filling:
    """A copy that the officer's command fills.

    Attributes:
        finishing: It is filled, and becomes a loan now.
        ended: It has to go meanwhile, and why.
    """

    what: Lending
    until_s: float
    finishing: bool = False
    ended: LoanEnd | None = None

    def finish(self) -> Lending:
        """It is filled: it becomes a loan of what it is a copy of."""
        self.finishing = True
        return self.what

    def has_to_go(self, why: LoanEnd) -> None:
        self.ended = why


@dataclass(slots=True)
class _Lent:
    """A copy that can be heard.

    Attributes:
        left: How often it may still be begun.
        gone: Told when it is removed, by whoever hears it; ``None``: nobody does.
    """

    loan: TelephoneLoan
    node: NodeName
    digest: bytes
    expires_s: float
    left: int
    gone: Callable[[], None] | None = None

    def begin(self, gone: Callable[[], None]) -> None:
        """A call begins to play it; ``gone`` is called if the copy goes meanwhile."""
        self.gone = gone

    def come_back(self, *, begun: bool) -> None:
        """The call that played it is over. If it heard the copy, one hearing is used up."""
        self.gone = None
        self.left -= begun


class LoanRegister:
    """The loans of one service. Called on the event loop.

    Args:
        rows: The log.
        settings: What may be done.
        copies: Where they are.
        store_s: So long a row may take.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        rows: AuditAppender,
        settings: HearingSettings,
        copies: CopyDirectory,
        *,
        store_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._rows = rows
        self._copies = copies
        self._store_s = store_s
        self._clock = clock
        self._salt = secrets.token_bytes(16)
        self._filling: dict[LoanId, _Filling] = {}
        self._lent: dict[LoanId, _Lent] = {}
        self._going: dict[LoanId, tuple[_Lent, LoanEnd]] = {}
        self._goes = asyncio.Event()
        self._wrong: deque[float] = deque()

    # -- life ----------------------------------------------------------------------------

    async def open(self, store: Path) -> None:
        """Remove what an earlier life left, and complete its rows.

        A directory that will not do is logged: then nothing is lent until it does, and calls are
        recorded as ever.
        """
        gone = True
        try:
            await asyncio.to_thread(self._copies.clear)
        except OSError as error:  # what may be there still is not said to be gone
            gone = False
            log.error("copies_not_removed", why=error.strerror)
        try:
            await asyncio.to_thread(self._copies.prepare)
        except StoreUnavailable as error:
            log.error("hearing_not_possible", why=str(error))
        try:
            for draft in await asyncio.to_thread(owed_drafts, store, gone=gone):
                await self.append(draft)
        except StoreError as error:  # the next start finds them again
            log.error("loans_not_completed", why=str(error))

    async def run(self) -> None:
        """Remove what has expired, or has to go, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXPIRY_S):
                    await self._goes.wait()
            self._goes.clear()
            try:
                await self._expire(self._clock())
            except Exception:  # a defect here must not end the calls
                log.exception("loans_not_expired")

    async def _expire(self, now: float) -> None:
        for identity, filling in list(self._filling.items()):
            if filling.until_s <= now and not filling.finishing:
                await self._give_up(identity)
        for identity in [one for one, lent in self._lent.items() if lent.expires_s <= now]:
            self._end(identity, LoanEnd.EXPIRED)
        await self._sweep()

    async def close(self) -> None:
        """Remove everything: the service stops."""
        for identity, filling in list(self._filling.items()):
            filling.has_to_go(LoanEnd.SERVICE_STOPPED)
            if not filling.finishing:
                await self._give_up(identity)
        for identity in list(self._lent):
            self._end(identity, LoanEnd.SERVICE_STOPPED)
        await self._sweep()

    def observe(self, row: Draft) -> None:
        """Told of each row that is durable: with a recording, and with a request, goes its copy."""
        ending = ended_by(row.kind, row.detail)
        if ending is None:
            return
        for filling in self._filling.values():
            if ending.ends(filling.what.recording, filling.what.request):
                filling.has_to_go(ending.why)
        for identity, lent in list(self._lent.items()):
            if ending.ends(lent.loan.recording, lent.loan.request):
                self._end(identity, ending.why)

    # -- lending -------------------------------------------------------------------------

    async def begin(self, what: Lending) -> tuple[LoanId, BinaryIO]:
        """A file for the officer's command to fill.

        Raises:
            StoreUnavailable: the directory will not do.
        """
        identity = loan_id(unix_ms(), secrets.token_bytes(8))
        file = await asyncio.to_thread(self._copies.begin, identity)
        self._filling[identity] = _Filling(what, self._clock() + FILL_S)
        return identity, file

    async def lend(self, identity: str, user: str) -> dict[str, Any]:
        """It is filled: make the code, and write the row.

        Returns:
            ``loan``, ``code``, ``expires_at``, ``length_ms`` and ``seq``.

        Raises:
            NoSuchLoan: nobody of this name began it, or too long ago; or what it is a copy of, or
                for, is gone meanwhile.
            RecordingUnreadable, TooLong: it is not what we play.
            StoreError: the row is not durable; nothing is lent.
        """
        known = LoanId(identity)
        filling = self._filling.get(known)
        if filling is None or filling.what.user != user or filling.finishing:
            raise NoSuchLoan("there is no such loan to be finished")
        what = filling.finish()
        try:
            length_ms, sha256 = await asyncio.to_thread(self._copies.finish, known)
            self._must_be_audible(length_ms)
            digits = self.settings.code_digits
            code = f"{secrets.randbelow(10**digits):0{digits}}"
            digest = await self._digest(code)
            _must_be_there(filling)
            expires_ms = unix_ms() + round(self.settings.expires_h * 3_600_000)
            seq = await self.append(lent_draft(what, known, length_ms, sha256, expires_ms))
        except BaseException:
            await self._give_up(known)
            raise
        del self._filling[known]
        before = [one for one, lent in self._lent.items() if _same(lent.loan, what)]
        media = f"sound:{self.settings.directory / identity}"
        self._lent[known] = _Lent(
            TelephoneLoan(known, what.call, what.recording, what.request, media, length_ms),
            what.node,
            digest,
            self._clock() + self.settings.expires_h * 3_600,
            self.settings.begins_max,
        )
        for other in before:
            self._end(other, LoanEnd.REPLACED)
        if filling.ended is not None:
            self._end(known, filling.ended)
        await self._sweep()
        _must_be_there(filling)
        return {
            "code": code,
            "expires_at": timestamp(expires_ms),
            "length_ms": length_ms,
            "loan": known,
            "seq": seq,
        }

    async def take_back(self, recording: str, request: str) -> int:
        """The officer ends what he lent for a request, or of it one recording.

        Returns:
            How many copies there were.
        """
        ended = [
            one
            for one, lent in self._lent.items()
            if lent.loan.request == request and recording in {"", lent.loan.recording}
        ]
        for identity in ended:
            self._end(identity, LoanEnd.TAKEN_BACK)
        await self._sweep()
        return len(ended)

    # -- hearing -------------------------------------------------------------------------

    async def take(self, code: str, gone: Callable[[], None]) -> CodeAccepted | CodeRefused:
        """Look which copy a code opens; it is the caller's until it is given back.

        Args:
            code: As it was entered.
            gone: Called when the copy is removed before that.
        """
        digest = await self._digest(code)
        now = self._clock()
        while self._wrong and self._wrong[0] <= now - self.settings.lockout_min * 60:
            self._wrong.popleft()
        if len(self._wrong) >= self.settings.wrong_max:
            return CodeRefused(locked=True)
        opened = None
        for lent in list(self._lent.values()):  # each of them, whichever it is
            if hmac.compare_digest(lent.digest, digest):
                opened = lent
        if opened is None or opened.gone is not None or opened.expires_s <= now:
            self._wrong.append(now)
            return CodeRefused()
        opened.begin(gone)
        return CodeAccepted(opened.loan)

    async def give_back(self, identity: LoanId, how: GiveBack) -> None:
        """A copy is not heard any more; whether it stays follows from how far that came."""
        lent = self._lent.get(identity)
        if lent is None or lent.gone is None:
            return
        lent.come_back(begun=how.begun)
        if how.heard or lent.left <= 0:
            self._end(identity, LoanEnd.HEARD if how.heard else LoanEnd.USED_UP)
            await self._sweep()

    # -- ending: the code first, then the copy, then the row -----------------------------

    def _end(self, identity: LoanId, why: LoanEnd) -> None:
        """No code opens it any more; the copy itself goes with the next :meth:`_sweep`."""
        lent = self._lent.pop(identity)
        self._going[identity] = lent, why
        self._goes.set()
        if lent.gone is not None:
            lent.gone()

    async def _sweep(self) -> None:
        """Remove what has to go. What could not be is tried again, and has no row before.

        No row is waited for while a copy is there: a slow disk keeps nothing in memory.
        """
        gone = [identity for identity in list(self._going) if await self._unlinked(identity)]
        for identity in gone:
            if identity not in self._going:  # somebody else wrote its row meanwhile
                continue
            lent, why = self._going.pop(identity)
            row = removed_draft(lent.loan, lent.node, why)
            try:
                await self.append(row)
            except StoreError as error:
                log.error("row_refused", kind=row.kind, why=str(error))

    async def append(self, draft: Draft) -> int:
        """Write a row, and wait until it is durable.

        Raises:
            StoreError: it is not, or not in time.
        """
        try:
            async with asyncio.timeout(self._store_s):
                return await self._rows.append(draft)
        except TimeoutError:
            raise StoreUnavailable("the row is not durable in time") from None

    # -- small ---------------------------------------------------------------------------

    def _must_be_audible(self, length_ms: int) -> None:
        if length_ms >= self.settings.call_s * 1_000:
            raise TooLong("it is longer than a call that hears may take")

    async def _give_up(self, identity: LoanId) -> None:
        """Of a copy that was never lent there is no row, so none says that it is gone."""
        if self._filling.pop(identity, None) is not None:
            await self._unlinked(identity)

    async def _unlinked(self, identity: LoanId) -> bool:
        try:
            await asyncio.to_thread(self._copies.remove, identity)
        except OSError as error:
            log.error("copy_not_removed", loan=identity, why=error.strerror)
            return False
        return True

    async def _digest(self, code: str) -> bytes:
        return await asyncio.to_thread(_scrypt, code, self._salt)


def _must_be_there(filling: _Filling) -> None:
    if filling.ended is not None:
        raise NoSuchLoan("the recording, or the request, is gone meanwhile", hint="requests show")


def _same(loan: TelephoneLoan, what: Lending) -> bool:
    return (loan.recording, loan.request) == (what.recording, what.request)


def _scrypt(code: str, salt: bytes) -> bytes:
    return hashlib.scrypt(code.encode(), salt=salt, n=1 << 13, r=8, p=1)
