"""What a site has published about its recordings, and since when. Pure.

Rule 21: a policy that leaves its purposes to the published page records only calls of days on
         which the page was published: the day of the call is that of the site, and the day of
         publication is the first one (APPI Article 21(1): told "unless published beforehand").
Rule 22: its notice still says that the call is recorded, by whom, and where the purposes stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from asterisk_compliance.domain.disclosure.phrase_patterns import EXPRESSIONS, fold


class LegalBasis(StrEnum):
    """Why a purpose is lawful where a law asks for a ground: GDPR Article 6(1)(a) to (f)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal-obligation"
    VITAL_INTERESTS = "vital-interests"
    PUBLIC_TASK = "public-task"
    LEGITIMATE_INTERESTS = "legitimate-interests"

    @property
    def dpv(self) -> str:
        """The term of the W3C Data Privacy Vocabulary, as its list of legal bases (2.1) has it."""
        return f"https://w3id.org/dpv#{_TERMS[self]}"


_TERMS = {
    LegalBasis.CONSENT: "Consent",
    LegalBasis.CONTRACT: "Contract",
    LegalBasis.LEGAL_OBLIGATION: "LegalObligation",
    LegalBasis.VITAL_INTERESTS: "VitalInterest",
    LegalBasis.PUBLIC_TASK: "PublicInterest",
    LegalBasis.LEGITIMATE_INTERESTS: "LegitimateInterest",
}


@dataclass(frozen=True, slots=True)
class Publication:
    """The page about recording.

    Attributes:
        page: Its address; empty: there is none.
        since: The first day on which it says what it says; ``None``: it does not yet.
        zone: Of the site.
    """

    page: str = ""
    since: date | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    def holds_at(self, at: datetime) -> bool:
        """Whether a call that arrives at ``at`` finds the page published."""
        day = at.astimezone(self.zone).date()
        return bool(self.page) and self.since is not None and self.since <= day


_Page = TypeVar("_Page")


def page_published_on(pages: Sequence[tuple[date, _Page]], since: date) -> _Page:
    """Which page was put up on the day since which one is published.

    Args:
        pages: At least one, with the day on which the configuration that has it was loaded, in
            order; of configurations that say this day.
        since: That day.

    Returns:
        The last one until then; or the first one, where all of them were loaded later.
    """
    return next((page for day, page in reversed(pages) if day <= since), pages[0][1])


NOT_PUBLISHED = Publication()
"""There is no page."""


def purposes_left_out(
    wording: str, language: str, *, controllers: Iterable[str] = (), pages: Iterable[str] = ()
) -> Iterator[str]:
    """What a notice that leaves its purposes to the page does not say.

    Args:
        wording: The words as they were given to the voice.
        language: Of Japanese and English, general words for the three are known.
        controllers: Names of who is responsible; any of them says by whom.
        pages: Phrases that name the page; any of them does.
    """
    said = EXPRESSIONS.get(language)
    folded = fold(wording)
    if said and not said.recording.search(folded):
        yield "that the call is recorded"
    if not (said and said.by_us.search(folded)) and not _has_any(folded, controllers):
        yield "by whom"
    if not (said and said.page.search(folded)) and not _has_any(folded, pages):
        yield "where the purposes are published"


def _has_any(folded: str, phrases: Iterable[str]) -> bool:
    return any(fold(phrase) in folded for phrase in phrases if phrase)
