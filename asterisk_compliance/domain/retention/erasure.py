"""Erasing a person: on which ground, by whose authority, and what stands in the way.

The tombstone (kind ``person_erased``) stays for ever, so nothing in it may be personal: a ground
from a closed list, and an authority of a shape that has no room for a name or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.ids import CallId, NodeName, PartyId

LONGEST_CALL_MS = 24 * 60 * 60 * 1_000
"""A call without an end in the log that is older than this is over: its Asterisk is gone."""
SHARED_DIGITS = 7
"""So many digits of a number in a row are that number."""

_AUTHORITY = re.compile(r"[A-Z]{2,12}(?:[-/.][A-Z0-9]{1,16}){1,4}")
_SHORTEST_WORD = 3


class ErasureGround(StrEnum):
    """Why somebody is erased. Values go into stored rows: never renamed, never reused."""

    PURPOSE_FULFILLED = "PURPOSE_FULFILLED"
    RETENTION_ENDED = "RETENTION_ENDED"
    JP_CEASE_USE = "JP_CEASE_USE"
    GDPR_NOT_NECESSARY = "GDPR_NOT_NECESSARY"
    GDPR_CONSENT_WITHDRAWN = "GDPR_CONSENT_WITHDRAWN"
    GDPR_OBJECTION = "GDPR_OBJECTION"
    GDPR_UNLAWFUL = "GDPR_UNLAWFUL"
    GDPR_LEGAL_OBLIGATION = "GDPR_LEGAL_OBLIGATION"
    GDPR_CHILD = "GDPR_CHILD"
    ORDER = "ORDER"
    OWN_TEST = "OWN_TEST"


SOURCES: Mapping[ErasureGround, str] = {
    ErasureGround.PURPOSE_FULFILLED: "APPI Art. 22; GDPR Art. 5(1)(e)",
    ErasureGround.RETENTION_ENDED: "APPI Art. 22; GDPR Art. 5(1)(e)",
    ErasureGround.JP_CEASE_USE: "APPI Art. 35",
    ErasureGround.GDPR_NOT_NECESSARY: "GDPR Art. 17(1)(a)",
    ErasureGround.GDPR_CONSENT_WITHDRAWN: "GDPR Art. 17(1)(b)",
    ErasureGround.GDPR_OBJECTION: "GDPR Art. 17(1)(c)",
    ErasureGround.GDPR_UNLAWFUL: "GDPR Art. 17(1)(d)",
    ErasureGround.GDPR_LEGAL_OBLIGATION: "GDPR Art. 17(1)(e)",
    ErasureGround.GDPR_CHILD: "GDPR Art. 17(1)(f)",
    ErasureGround.ORDER: "an order of a court or a supervisory authority",
    ErasureGround.OWN_TEST: "a call that the site made to test itself",
}
"""The source of each ground. The law decides whether it applies; nothing here does."""


class Hindrance(StrEnum):
    """Why a party cannot be erased now."""

    LIVE_CALL = "LIVE_CALL"
    ON_HOLD = "ON_HOLD"
    PROVISION_KEPT = "PROVISION_KEPT"
    """It received something, and the record of that must be kept for longer."""


@dataclass(frozen=True, slots=True)
class KeptParty:
    """One party of one call (or of one act of the staff), as the store knows it.

    Attributes:
        role: ``caller``, ``agent`` or ``staff``.
        leg: Of its channel: ``caller`` or ``callee``; empty for staff.
        channel: Asterisk's ``uniqueid``; empty for staff.
        arrived_at, ended_at: Of its call, as in rows.
        fields: What is kept of it: names of fields, once per value.
        digests: How many keyed digests are kept of it.
        found_by: The fields that a search matched; empty where nobody searched.
    """

    party: PartyId
    node: NodeName
    role: str = ""
    call: CallId | None = None
    leg: str = ""
    channel: str = ""
    linkedid: str = ""
    arrived_at: str = ""
    ended_at: str = ""
    erased_at: str = ""
    fields: tuple[str, ...] = ()
    digests: int = 0
    found_by: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_kept(self) -> bool:
        """Whether there is anything to erase."""
        return bool(self.fields) or self.digests > 0

    @property
    def is_whom_we_sought(self) -> bool:
        """Whether the number that matched is this party's own.

        What a caller dialled is a number of the site's: everybody who dialled it is somebody else.
        What was dialled to reach a callee is the callee's.
        """
        return self.found_by != {"dialled"} or self.leg == "callee"


def hindrance(
    party: KeptParty, now_ms: int, *, held: bool, recorded: bool = False
) -> Hindrance | None:
    """What stands in the way of erasing ``party`` at ``now_ms`` (Unix milliseconds).

    Whoever wants to erase asks here; a request that is carried out has asked the same of its calls.
    ``held``: a legal hold is about its call.
    ``recorded``: the record of a provision needs its values still (APPI Article 29(2)).
    """
    if held:
        return Hindrance.ON_HOLD
    if recorded:
        return Hindrance.PROVISION_KEPT
    if party.arrived_at and not party.ended_at:
        age_ms = now_ms - milliseconds(party.arrived_at)
        return Hindrance.LIVE_CALL if age_ms < LONGEST_CALL_MS else None
    return None


def authority_problem(authority: str, values: Iterable[str] = ()) -> str:
    """What is wrong with a reference to who decided; empty if nothing is.

    Args:
        authority: Such as ``REQ-2026-0042`` or ``COURT/TOKYO/R8-123``.
        values: What is to be erased: none of it may live on in the reference.
    """
    if not _AUTHORITY.fullmatch(authority):
        return "it must be capital letters, then parts of letters and digits: REQ-2026-0042"
    if re.search(r"[0-9]{9}", authority):
        return "a reference has no nine digits in a row: a number of a telephone has"
    digits = _digits(authority)
    for value in values:
        ending = _digits(value)[-SHARED_DIGITS:]
        if len(ending) == SHARED_DIGITS and ending in digits:
            return "it holds the number that is to be erased"
        words = re.split(r"[\W\d_]+", value.upper())
        if any(word in authority for word in words if len(word) >= _SHORTEST_WORD):
            return "it holds the name that is to be erased"
    return ""


def _digits(text: str) -> str:
    return "".join(one for one in text if one in "0123456789")
