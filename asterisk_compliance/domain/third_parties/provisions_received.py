"""What third parties provided to us, and how they had got it (APPI Article 30). Pure.

1. Every one has a row, also where the law asks for no record.
2. The law asks for one but in the cases of Article 27(1) and 27(5) (Article 30(1)).
3. Where it does, the provider is confirmed: name and address, of an organisation who represents it,
   and how he had got the data. Whom they are about must be said in any case.
4. A record is kept as one of what we provide (Article 30(4);
   ``domain/third_parties/provisions.py``, rule 5).

What identifies the provider, or whom it is about, stands beside the rows; a row has codes only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.periods import Period
from asterisk_compliance.domain.third_parties.provisions import (
    EXEMPT,
    LONGEST_VALUE,
    NO_THIRD_PARTY,
    ProvidedItem,
    ProvisionProblem,
)
from asterisk_compliance.ids import PartyId

SOURCE_ROLE: Final = "source"
"""Of the party that a provider is in the table of persons."""


class ReceivedGround(StrEnum):
    """Why the provider may provide it. Values stand in rows: never renamed, never reused."""

    CONSENT = "CONSENT"
    OPT_OUT = "OPT_OUT"
    """He notified the Commission, which published it; nobody objected (Article 27(2))."""
    LAW = "LAW"
    LIFE = "LIFE"
    PUBLIC_HEALTH = "PUBLIC_HEALTH"
    PUBLIC_DUTY = "PUBLIC_DUTY"
    ACADEMIC = "ACADEMIC"
    ENTRUSTMENT = "ENTRUSTMENT"
    SUCCESSION = "SUCCESSION"
    JOINT_USE = "JOINT_USE"


_NO_RECORD: Final = frozenset(map(str, EXEMPT | NO_THIRD_PARTY))


@dataclass(frozen=True, slots=True)
class Provider:
    """Who provided it; every value can identify somebody, and stands in no row.

    Attributes:
        name: Of the person or the organisation.
        acquired: How he had got the data, as he showed us.
        whom: Whom they are about, so that these can be told: a list, a file, a name.
        address: Where he is.
        representative: Who represents an organisation.
        is_person: A natural person has no representative.
    """

    name: str
    acquired: str
    whom: str
    address: str = ""
    representative: str = ""
    is_person: bool = False

    def values(self) -> dict[str, str]:
        """What is known of it, by personal field."""
        said = {
            "name": self.name,
            "address": self.address,
            "representative": self.representative,
            "acquired": self.acquired,
            "whom": self.whom,
        }
        return {field: value for field, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class ReceivedTerms:
    """How it was provided.

    Attributes:
        country: Of the provider, ISO 3166-1 alpha-2.
        day: On which we got it: today at the latest, where the site is.
    """

    ground: ReceivedGround
    country: str
    items: frozenset[ProvidedItem]
    day: date

    @property
    def needs_record(self) -> bool:
        """Whether APPI Article 30(3) asks for a record."""
        return self.ground not in _NO_RECORD


def received_problem(
    terms: ReceivedTerms, provider: Provider, today: date
) -> ProvisionProblem | None:
    """What is wrong with it; ``None``: it can be recorded."""
    needs = terms.needs_record
    lacks_representative = not provider.is_person and not provider.representative
    wrong = [
        (not provider.name, ProvisionProblem.NO_NAME),
        (not provider.whom, ProvisionProblem.NO_WHOM),
        (not terms.items, ProvisionProblem.NO_ITEMS),
        (terms.day > today, ProvisionProblem.DAY_TO_COME),
        (max(map(len, provider.values().values()), default=0) > LONGEST_VALUE,
         ProvisionProblem.TOO_LONG),
        (needs and not provider.acquired, ProvisionProblem.NO_ORIGIN),
        (needs and not provider.address, ProvisionProblem.NO_ADDRESS),
        (needs and lacks_representative, ProvisionProblem.NO_REPRESENTATIVE),
    ]  # fmt: skip
    return next((problem for is_wrong, problem in wrong if is_wrong), None)


@dataclass(frozen=True, slots=True)
class Received:
    """What was provided to us, as the log has it.

    Attributes:
        number: That of its row.
        source: The party that has the values.
        day: On which we got it.
        made: On which the record was made, where the site is.
        keep_until: The last day of its period, as it was then.
        sha256: Of the file that we got, hex; empty: not said.
    """

    number: int
    source: PartyId
    country: str
    ground: str
    items: tuple[str, ...]
    day: date
    made: date
    keep_until: date
    needs_record: bool
    sha256: str

    def last_day(self, period: Period) -> date:
        """The last day on which its values must be there, with the period of today."""
        return max(self.keep_until, period.last_day(self.made))


def received_of(rows: Iterable[Row]) -> Mapping[int, Received]:
    """Everything that rows say was provided to us, by its number; other kinds are passed over."""
    return {row.seq: _read(row) for row in rows if row.kind == Kind.PROVISION_RECEIVED}


def _read(row: Row) -> Received:
    detail = row.detail
    items = detail["items"]
    assert isinstance(items, tuple)
    return Received(
        number=row.seq,
        source=PartyId(str(detail["source"])),
        country=str(detail["country"]),
        ground=str(detail["ground"]),
        items=items,
        day=date.fromisoformat(str(detail["day"])),
        made=date.fromisoformat(str(detail["made"])),
        keep_until=date.fromisoformat(str(detail["keep_until"])),
        needs_record=detail["needs_record"] is True,
        sha256=str(detail["sha256"]),
    )
