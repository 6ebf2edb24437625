"""The table ``[provisions]``: records of what was handed to third parties (docs/provisions.md)."""

from __future__ import annotations

from asterisk_compliance.config.tables import ConfigTable, PeriodText
from asterisk_compliance.domain.periods import Period, Unit


class ProvisionSettings(ConfigTable):
    """``keep``: how long a record is kept, from the day on which it was made."""

    keep: PeriodText = Period(3, Unit.YEAR)
