"""The table ``[incidents]``: by whose laws a leak is reported, and for whom we handle the data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from asterisk_compliance.config.tables import ConfigTable
from asterisk_compliance.domain.deadlines import Regime


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
