"""The tables of a configuration, each held to its form by itself.

``docs/configuration.md`` explains every setting.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    model_validator,
)

from asterisk_compliance.age import check_recipient
from asterisk_compliance.config.observe import ObserveSettings
from asterisk_compliance.domain.periods import Period, read_period
from asterisk_compliance.domain.phone_numbers import COUNTRIES
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
from asterisk_compliance.shipped.presets import shipped_presets

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,31}$")]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
PromptName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,15}$")]
DialKey = Annotated[str, Field(pattern=r"^[0-9*#]?$")]
EndpointPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+/\S{1,120}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _plain(path: Path) -> Path:
    """Asterisk splits application arguments at commas and brackets, and substitutes ``$``."""
    if set(str(path)) & set(",()[]{}$\"'\\;|&\r\n "):
        raise ValueError("must not contain spaces, quotes or characters of dialplan syntax")
    return _absolute(path)


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("is no ISO 3166-1 country code")
    return code


def _preset(name: str) -> str:
    if name not in shipped_presets():
        raise ValueError("there is no such preset")
    return name


def _destination(text: str) -> str:
    """``dir:/PATH``, ``https://…``, or ``stdout``; a URL holds no user and no fragment."""
    kind, _, rest = text.partition(":")
    directory = kind == "dir" and Path(rest).is_absolute()
    web = re.fullmatch(r"https?://[^/\s@?#]+(/[^\s@#]*)?", text)
    if not (text == "stdout" or directory or web):
        raise ValueError("must be dir:/PATH, https://HOST/PATH or stdout")
    return text


PeriodText = Annotated[Period, BeforeValidator(lambda text: read_period(str(text)))]
Country = Annotated[str, AfterValidator(_country)]
DestinationUrl = Annotated[str, AfterValidator(_destination)]
PresetName = Annotated[str, AfterValidator(_preset)]
SealingRecipient = Annotated[str, AfterValidator(check_recipient)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
AsteriskPath = Annotated[Path, AfterValidator(_plain)]


class ConfigTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretSetting(ConfigTable):
    """It comes from a file or the environment, never from here."""

    secret_file: AbsolutePath | None = None
    secret_env: str | None = None

    def secret(self) -> SecretStr:
        """Read the secret.

        Raises:
            ValueError: neither or both sources are given, or the source is empty. The message
                names the source and never repeats what it holds.
        """
        if (self.secret_file is None) == (self.secret_env is None):
            raise ValueError("give either secret_file or secret_env")
        if self.secret_env is not None:
            secret, source = os.environ.get(self.secret_env, ""), f"${self.secret_env}"
        else:
            assert self.secret_file is not None
            source = str(self.secret_file)
            try:
                secret = self.secret_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ValueError(f"{source}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ValueError(f"{source}: is not UTF-8 text") from None
        if not secret:
            raise ValueError(f"{source} is empty")
        return SecretStr(secret)


class _Login(SecretSetting):
    """A user of Asterisk."""

    user: Annotated[str, Field(min_length=1)]


class AriSettings(_Login):
    url: Annotated[str, Field(pattern=r"^https?://[^/\s@]+(/[^\s?#]*)?/ari$")] = (
        "http://127.0.0.1:8088/ari"
    )
    application: Name = "compliance"
    tell: tuple[Name, ...] = ()
    reply_s: Seconds = 5.0
    reconnect_max_s: Seconds = 30.0


class AmiSettings(_Login):
    host: str = "127.0.0.1"
    port: Port = 5038
    reply_s: Seconds = 5.0
    reconnect_max_s: Seconds = 30.0


class AgiSettings(ConfigTable):
    host: str = "127.0.0.1"
    port: Port = 4573
    permit: tuple[IPvAnyNetwork, ...] = (IPv4Network("127.0.0.1/32"), IPv6Network("::1/128"))
    header_s: Seconds = 5.0
    connections_max: Annotated[int, Field(ge=1)] = 1_000


class AsteriskSettings(ConfigTable):
    """One Asterisk.

    ``spool`` and ``sounds`` are paths as *Asterisk* sees them; ``…_here`` are the same
    directories as this service sees them, where that differs. ``staff`` and ``consenting`` are
    patterns of endpoints, such as ``PJSIP/agent-*``; ``segments`` says that ``features.conf`` is
    wired (docs/wiring.md). ``dialplan`` is its extensions.conf, which ``check`` reads.
    """

    node: Name
    ari: AriSettings | None = None
    ami: AmiSettings | None = None
    agi: AgiSettings | None = None
    observe: ObserveSettings | None = None
    spool: AsteriskPath
    spool_here: AbsolutePath | None = None
    sounds: AsteriskPath
    sounds_here: AbsolutePath | None = None
    staff: tuple[EndpointPattern, ...] = ()
    consenting: tuple[EndpointPattern, ...] = ()
    dialplan: AbsolutePath | None = None
    segments: bool = True
    show_agents: bool = True
    show_in_name: bool = False

    @property
    def spool_path(self) -> Path:
        return self.spool_here or self.spool

    @property
    def sounds_path(self) -> Path:
        return self.sounds_here or self.sounds


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


class AuditSettings(ConfigTable):
    """The log, who signs its checkpoints, and where they go (docs/keys.md).

    ``site`` and the names of the nodes make the origin of a new log, with the log's own id.
    """

    store: AbsolutePath
    jsonl: AbsolutePath | None = None
    jsonl_mib: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    jsonl_files: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    site: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,128}$")] | None = None
    signing_key: AbsolutePath | None = None
    checkpoint_rows: Count = 1_000
    checkpoint_s: Seconds = 300.0
    checkpoints_to: tuple[DestinationUrl, ...] = ()

    @property
    def key_path(self) -> Path:
        return self.signing_key or self.store / "signing.key"


class VaultSettings(ConfigTable):
    """Where recordings are kept, and to whose public keys they are encrypted (docs/sealing.md).

    Nobody is guessed: without a recipient it must be said that nothing is encrypted.
    """

    recordings: AbsolutePath
    recipients: tuple[SealingRecipient, ...] = ()
    encryption: Literal["age", "off"] = "age"
    sealers: Annotated[int, Field(ge=1, le=64)] = 2
    seal_s: Seconds = 600.0

    @model_validator(mode="after")
    def _says_for_whom(self) -> Self:
        if self.encryption == "age" and not self.recipients:
            raise ValueError(
                "recipients: is missing: asterisk-compliance init makes the officer's keys;"
                ' or say encryption = "off"'
            )
        if self.encryption == "off" and self.recipients:
            raise ValueError('recipients: they stand beside encryption = "off"')
        if len({one.lower() for one in self.recipients}) < len(self.recipients):
            raise ValueError("recipients: one is there twice")
        return self


class ReconcileSettings(ConfigTable):
    """What ``reconcile`` compares the log with, where its options say nothing else."""

    contexts: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    cdr: tuple[AbsolutePath, ...] = ()
    cdr_columns: tuple[str, ...] = ()
    cel: tuple[AbsolutePath, ...] = ()
    cel_columns: tuple[str, ...] = ()


class CanarySettings(ConfigTable):
    """A synthetic call through everything, every so many minutes; 0 is never."""

    every_min: Annotated[float, Field(ge=0, le=10_080)] = 0.0
    policy: str = ""
    within_s: Seconds = 60.0


class ServiceSettings(ConfigTable):
    socket: AbsolutePath = Path("/run/asterisk-compliance/control.sock")


class HealthSettings(ConfigTable):
    """Where a monitor asks. It has no login, so it is never open to other hosts."""

    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
