"""Writing down what third parties provide to us, and reading what they did.

Two rows in one transaction: ``provision_source``, beside which stands who it was, how he had got
it and whom it is about, and ``provision_received``, which has codes only.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.app.third_parties.provisions import (
    BadProvision,
    hint_of,
    read_code,
    read_country,
    read_day,
)
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.domain.periods import Period, day_of
from asterisk_compliance.domain.retention.erasure import KeptParty
from asterisk_compliance.domain.third_parties.provisions import ProvidedItem
from asterisk_compliance.domain.third_parties.provisions_received import (
    SOURCE_ROLE,
    Provider,
    Received,
    ReceivedGround,
    ReceivedTerms,
    received_of,
    received_problem,
)
from asterisk_compliance.ids import NodeName, PartyId, call_id, party_id
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.queries import persons

_DIGEST = re.compile(r"[0-9a-f]{64}|")


@dataclass(frozen=True, slots=True)
class ReceivedProvisionDraft:
    """What was provided to us, as somebody asked to have it recorded."""

    terms: ReceivedTerms
    provider: Provider
    sha256: str

    def drafts(self, period: Period, today: date, user: str) -> tuple[Draft, Draft]:
        """The rows that record it, in the user's name."""
        who, now_ms, node = staff(user), unix_ms(), NodeName(SERVICE_NODE)
        party = party_id(call_id(now_ms, secrets.token_bytes(8)), 1)
        values = self.provider.values()
        source = Draft(
            Kind.PROVISION_SOURCE,
            now_ms,
            node,
            actor=who.actor,
            party=party,
            role=SOURCE_ROLE,
            facts=tuple(PersonalFact(field, value) for field, value in values.items()),
        )
        received = Draft(
            Kind.PROVISION_RECEIVED,
            now_ms,
            node,
            actor=who.actor,
            detail={
                "country": self.terms.country,
                "day": self.terms.day.isoformat(),
                "ground": self.terms.ground,
                "items": tuple(sorted(self.terms.items)),
                "keep_until": period.last_day(today).isoformat(),
                "made": today.isoformat(),
                "needs_record": self.terms.needs_record,
                "sha256": self.sha256,
                "source": party,
            },
            party=who.party,
            role="staff",
            facts=who.facts,
        )
        return source, received


def read_received(arguments: Mapping[str, str], today: date) -> ReceivedProvisionDraft:
    """What the command line passes on: empty values say nothing, lists by spaces.

    Raises:
        BadProvision: there is no such country, ground or item, or something is missing.
    """
    terms = ReceivedTerms(
        ground=read_code(ReceivedGround, arguments.get("ground", ""), "ground"),
        country=read_country(arguments.get("country", "")),
        items=frozenset(
            read_code(ProvidedItem, one, "item") for one in arguments.get("items", "").split()
        ),
        day=read_day(arguments.get("day", ""), today),
    )
    said = {
        name: arguments.get(name, "").strip()
        for name in ("name", "acquired", "whom", "address", "representative")
    }
    provider = Provider(**said, is_person=bool(arguments.get("natural", "")))
    sha256 = arguments.get("sha256", "")
    if not _DIGEST.fullmatch(sha256):
        raise BadProvision("this is no SHA-256")
    if problem := received_problem(terms, provider, today):
        raise BadProvision(f"this is no record: {problem}", hint=hint_of(problem))
    return ReceivedProvisionDraft(terms, provider, sha256)


def received_verbs(rows: AuditAppender, settings: Callable[[], Settings]) -> dict[str, Verb]:
    """What the control socket can be asked."""

    async def receive_provision(
        peer: SocketPeer, arguments: Mapping[str, str]
    ) -> Mapping[str, Any]:
        now = settings()
        today = day_of(unix_ms(), now.rules.time_zone)
        wish = await asyncio.to_thread(read_received, arguments, today)
        drafts = wish.drafts(now.provisions.keep, today, peer.user)
        number = await rows.append(*drafts)
        return {
            "provision": number,
            "keep_until": drafts[1].detail["keep_until"],
            "needs_record": wish.terms.needs_record,
        }

    return {"receive-provision": receive_provision}


def source_must_be_kept(
    reader: StoreReader, party: KeptParty, today: date, period: Period | None = None
) -> bool:
    """Whether it provided something of which the record is not over yet.

    By its row, or by ``period``, that of today, where it is longer.
    """
    if party.role != SOURCE_ROLE:
        return False
    made = (one for one in _read(reader) if one.source == party.party)
    return any(today <= (one.last_day(period) if period else one.keep_until) for one in made)


@dataclass(frozen=True, slots=True)
class ShownReceived:
    """What was provided to us beside what is still kept of the provider.

    Attributes:
        fields: Names of the values that are kept.
        erased_at: Empty while they are.
        last_day: On which they must still be there.
        provider: The values themselves by field, where they were asked for.
    """

    received: Received
    fields: tuple[str, ...]
    erased_at: str
    last_day: date
    provider: Mapping[str, str]

    @property
    def party(self) -> PartyId:
        return self.received.source

    def as_json(self) -> dict[str, Any]:
        one = self.received
        return {
            "provision": one.number,
            "day": one.day.isoformat(),
            "made": one.made.isoformat(),
            "ground": one.ground,
            "country": one.country,
            "items": list(one.items),
            "needs_record": one.needs_record,
            "sha256": one.sha256 or None,
            "last_day": self.last_day.isoformat(),
            "party": one.source,
            "kept": list(self.fields),
            "erased_at": self.erased_at or None,
            **({"provider": self.provider} if self.provider else {}),
        }


def shown_received(
    reader: StoreReader, period: Period, *, names: bool = False
) -> list[ShownReceived]:
    """What was provided to us, the oldest first; ``names``: with the values about the providers."""
    return [_shown(reader, one, period, names=names) for one in _read(reader)]


def received_due(reader: StoreReader, period: Period, today: date) -> list[ShownReceived]:
    """What of it is over its period, and still has values: these may go now."""
    found = shown_received(reader, period)
    return [one for one in found if one.fields and one.last_day < today]


def _read(reader: StoreReader) -> list[Received]:
    stored = reader.rows(RowQuery(kind=Kind.PROVISION_RECEIVED))
    return list(received_of(decode(one.data) for one in stored).values())


def _shown(reader: StoreReader, one: Received, period: Period, *, names: bool) -> ShownReceived:
    kept = persons.party(reader, one.source)
    values: dict[str, str] = {}
    if names and kept is not None:
        opened = persons.openings(reader, kept)
        values = {each.field: each.value for each in opened if each.state == "opened"}
    fields = kept.fields if kept is not None else ()
    erased_at = kept.erased_at if kept is not None else ""
    return ShownReceived(one, fields, erased_at, one.last_day(period), values)
