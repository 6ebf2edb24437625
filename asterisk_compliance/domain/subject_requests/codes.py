"""The closed lists of requests: what is asked for, how it is decided, on which ground. Pure.

Values stand in rows: never renamed, never reused. ``docs/audit-kinds.md`` explains each.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from asterisk_compliance.domain.deadlines import Regime


class Right(StrEnum):
    """What a person can ask for."""

    HEAR = "HEAR"
    """To hear it (the industry's code; APPI Article 33 where the person chooses this way)."""
    COPY = "COPY"
    """APPI Article 33; GDPR Article 15."""
    CORRECT = "CORRECT"
    """APPI Article 34; GDPR Article 16. A recording is never changed: a note is put beside it."""
    STOP_USE = "STOP_USE"
    """APPI Article 35; GDPR Articles 18 and 21."""
    ERASE = "ERASE"
    """APPI Article 35; GDPR Article 17."""
    PROVISIONS = "PROVISIONS"
    """To whom it was handed over: APPI Article 33(5); GDPR Article 15(1)(c)."""


class Requester(StrEnum):
    """Who asks."""

    PERSON = "PERSON"
    AGENT = "AGENT"


class SearchBasis(StrEnum):
    """How the calls of a request were found."""

    NUMBER = "NUMBER"
    ID = "ID"


class How(StrEnum):
    """How somebody showed that he is the person. No more is asked than the data are worth."""

    CALLED_BACK = "CALLED_BACK"
    """We called the number of the call, and he answered."""
    CALLED_FROM_NUMBER = "CALLED_FROM_NUMBER"
    """He called from it. A number can be forged: where little is at stake."""
    ACCOUNT = "ACCOUNT"
    """He is logged in as our customer."""
    QUESTIONS = "QUESTIONS"
    """He answered what nobody else knows."""
    DOCUMENT_SEEN = "DOCUMENT_SEEN"
    """He showed a document; no copy of it, and no number on it, was kept."""
    LETTER = "LETTER"
    """He answered a letter to the address that we have."""
    KNOWN = "KNOWN"
    """Our staff know him."""
    RECEIPT = "RECEIPT"
    """He showed the id of an earlier request of his."""


class Authority(StrEnum):
    """How an agent showed that he may ask."""

    LAW = "LAW"
    """A parent or guardian (APPI Article 37(3))."""
    MANDATE = "MANDATE"
    """The person wrote that he may."""
    LAWYER = "LAWYER"


class RequestVerdict(StrEnum):
    GRANTED = "GRANTED"
    IN_PART = "IN_PART"
    REFUSED = "REFUSED"


class RequestReason(StrEnum):
    """Why it was decided so."""

    LAW = "LAW"
    """The law gives the right; or it lets us refuse, on a :class:`RequestRefusal`."""
    CODE = "CODE"
    """No law gives it; the industry's code, or our own published rule, does, or does not."""
    GOODWILL = "GOODWILL"
    NOT_IDENTIFIED = "NOT_IDENTIFIED"
    """Nobody showed that he is the person."""
    NOT_AUTHORISED = "NOT_AUTHORISED"
    """The agent showed no authority."""
    NOT_KEPT = "NOT_KEPT"
    """Nothing is kept that it could be about."""
    ON_HOLD = "ON_HOLD"
    """A legal hold stands in the way; the row names its matters."""


GRANTING: Final = frozenset({RequestReason.LAW, RequestReason.CODE, RequestReason.GOODWILL})
"""The reasons for which something is granted as a whole."""
REFUSING: Final = frozenset(RequestReason) - {RequestReason.GOODWILL}
"""The reasons for which something, or a part of it, is refused; CODE only where no law speaks."""


class RequestRefusal(StrEnum):
    """On which ground the law lets us refuse. Whether it applies, a person decides."""

    JP_RIGHTS_OF_OTHERS = "JP_RIGHTS_OF_OTHERS"
    JP_BUSINESS_IMPEDED = "JP_BUSINESS_IMPEDED"
    JP_OTHER_LAW = "JP_OTHER_LAW"
    JP_NOT_WRONG = "JP_NOT_WRONG"
    JP_NO_CAUSE = "JP_NO_CAUSE"
    JP_OTHER_MEASURES = "JP_OTHER_MEASURES"
    GDPR_RIGHTS_OF_OTHERS = "GDPR_RIGHTS_OF_OTHERS"
    GDPR_EXCESSIVE = "GDPR_EXCESSIVE"
    GDPR_NOT_WRONG = "GDPR_NOT_WRONG"
    GDPR_NO_CAUSE = "GDPR_NO_CAUSE"
    GDPR_LEGAL_OBLIGATION = "GDPR_LEGAL_OBLIGATION"
    GDPR_CLAIMS = "GDPR_CLAIMS"

    @property
    def regime(self) -> Regime:
        return Regime.JP if self.startswith("JP_") else Regime.EU


SOURCES: Final[Mapping[RequestRefusal, str]] = {
    RequestRefusal.JP_RIGHTS_OF_OTHERS: "APPI Art. 33(2)(i)",
    RequestRefusal.JP_BUSINESS_IMPEDED: "APPI Art. 33(2)(ii)",
    RequestRefusal.JP_OTHER_LAW: "APPI Art. 33(2)(iii)",
    RequestRefusal.JP_NOT_WRONG: "APPI Art. 34",
    RequestRefusal.JP_NO_CAUSE: "APPI Art. 35",
    RequestRefusal.JP_OTHER_MEASURES: "APPI Art. 35, provisos",
    RequestRefusal.GDPR_RIGHTS_OF_OTHERS: "GDPR Art. 15(4)",
    RequestRefusal.GDPR_EXCESSIVE: "GDPR Art. 12(5)(b)",
    RequestRefusal.GDPR_NOT_WRONG: "GDPR Art. 16",
    RequestRefusal.GDPR_NO_CAUSE: "GDPR Art. 17(1), 18(1), 21(1)",
    RequestRefusal.GDPR_LEGAL_OBLIGATION: "GDPR Art. 17(3)(b)",
    RequestRefusal.GDPR_CLAIMS: "GDPR Art. 17(3)(e)",
}


class Longer(StrEnum):
    """Why the law's time is not enough (GDPR Article 12(3))."""

    COMPLEX = "COMPLEX"
    NUMBER = "NUMBER"
    """Of requests."""


class Means(StrEnum):
    """How the answer reached the person."""

    POST = "POST"
    MAIL = "MAIL"
    TELEPHONE = "TELEPHONE"
    IN_PERSON = "IN_PERSON"
    PORTAL = "PORTAL"


class AnswerGiven(StrEnum):
    """What the answer was."""

    PACKAGE = "PACKAGE"
    """The recording and what belongs to it, as a file."""
    HEARING = "HEARING"
    """He heard it, or was lent it."""
    RECEIPT = "RECEIPT"
    """What was decided and done, and for which calls."""
    LETTER = "LETTER"
    """Words of our own."""


class Back(StrEnum):
    """Why a request was withdrawn."""

    BY_PERSON = "BY_PERSON"
    OPENED_IN_ERROR = "OPENED_IN_ERROR"
