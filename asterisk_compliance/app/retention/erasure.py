"""Erasing persons: whom a number means, what would go, and the rows behind which it goes.

The one way to erase, for the command line and for whatever else decides that somebody must be
erased: :func:`plan` says what would happen, :func:`erase` does it through the running service,
:func:`tombstones` are the rows for who holds the store's lock himself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.app.third_parties.provisions import must_be_kept
from asterisk_compliance.app.third_parties.provisions_received import source_must_be_kept
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.periods import Period, day_of
from asterisk_compliance.domain.phone_numbers import notations
from asterisk_compliance.domain.retention.erasure import (
    ErasureGround,
    Hindrance,
    KeptParty,
    authority_problem,
    hindrance,
)
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.log.legal_holds import matters_on
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries import persons

_UTC = ZoneInfo("UTC")
_OVERRULED: Mapping[str, frozenset[Hindrance]] = {
    ErasureGround.ORDER: frozenset({Hindrance.PROVISION_KEPT})
}
"""What an order of a court or an authority does not wait for."""
PARTIES_PER_COMMIT = 100
"""Erased in one transaction, and so before other rows can be stored: some 20 ms."""
PARTIES_PER_REQUEST = 1_000
"""Erased for one request to the service, which must answer in time; ask again for the rest."""


class NotErasable(ComplianceError):
    """Something stands in the way now."""


class BadErasure(ComplianceError):
    """What was asked for makes no sense."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class PersonSelector:
    """Who is sought: exactly one of them is given.

    Attributes:
        party: An id.
        number: In any notation; whoever called with it, or was called under it.
        user: Of the operating system: a member of the staff.
    """

    party: str = ""
    number: str = ""
    user: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.party, self.number, self.user))) != 1:
            raise BadErasure("say one of --party, --number and --user")


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What an erasure would do.

    Attributes:
        parties: Whom it erases.
        hindered: Who cannot be erased now, and why; then nobody is.
    """

    parties: tuple[KeptParty, ...]
    hindered: tuple[tuple[KeptParty, Hindrance], ...] = ()


def seek(reader: StoreReader, whom: PersonSelector, home: str | None) -> list[KeptParty]:
    """Every party that ``whom`` means; also one of whom only its number was dialled by others.

    Raises:
        BadErasure: there is no digit in the number.
        StoreUnavailable: the store cannot be read.
    """
    if whom.party:
        known = persons.party(reader, whom.party)
        return [] if known is None else [known]
    if whom.user:
        return persons.found_by(reader, {"user": [whom.user]})
    keys = notations(whom.number, home)
    if not keys:
        raise BadErasure("there is no digit in this number")
    return persons.found_by(reader, {"number": keys, "dialled": keys})


def plan(
    reader: StoreReader,
    whom: PersonSelector,
    home: str | None,
    now_ms: int,
    zone: ZoneInfo = _UTC,
    keep: Period | None = None,
) -> ErasurePlan:
    """What erasing ``whom`` would do, where the site's days are those of ``zone``.

    ``keep``: as of :func:`hindrance_of`.

    Errors as of :func:`seek`.
    """
    today = day_of(now_ms, zone)
    sought = [one for one in seek(reader, whom, home) if one.is_kept and one.is_whom_we_sought]
    held = matters_on(reader, [one.call for one in sought if one.call])
    hindered = [
        (one, why)
        for one in sought
        if (why := hindrance_of(reader, one, now_ms, today, held=one.call in held, keep=keep))
        is not None
    ]
    return ErasurePlan(tuple(sought), tuple(hindered))


def hindrance_of(
    reader: StoreReader,
    one: KeptParty,
    now_ms: int,
    today: date,
    *,
    held: bool,
    keep: Period | None = None,
) -> Hindrance | None:
    """What stands in the way of erasing a party, by what the log says.

    ``keep``: today's period of records of provision, where it is longer than what their rows say.
    """
    recorded = must_be_kept(reader, one, today, keep) or source_must_be_kept(
        reader, one, today, keep
    )
    return hindrance(one, now_ms, held=held, recorded=recorded)


def check(reader: StoreReader, planned: ErasurePlan, ground: str, authority: str) -> None:
    """Whether the plan may be carried out.

    Raises:
        BadErasure: there is no such ground, or the authority is none.
        NotErasable: somebody is hindered.
    """
    if ground not in set(ErasureGround):
        raise BadErasure("there is no such ground", hint=f"one of {', '.join(ErasureGround)}")
    if problem := authority_problem(authority, persons.values(reader, planned.parties)):
        raise BadErasure(f"this is no authority: {problem}", hint="REQ-2026-0042")
    hindered = [one for one in planned.hindered if one[1] not in _OVERRULED.get(ground, ())]
    if hindered:
        calls = " ".join(sorted({str(one.call) for one, _ in hindered}))
        hint = "nothing was erased; ask again when that is over: docs/erasure.md"
        raise NotErasable(f"{hindered[0][1]}: {calls}", hint=hint)


def tombstones(parties: Sequence[KeptParty], ground: str, authority: str, user: str) -> list[Draft]:
    """One row for each party. What is kept of it goes in the transaction of its row.

    Args:
        parties: As of :func:`plan`, after :func:`check`.
        ground: A value of :class:`ErasureGround`.
        authority: Who decided, as a reference.
        user: Who does it: the operating system's, which stands only in the table of persons.
    """
    who = staff(user)
    return [
        Draft(
            Kind.PERSON_ERASED,
            unix_ms(),
            one.node or NodeName(SERVICE_NODE),
            call=one.call,
            actor=who.actor,
            detail={
                "authority": authority,
                "digests": one.digests,
                "erased": one.party,
                "fields": one.fields,
                "ground": ground,
            },
            party=who.party,
            role="staff",
            facts=() if number else who.facts,
            erases=one.party,
        )
        for number, one in enumerate(parties)
    ]


class Erasing:
    """Erases through the running service, one request after the other.

    Args:
        rows: The log.
        settings: What holds at the moment of asking.
        holds_stand: As of :class:`~.retaining.Retaining`: while we have it nobody places a hold.
    """

    def __init__(
        self, rows: AuditAppender, settings: Callable[[], Settings], holds_stand: asyncio.Lock
    ) -> None:
        self._rows = rows
        self._settings = settings
        self._holds_stand = holds_stand

    async def erase(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Erase whom ``arguments`` say; the verb of the control socket.

        Args:
            peer: Who asks, as the kernel knows it.
            arguments: ``party``, ``number`` or ``user``, and ``ground`` and ``authority``.

        Returns:
            ``parties`` and ``values`` that were erased, the ``seq`` of the last row (or ``None``),
            and how many are ``left`` for another request.

        Raises:
            BadErasure, NotErasable: as of :func:`check`.
            StoreError: the store cannot be read or written; what was erased has its rows.
        """
        whom = PersonSelector(
            **{name: arguments.get(name, "") for name in ("party", "number", "user")}
        )
        ground, authority = arguments.get("ground", ""), arguments.get("authority", "")
        async with self._holds_stand:
            planned = await asyncio.to_thread(self._checked, whom, ground, authority)
            now = planned[:PARTIES_PER_REQUEST]
            drafts = tombstones(now, ground, authority, peer.user)
            seq: int | None = None
            for first in range(0, len(drafts), PARTIES_PER_COMMIT):
                seq = await self._rows.append(*drafts[first : first + PARTIES_PER_COMMIT])
        return {**outcome(now, seq), "left": len(planned) - len(now)}

    def _checked(self, whom: PersonSelector, ground: str, authority: str) -> tuple[KeptParty, ...]:
        settings = self._settings()
        with StoreReader(settings.audit.store) as reader:
            rules = settings.rules
            keep = settings.provisions.keep
            planned = plan(reader, whom, rules.home, unix_ms(), rules.time_zone, keep)
            check(reader, planned, ground, authority)
            return planned.parties


def outcome(parties: Sequence[KeptParty], seq: int | None) -> dict[str, Any]:
    """What was done, in a form that holds nothing personal."""
    return {
        "parties": len(parties),
        "values": sum(len(one.fields) for one in parties),
        "seq": seq,
        "left": 0,
    }
