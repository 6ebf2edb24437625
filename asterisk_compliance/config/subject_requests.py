"""The tables ``[requests]``, ``[answers]`` and ``[hearing]``: how people get an answer.

``docs/configuration.md`` explains every setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from asterisk_compliance.config.values import (
    AbsolutePath,
    AsteriskPath,
    ConfigTable,
    Count,
    LanguageCode,
    PeriodText,
    PromptName,
    Seconds,
)
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


class Directions(StrEnum):
    """Whose voice a person gets who asked."""

    OWN = "own"
    """The told party's alone: the left channel."""
    BOTH = "both"
    """Also everybody else's (APPI Article 33(2), GDPR Article 15(4): see docs/hearing.md)."""


class AnswerSettings(ConfigTable):
    """What a person gets who asked for a recording: by telephone, and in the package."""

    directions: Directions = Directions.OWN


class HearingPromptSettings(ConfigTable):
    """What is said to somebody who hears by telephone."""

    code: PromptName = "hearing-code"
    wrong: PromptName = "hearing-wrong"
    begins: PromptName = "hearing-begins"
    ends: PromptName = "hearing-ends"


class HearingSettings(ConfigTable):
    """Hearing by telephone; without this table there is none.

    ``directory`` as *Asterisk* sees it, ``directory_here`` as this service does, if that differs.
    """

    directory: AsteriskPath = Path("/dev/shm/asterisk-compliance")  # noqa: S108 - ours, and checked
    directory_here: AbsolutePath | None = None
    languages: Annotated[tuple[LanguageCode, ...], Field(min_length=1)] = ("ja", "en")
    prompts: HearingPromptSettings = HearingPromptSettings()
    code_digits: Annotated[int, Field(ge=8, le=20)] = 10
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    wrong_max: Count = 20
    lockout_min: Annotated[float, Field(gt=0, le=10_080)] = 60.0
    expires_h: Annotated[float, Field(gt=0, le=720)] = 72.0
    begins_max: Annotated[int, Field(ge=1, le=20)] = 2
    calls_max: Annotated[int, Field(ge=1, le=100)] = 5
    wait_s: Seconds = 15.0
    call_s: Annotated[float, Field(gt=0, le=86_400)] = 7_200.0

    @property
    def directory_path(self) -> Path:
        return self.directory_here or self.directory

    @model_validator(mode="after")
    def _languages_differ(self) -> Self:
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("languages: one is there twice")
        return self


def hearing_disagreements(tables: Mapping[str, Any]) -> Iterator[str]:
    """Who hears waits in a Stasis application."""
    without = all(asterisk.ari is None for asterisk in tables.get("asterisk", {}).values())
    if "hearing" in tables and without:
        yield "hearing: needs [asterisk.ari]"
