"""The table ``[retention]``. Periods stand with the purposes, the policies and the notices."""

from __future__ import annotations

from asterisk_compliance.config_tables import Table


class RetentionSettings(Table):
    """``release_by_second``: who placed a legal hold does not release it."""

    release_by_second: bool = False
