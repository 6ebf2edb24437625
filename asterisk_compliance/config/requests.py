"""The table ``[requests]``: by whose rules people are answered, and what we promise beyond them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from asterisk_compliance.config.tables import ConfigTable, PeriodText
from asterisk_compliance.domain.deadlines import Regime


class RequestSettings(ConfigTable):
    """Requests of people (APPI Articles 33 to 39, GDPR Articles 12 to 22).

    Attributes:
        regime: Whose rules, unless a request says another.
        promise: Our own time for an answer; without it the law's, or two weeks where it has none.
        remind_days: So many days before it is late, a request is due soon.
        fee: What a copy or a hearing costs, such as ``JPY 500``; empty: nothing.
        keep_requesters: What identifies who asked is erased so long after the answer; without it
            only on a wish.
    """

    regime: Regime = Regime.JP
    promise: PeriodText | None = None
    remind_days: Annotated[int, Field(ge=0, le=365)] = 3
    fee: Annotated[str, Field(pattern=r"^([A-Z]{3} [1-9][0-9]{0,8})?$")] = ""
    keep_requesters: PeriodText | None = None

    @model_validator(mode="after")
    def _free_by_law(self) -> Self:
        if self.fee and self.regime is Regime.EU:
            raise ValueError("fee: an answer is free of charge by GDPR Article 12(5)")
        return self
