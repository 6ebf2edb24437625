"""Who is responsible for the recordings, and what that party publishes, records and reports.

These are the tables ``[controller]``, ``[publication]``, ``[provisions]`` and ``[incidents]``.
``docs/configuration.md`` explains every setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import Field

from asterisk_compliance.config.values import Code, ConfigTable, Country, LanguageCode, PeriodText
from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.disclosure.publication import LegalBasis
from asterisk_compliance.domain.periods import Period, Unit

Text = Annotated[str, Field(min_length=1, max_length=4_000)]


class ControllerSettings(ConfigTable):
    """Who is responsible for the recordings (APPI Article 32, GDPR Article 13)."""

    name: Annotated[str, Field(min_length=1)]
    contact: Annotated[str, Field(min_length=1)]
    page: str = ""
    published: date | None = None
    fingerprint: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


class RecipientSettings(ConfigTable):
    """A third party that is given recordings (APPI Articles 27 and 28, GDPR Article 13(1)(e))."""

    name: Annotated[Mapping[LanguageCode, Text], Field(min_length=1)]
    country: Country
    items: Annotated[Mapping[LanguageCode, Text], Field(min_length=1)]
    why: Annotated[Mapping[LanguageCode, Text], Field(min_length=1)]


class PublicationSettings(ConfigTable):
    """What people must be able to read (APPI Article 32, GDPR Articles 13 and 14).

    What the page says of purposes, notices, periods and keys stands elsewhere in the file.
    ``named``: phrases by which a notice names the page.
    """

    name: Mapping[LanguageCode, Text] = {}
    address: Mapping[LanguageCode, Text] = {}
    representative: Mapping[LanguageCode, Text] = {}
    procedure: Mapping[LanguageCode, Text] = {}
    hearing_number: Annotated[str, Field(pattern=r"^[0-9+*#() -]{0,40}$")] = ""
    complaints: Mapping[LanguageCode, Text] = {}
    authority: Mapping[LanguageCode, Text] = {}
    security: Mapping[LanguageCode, tuple[Text, ...]] = {}
    basis: Mapping[Code, LegalBasis] = {}
    interests: Mapping[LanguageCode, Text] = {}
    named: Mapping[LanguageCode, tuple[Text, ...]] = {}
    recipient: tuple[RecipientSettings, ...] = ()


class ProvisionSettings(ConfigTable):
    """``keep``: how long a record is kept, from the day on which it was made."""

    keep: PeriodText = Period(3, Unit.YEAR)


class IncidentSettings(ConfigTable):
    """Leaks (APPI Article 26, GDPR Articles 33 and 34).

    Attributes:
        regimes: Whose laws apply, unless an incident says others.
        contractor: The data are handled for a client, who is told of a leak.
        client: The client's name, for the notice to him.
        remind_hours: So many hours before it is late, a duty is due soon.
    """

    regimes: Annotated[tuple[Regime, ...], Field(min_length=1)] = (Regime.JP,)
    contractor: bool = False
    client: Annotated[str, Field(max_length=200)] = ""
    remind_hours: Annotated[int, Field(ge=0, le=1_000)] = 24
