"""Tables that say what callers hear and what holds for them.

These are ``[[purpose]]``, ``[[notice]]``, ``[[policy]]``, ``[rules]`` and ``[emergency]``. The
site's own ``[[rule]]`` tables are in ``rules.py``. ``docs/configuration.md`` explains every
setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from asterisk_compliance.config.values import (
    Code,
    ConfigTable,
    Count,
    Country,
    DialKey,
    Digits,
    LanguageCode,
    Name,
    PeriodText,
    PresetName,
    PromptName,
)
from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Consent,
    Fallback,
    OnJoin,
    OnPauseForgotten,
    OnProblem,
    OnWithdrawal,
    RecordingDuty,
    ToldBy,
    Withdrawal,
)
from asterisk_compliance.domain.policy.terms import FIELDS, PolicyTerms


class PurposeSettings(ConfigTable):
    """A purpose of the site's own, or more phrases for a shipped one."""

    code: Code
    label: Mapping[LanguageCode, str] = {}
    phrases: Mapping[LanguageCode, tuple[str, ...]] = {}
    dpv: tuple[Annotated[str, Field(pattern=r"^https://w3id\.org/dpv")], ...] = ()
    retention: PeriodText | None = None


class WordingSettings(ConfigTable):
    """``text`` may be left out for a shipped prompt: its words are in the manifest."""

    prompt: PromptName
    text: str = ""


class NoticeSettings(ConfigTable):
    id: Name
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    purposes: Annotated[tuple[Code, ...], Field(min_length=1)]
    purposes_told_by: ToldBy = ToldBy.NOTICE
    retention: PeriodText | None = None
    wording: Annotated[Mapping[LanguageCode, WordingSettings], Field(min_length=1)]


class KeySettings(ConfigTable):
    """Which key means what while we ask; an empty one means nothing."""

    accept: DialKey = ""
    refuse: DialKey = ""
    repeat: DialKey = ""
    language: DialKey = ""


class AnnouncementSettings(ConfigTable):
    """Prompts for callers who are not recorded; needed where a policy says something."""

    refused: PromptName = "refused"
    not_recorded: PromptName = "not-recorded"
    required: PromptName = "required-here"


class SalesSettings(ConfigTable):
    """Calls that sell: who we are comes first, and who says no is not called again."""

    introduction: PromptName | None = None
    do_not_call: bool = False


class PolicySettings(ConfigTable):
    """What a policy asks of its calls; rules can make it stricter, never laxer.

    A field of :class:`PolicyTerms` that is not written says nothing: then the default holds.
    """

    name: Name
    notice: Name
    notice_opt_out: Name | None = None
    notice_opt_in: Name | None = None
    notice_joined: Name | None = None
    languages: Annotated[tuple[LanguageCode, ...], Field(min_length=1)]
    consent: Consent | None = None
    duty: RecordingDuty | None = None
    capture: CaptureFrom | None = None
    on_refusal: OnProblem | None = None
    on_notice_failure: OnProblem | None = None
    on_recording_failure: OnProblem | None = None
    agent_consent: AgentConsent | None = None
    on_join: OnJoin | None = None
    withdrawal: Withdrawal | None = None
    beep_s: Count | None = None
    retention_min_days: Count | None = None
    retention_max_days: Count | None = None
    keys: KeySettings = KeySettings()
    grace_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    repeats_max: Annotated[int, Field(ge=0, le=5)] = 1
    pause_max_s: Annotated[float, Field(ge=1, le=7200)] = 600.0
    on_pause_forgotten: OnPauseForgotten = OnPauseForgotten.RESUME
    on_withdrawal: OnWithdrawal = OnWithdrawal.KEEP
    fallback: Fallback = Fallback.UNRECORDED
    announcements: AnnouncementSettings = AnnouncementSettings()
    sales: SalesSettings = SalesSettings()

    @property
    def terms(self) -> PolicyTerms:
        return PolicyTerms(**{field: getattr(self, field) for field in FIELDS})

    def notice_for(self, consent: Consent) -> str:
        """The id of the notice that is played where ``consent`` is asked for."""
        own = {Consent.OPT_OUT: self.notice_opt_out, Consent.OPT_IN: self.notice_opt_in}
        return own.get(consent) or self.notice

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        keys = [key for key in self.keys.model_dump().values() if key]
        if len(set(keys)) < len(keys):
            raise ValueError("keys: one key has two meanings")
        return self


class RulesSettings(ConfigTable):
    """Which rules hold beside the site's own.

    ``home``: where the site is, to read numbers; without it every number is unknown, and an
    unknown party meets the rules of every country. ``time_zone``: of own rules that name none.
    """

    home: Country | None = None
    time_zone: ZoneInfo = ZoneInfo("UTC")
    presets: tuple[PresetName, ...] = ()
    presets_by_number: tuple[PresetName, ...] = ()


class EmergencySettings(ConfigTable):
    """Calls to these numbers get no notice and no recording, even when the service is down.

    They are in the rendered dialplan: render it again after a change.
    """

    numbers: tuple[Digits, ...] | None = None
    outside_prefixes: tuple[Digits, ...] = ()
