"""The table ``[retention]``. Periods stand with the purposes, the policies and the notices."""

from __future__ import annotations

from asterisk_compliance.config.tables import ConfigTable, PeriodText


class RetentionSettings(ConfigTable):
    """What ends, and who ends it.

    Attributes:
        release_by_second: Who placed a legal hold does not release it.
        erase_persons: What identifies the person in a call is erased so long after nothing of the
            call is kept any more; without it only on a wish.
    """

    release_by_second: bool = False
    erase_persons: PeriodText | None = None
