"""What was handed to third parties, to whom, where, and on which ground. Pure.

What they handed to us: ``domain/third_parties/provisions_received.py``.

1. Every provision has a row, also where the law asks for no record: nothing leaves unseen.
2. Whether the law asks for one follows from the ground, and from how it may go abroad
   (APPI Article 29(1): not for the cases of Article 27(1), nor, at home, for those of 27(5)).
3. Where it does, it must say who received it: name and address, and of an organisation who
   represents it (Rules of the PPC, Article 20).
4. Abroad it needs a basis of its own (APPI Article 28), except in the cases of Article 27(1).
5. A record is kept for its period, counted from the day on which it was made (APPI Article 29(2));
   a longer period of today counts at once, a shorter one takes nothing away that was promised.

The names, addresses and references stand beside the rows, as values of a party that can be erased;
a row has codes only. ``docs/provisions.md`` says what is verified of the sources and what is not.
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
from asterisk_compliance.ids import CallId, PartyId

ROLE: Final = "recipient"
"""Of the party that a recipient is in the table of persons."""


class ProvisionGround(StrEnum):
    """Why something may be handed over. Values stand in rows: never renamed, never reused."""

    CONSENT = "CONSENT"
    LAW = "LAW"
    LIFE = "LIFE"
    PUBLIC_HEALTH = "PUBLIC_HEALTH"
    PUBLIC_DUTY = "PUBLIC_DUTY"
    ACADEMIC = "ACADEMIC"
    ENTRUSTMENT = "ENTRUSTMENT"
    SUCCESSION = "SUCCESSION"
    JOINT_USE = "JOINT_USE"


SOURCES: Final[Mapping[ProvisionGround, str]] = {
    ProvisionGround.CONSENT: "APPI Art. 27(1)",
    ProvisionGround.LAW: "APPI Art. 27(1)(i)",
    ProvisionGround.LIFE: "APPI Art. 27(1)(ii)",
    ProvisionGround.PUBLIC_HEALTH: "APPI Art. 27(1)(iii)",
    ProvisionGround.PUBLIC_DUTY: "APPI Art. 27(1)(iv)",
    ProvisionGround.ACADEMIC: "APPI Art. 27(1)(v) to (vii)",
    ProvisionGround.ENTRUSTMENT: "APPI Art. 27(5)(i)",
    ProvisionGround.SUCCESSION: "APPI Art. 27(5)(ii)",
    ProvisionGround.JOINT_USE: "APPI Art. 27(5)(iii)",
}
"""Where each ground stands. The law decides whether it applies; nothing here does."""

EXEMPT: Final = frozenset(
    {
        ProvisionGround.LAW,
        ProvisionGround.LIFE,
        ProvisionGround.PUBLIC_HEALTH,
        ProvisionGround.PUBLIC_DUTY,
        ProvisionGround.ACADEMIC,
    }
)
"""The cases of Article 27(1): no consent, no record, at home and abroad."""
NO_THIRD_PARTY: Final = frozenset(
    {ProvisionGround.ENTRUSTMENT, ProvisionGround.SUCCESSION, ProvisionGround.JOINT_USE}
)
"""The cases of Article 27(5): at home, who receives it is no third party."""


class AbroadBasis(StrEnum):
    """Why it may leave the country (APPI Article 28(1)). Values stand in rows."""

    CONSENT = "CONSENT"
    """The person agreed to this country, knowing what Article 28(2) wants him to know."""
    EQUIVALENT_COUNTRY = "EQUIVALENT_COUNTRY"
    """The Commission says that the country protects as well."""
    EQUIVALENT_SYSTEM = "EQUIVALENT_SYSTEM"
    """The recipient has a system that meets the Commission's standards."""


class ProvidedItem(StrEnum):
    """What was handed over. Values stand in rows: never renamed, never reused."""

    RECORDING = "RECORDING"
    CALL_DATA = "CALL_DATA"
    NUMBER = "NUMBER"
    NAME = "NAME"
    NOTICE = "NOTICE"
    CONSENT = "CONSENT"
    TRANSCRIPT = "TRANSCRIPT"


class ProvisionProblem(StrEnum):
    """Why what was said is no record of a provision."""

    NO_NAME = "NO_NAME"
    NO_ADDRESS = "NO_ADDRESS"
    NO_REPRESENTATIVE = "NO_REPRESENTATIVE"
    NO_BASIS_ABROAD = "NO_BASIS_ABROAD"
    BASIS_AT_HOME = "BASIS_AT_HOME"
    NO_ITEMS = "NO_ITEMS"
    NO_REFERENCE = "NO_REFERENCE"
    NO_ORIGIN = "NO_ORIGIN"
    NO_WHOM = "NO_WHOM"
    DAY_TO_COME = "DAY_TO_COME"
    TOO_LONG = "TOO_LONG"


LONGEST_VALUE: Final = 1_024
"""Characters of one value about a recipient."""


@dataclass(frozen=True, slots=True)
class ProvisionRecipient:
    """Who receives it; every value identifies somebody, and stands in no row.

    Attributes:
        name: Of the person or the organisation.
        address: Where it is.
        representative: Who represents an organisation.
        reference: Where the ground can be read: a warrant, a contract, a form of consent.
        is_person: A natural person has no representative.
    """

    name: str
    reference: str
    address: str = ""
    representative: str = ""
    is_person: bool = False

    def values(self) -> dict[str, str]:
        """What is known of it, by personal field."""
        said = {
            "name": self.name,
            "address": self.address,
            "representative": self.representative,
            "reference": self.reference,
        }
        return {field: value for field, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class ProvisionTerms:
    """How it is handed over.

    Attributes:
        country: Of the recipient, ISO 3166-1 alpha-2.
        abroad: ``None`` at home, and in the cases of Article 27(1).
        day: On which it was handed over, or will be: today at the latest, where the site is.
    """

    ground: ProvisionGround
    country: str
    items: frozenset[ProvidedItem]
    day: date
    abroad: AbroadBasis | None = None

    @property
    def needs_record(self) -> bool:
        """Whether APPI Article 29(1) asks for a record.

        Whoever is abroad and protected as well counts as at home (Article 28(1)).
        """
        if self.ground in EXEMPT:
            return False
        return self.ground not in NO_THIRD_PARTY or self.abroad is AbroadBasis.CONSENT


def problem_of(
    terms: ProvisionTerms, recipient: ProvisionRecipient, *, home: str | None, today: date
) -> ProvisionProblem | None:
    """What is wrong with a provision; ``None``: it can be recorded.

    Args:
        terms: How it is handed over.
        recipient: Who receives it.
        home: The site's country; ``None``: not known, so every country is abroad.
        today: Where the site is.
    """
    wrong = [
        (not recipient.name, ProvisionProblem.NO_NAME),
        (not recipient.reference, ProvisionProblem.NO_REFERENCE),
        (not terms.items, ProvisionProblem.NO_ITEMS),
        (terms.day > today, ProvisionProblem.DAY_TO_COME),
        (_is_too_long(recipient), ProvisionProblem.TOO_LONG),
        (_lacks_basis(terms, home), ProvisionProblem.NO_BASIS_ABROAD),
        (terms.abroad is not None and terms.country == home, ProvisionProblem.BASIS_AT_HOME),
        (terms.needs_record and not recipient.address, ProvisionProblem.NO_ADDRESS),
        (_lacks_representative(terms, recipient), ProvisionProblem.NO_REPRESENTATIVE),
    ]
    return next((problem for is_wrong, problem in wrong if is_wrong), None)


def _is_too_long(recipient: ProvisionRecipient) -> bool:
    return any(len(value) > LONGEST_VALUE for value in recipient.values().values())


def _lacks_basis(terms: ProvisionTerms, home: str | None) -> bool:
    return terms.country != home and terms.abroad is None and terms.ground not in EXEMPT


def _lacks_representative(terms: ProvisionTerms, recipient: ProvisionRecipient) -> bool:
    return terms.needs_record and not recipient.is_person and not recipient.representative


@dataclass(frozen=True, slots=True)
class Provision:
    """A provision as the log has it; one for each call.

    Attributes:
        number: That of its row.
        recipient: The party that has the values.
        day: On which it was handed over.
        made: On which the record was made, where the site is.
        keep_until: The last day of its period, as it was then.
    """

    number: int
    call: CallId
    recipient: PartyId
    country: str
    ground: str
    abroad: str
    items: tuple[str, ...]
    day: date
    made: date
    keep_until: date
    needs_record: bool

    @property
    def has_audio(self) -> bool:
        """Whether the recording itself was handed over, or may be."""
        return ProvidedItem.RECORDING in self.items

    def last_day(self, period: Period) -> date:
        """The last day on which its values must be there, with the period of today."""
        return max(self.keep_until, period.last_day(self.made))


def provision_of(row: Row) -> Provision:
    """Read a row ``provision_recorded``."""
    detail = row.detail
    items = detail["items"]
    assert isinstance(items, tuple)
    assert row.call is not None
    return Provision(
        number=row.seq,
        call=row.call,
        recipient=PartyId(str(detail["recipient"])),
        country=str(detail["country"]),
        ground=str(detail["ground"]),
        abroad=str(detail["abroad"]),
        items=items,
        day=date.fromisoformat(str(detail["day"])),
        made=date.fromisoformat(str(detail["made"])),
        keep_until=date.fromisoformat(str(detail["keep_until"])),
        needs_record=detail["needs_record"] is True,
    )


def provisions_of(rows: Iterable[Row]) -> dict[int, Provision]:
    """Every provision that rows tell of, by its number; other kinds are passed over."""
    return {row.seq: provision_of(row) for row in rows if row.kind == Kind.PROVISION_RECORDED}


def due(
    provisions: Iterable[Provision], period: Period, today: date
) -> list[tuple[Provision, date]]:
    """The provisions whose period is over, each with its last day; the oldest first."""
    over = [(one, last) for one in provisions if (last := one.last_day(period)) < today]
    return sorted(over, key=lambda each: (each[1], each[0].number))
