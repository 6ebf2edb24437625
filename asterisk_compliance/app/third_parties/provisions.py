"""Writing down what is handed to third parties, and reading what was.

For each call two rows, in one transaction with those of all other calls of the same provision:
``provision_recipient``, beside which who received it is kept, and ``provision_recorded``, which
has codes only. So a person who asks gets the rows of his own calls, and nobody else's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from msgspec.structs import replace

from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.domain.call.events import AskedBy
from asterisk_compliance.domain.periods import Period, day_of
from asterisk_compliance.domain.phone_numbers import COUNTRIES
from asterisk_compliance.domain.retention.erasure import KeptParty
from asterisk_compliance.domain.third_parties.provisions import (
    ROLE,
    AbroadBasis,
    ProvidedItem,
    Provision,
    ProvisionGround,
    ProvisionProblem,
    ProvisionRecipient,
    ProvisionTerms,
    due,
    problem_of,
    provisions_of,
)
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import CallId, NodeName, PartyId, call_id, is_call_id, party_id
from asterisk_compliance.storage.log.reader import CallQuery, RowQuery, StoreReader
from asterisk_compliance.storage.queries import persons

MOST_CALLS = 200
"""Of one provision: their rows are one transaction, for which other rows wait some 40 ms."""

_HINTS: Mapping[ProvisionProblem, str] = {
    ProvisionProblem.NO_NAME: "--recipient says who receives it, --provider who provides it",
    ProvisionProblem.NO_REFERENCE: "--reference says where the ground can be read",
    ProvisionProblem.NO_ITEMS: f"--items names at least one of {', '.join(ProvidedItem)}",
    ProvisionProblem.DAY_TO_COME: "--day is today or earlier",
    ProvisionProblem.TOO_LONG: "a value has 1,024 characters at most",
    ProvisionProblem.NO_BASIS_ABROAD: f"--abroad says one of {', '.join(AbroadBasis)}; "
    "where is the site? that is home of [rules]",
    ProvisionProblem.BASIS_AT_HOME: "it does not leave the country: without --abroad",
    ProvisionProblem.NO_ADDRESS: "the record needs the --address",
    ProvisionProblem.NO_ORIGIN: "the record needs to say how the provider had got it: --acquired",
    ProvisionProblem.NO_WHOM: "--about says whom it is about: a list, a file, a name",
    ProvisionProblem.NO_REPRESENTATIVE: "the record needs the --representative of an organisation; "
    "or say --natural-person",
}


def hint_of(problem: ProvisionProblem) -> str:
    """What helps against it."""
    return _HINTS[problem]


class BadProvision(ComplianceError):
    """What was asked for is no record of a provision."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class ProvisionDraft:
    """A provision as somebody asked to have it recorded."""

    calls: tuple[CallId, ...]
    terms: ProvisionTerms
    recipient: ProvisionRecipient

    def drafts(self, period: Period, today: date, user: str) -> list[Draft]:
        """The rows that record it, in the user's name."""
        who = staff(user)
        rows: list[Draft] = []
        for call in self.calls:
            received = self._received(call, who)
            recorded = self._recorded(received, who, period.last_day(today), today)
            rows += [received, replace(recorded, facts=()) if rows else recorded]
        return rows

    def _received(self, call: CallId, who: AskedBy) -> Draft:
        """Beside this row is who received it: a party of this call, so a hold keeps it too."""
        return Draft(
            Kind.PROVISION_RECIPIENT,
            unix_ms(),
            NodeName(SERVICE_NODE),
            call=call,
            actor=who.actor,
            party=_new_party(),
            role=ROLE,
            facts=tuple(
                PersonalFact(field, value) for field, value in self.recipient.values().items()
            ),
        )

    def _recorded(self, received: Draft, who: AskedBy, keep_until: date, today: date) -> Draft:
        return Draft(
            Kind.PROVISION_RECORDED,
            received.at_ms,
            received.node,
            call=received.call,
            actor=who.actor,
            detail={
                "abroad": self.terms.abroad or "",
                "country": self.terms.country,
                "day": self.terms.day.isoformat(),
                "ground": self.terms.ground,
                "items": tuple(sorted(self.terms.items)),
                "keep_until": keep_until.isoformat(),
                "made": today.isoformat(),
                "needs_record": self.terms.needs_record,
                "recipient": received.party,
            },
            party=who.party,
            role="staff",
            facts=who.facts,
        )


def _new_party() -> PartyId:
    return party_id(call_id(unix_ms(), secrets.token_bytes(8)), 1)


def read_wish(arguments: Mapping[str, str], home: str | None, today: date) -> ProvisionDraft:
    """A provision as the command line passes it on: empty values say nothing, lists by spaces.

    Raises:
        BadProvision: there is no such call, country, ground or item, or something is missing.
    """
    calls = tuple(dict.fromkeys(arguments.get("calls", "").split()))
    if not calls or not all(map(is_call_id, calls)):
        raise BadProvision("this is no id of a call: c-…", hint="calls list names them")
    if len(calls) > MOST_CALLS:
        raise BadProvision(f"more than {MOST_CALLS} calls", hint="record them in several steps")
    items = frozenset(
        read_code(ProvidedItem, one, "item") for one in arguments.get("items", "").split()
    )
    abroad = arguments.get("abroad", "")
    terms = ProvisionTerms(
        ground=read_code(ProvisionGround, arguments.get("ground", ""), "ground"),
        country=read_country(arguments.get("country", "")),
        items=items,
        day=read_day(arguments.get("day", ""), today),
        abroad=read_code(AbroadBasis, abroad, "basis") if abroad else None,
    )
    recipient = ProvisionRecipient(
        name=arguments.get("recipient", "").strip(),
        reference=arguments.get("reference", "").strip(),
        address=arguments.get("address", "").strip(),
        representative=arguments.get("representative", "").strip(),
        is_person=bool(arguments.get("natural", "")),
    )
    if problem := problem_of(terms, recipient, home=home, today=today):
        raise BadProvision(f"this is no record: {problem}", hint=hint_of(problem))
    return ProvisionDraft(tuple(map(CallId, calls)), terms, recipient)


_Code = TypeVar("_Code", bound=StrEnum)


def read_code(codes: type[_Code], text: str, what: str) -> _Code:
    """One of a closed list; otherwise raises :class:`BadProvision`, which names them."""
    try:
        return codes(text)
    except ValueError:
        raise BadProvision(f"there is no such {what}", hint=f"one of {', '.join(codes)}") from None


def read_country(text: str) -> str:
    """ISO 3166-1 alpha-2; otherwise raises :class:`BadProvision`."""
    if text not in COUNTRIES:
        raise BadProvision("this is no country", hint="two capital letters of ISO 3166-1: JP")
    return text


def read_day(text: str, today: date) -> date:
    """ISO 8601, today where nothing is said; otherwise raises :class:`BadProvision`."""
    try:
        return date.fromisoformat(text) if text else today
    except ValueError:
        raise BadProvision("this is no day", hint="write 2026-11-25") from None


def provision_verbs(rows: AuditAppender, settings: Callable[[], Settings]) -> dict[str, Verb]:
    """What the control socket can be asked."""

    async def record_provision(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        now = settings()
        today = day_of(unix_ms(), now.rules.time_zone)
        wish = read_wish(arguments, now.rules.home, today)
        await asyncio.to_thread(_must_be_known, now, wish.calls)
        drafts = wish.drafts(now.provisions.keep, today, peer.user)
        last = await rows.append(*drafts)
        return await asyncio.to_thread(_answer, now, drafts, last)

    return {"record-provision": record_provision}


def _must_be_known(settings: Settings, calls: Iterable[CallId]) -> None:
    with StoreReader(settings.audit.store) as reader:
        for call in calls:
            must_be_known(reader, call)


def must_be_known(reader: StoreReader, call: str) -> None:
    """So that a slip of the pen is not taken for "nothing was handed over".

    Raises:
        BadProvision: no row speaks of this call.
    """
    if not is_call_id(call) or not reader.calls(CallQuery(call=CallId(call))):
        raise BadProvision(f"no row speaks of {call}", hint="calls list names them")


def _answer(settings: Settings, drafts: list[Draft], last: int) -> Mapping[str, Any]:
    """The numbers that the rows got: between them and ``last`` no others are looked for."""
    ours = {draft.party for draft in drafts}
    with StoreReader(settings.audit.store) as reader:
        made = [
            one
            for one in _read(reader, first_seq=max(0, last - len(drafts) + 1))
            if one.recipient in ours
        ]
    return {
        "keep_until": made[0].keep_until.isoformat(),
        "needs_record": made[0].needs_record,
        "provisions": [one.number for one in made],
    }


def _read(reader: StoreReader, *, call: str | None = None, first_seq: int = 0) -> list[Provision]:
    query = RowQuery(call=call, kind=Kind.PROVISION_RECORDED, first_seq=first_seq)
    return list(provisions_of(decode(stored.data) for stored in reader.rows(query)).values())


def must_be_kept(
    reader: StoreReader, party: KeptParty, today: date, period: Period | None = None
) -> bool:
    """Whether it is the recipient of a provision whose record is not over yet.

    By its row, or by ``period``, that of today, where it is longer.
    """
    if party.role != ROLE:
        return False
    made = (one for one in _read(reader, call=party.call) if one.recipient == party.party)
    return any(today <= (one.last_day(period) if period else one.keep_until) for one in made)


@dataclass(frozen=True, slots=True)
class Shown:
    """A provision beside what is still kept of its recipient.

    Attributes:
        fields: Names of the values that are kept.
        erased_at: Empty while they are.
        last_day: On which they must still be there.
        recipient: The values themselves by field, where they were asked for.
    """

    provision: Provision
    fields: tuple[str, ...]
    erased_at: str
    last_day: date
    recipient: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        one = self.provision
        return {
            "provision": one.number,
            "call": one.call,
            "day": one.day.isoformat(),
            "made": one.made.isoformat(),
            "ground": one.ground,
            "country": one.country,
            "abroad": one.abroad or None,
            "items": list(one.items),
            "needs_record": one.needs_record,
            "last_day": self.last_day.isoformat(),
            "party": one.recipient,
            "kept": list(self.fields),
            "erased_at": self.erased_at or None,
            **({"recipient": self.recipient} if self.recipient else {}),
        }


def shown(
    reader: StoreReader, period: Period, *, call: str | None = None, names: bool = False
) -> list[Shown]:
    """What was handed over, the oldest first.

    Args:
        reader: Of the store.
        period: Of today.
        call: Only what is about this call.
        names: With the values about the recipients.
    """
    return [_shown(reader, one, period, names=names) for one in _read(reader, call=call)]


def shown_due(reader: StoreReader, period: Period, today: date) -> list[Shown]:
    """Those whose period is over and of which values are kept: these may go now."""
    over = due(_read(reader), period, today)
    found = (_shown(reader, one, period, names=False) for one, _ in over)
    return [one for one in found if one.fields]


def _shown(reader: StoreReader, one: Provision, period: Period, *, names: bool) -> Shown:
    kept = persons.party(reader, one.recipient)
    values: dict[str, str] = {}
    if names and kept is not None:
        opened = persons.openings(reader, kept)
        values = {each.field: each.value for each in opened if each.state == "opened"}
    fields = kept.fields if kept is not None else ()
    erased_at = kept.erased_at if kept is not None else ""
    return Shown(one, fields, erased_at, one.last_day(period), values)
