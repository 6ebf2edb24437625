"""The table ``[past_calls]``: earlier calls of the number that is on the line."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from asterisk_compliance.config.tables import ConfigTable


class PastCallsSettings(ConfigTable):
    """``shown``: on the channel of each call; ``days``: how far back, here and by command."""

    shown: bool = False
    days: Annotated[int, Field(ge=1, le=3_660)] = 365
