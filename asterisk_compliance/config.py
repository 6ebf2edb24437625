"""Settings: one TOML file, read once, checked completely, then frozen.

Every problem is reported at once, with its address in the file. So each table is checked by
itself: a mistake in one notice does not hide a mistake in a policy. What must agree across
tables (a policy names a notice, a notice its purposes) is checked here too; what needs the
prompt files is checked where they are read (``app/prompts.py``).

``docs/configuration.md`` explains every setting.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from asterisk_compliance.config_checks import disagreements, unreadable_secrets
from asterisk_compliance.domain.notice import CaptureFrom, Consent, OnProblem
from asterisk_compliance.errors import ConfigError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,31}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
PromptName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,15}$")]
Key = Annotated[str, Field(pattern=r"^[0-9*#]?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _plain(path: Path) -> Path:
    """Asterisk splits application arguments at commas and brackets, and substitutes ``$``."""
    if set(str(path)) & set(",()[]{}$\"'\\;|&\r\n "):
        raise ValueError("must not contain spaces, quotes or characters of dialplan syntax")
    return _absolute(path)


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
AsteriskPath = Annotated[Path, AfterValidator(_plain)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ControllerSettings(_Table):
    """Who is responsible for the recordings (APPI Article 32, GDPR Article 13)."""

    name: Annotated[str, Field(min_length=1)]
    contact: Annotated[str, Field(min_length=1)]
    page: str = ""
    published: date | None = None


class _Login(_Table):
    """A user of Asterisk. The secret comes from a file or the environment, never from here."""

    user: Annotated[str, Field(min_length=1)]
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


class AriSettings(_Login):
    url: Annotated[str, Field(pattern=r"^https?://[^/\s@]+(/[^\s?#]*)?/ari$")] = (
        "http://127.0.0.1:8088/ari"
    )
    application: Name = "compliance"
    reply_s: Seconds = 5.0
    reconnect_max_s: Seconds = 30.0


class AmiSettings(_Login):
    host: str = "127.0.0.1"
    port: Port = 5038
    reply_s: Seconds = 5.0
    reconnect_max_s: Seconds = 30.0


class AgiSettings(_Table):
    host: str = "127.0.0.1"
    port: Port = 4573
    header_s: Seconds = 5.0
    connections_max: Annotated[int, Field(ge=1)] = 1_000


class AsteriskSettings(_Table):
    """One Asterisk.

    ``spool`` and ``sounds`` are paths as *Asterisk* sees them; ``…_here`` are the same
    directories as this service sees them, where that differs.
    """

    node: Name
    ari: AriSettings | None = None
    ami: AmiSettings | None = None
    agi: AgiSettings | None = None
    spool: AsteriskPath
    spool_here: AbsolutePath | None = None
    sounds: AsteriskPath
    sounds_here: AbsolutePath | None = None

    @property
    def spool_path(self) -> Path:
        return self.spool_here or self.spool

    @property
    def sounds_path(self) -> Path:
        return self.sounds_here or self.sounds


class PurposeSettings(_Table):
    """A purpose of the site's own, or more phrases for a shipped one."""

    code: Code
    label: Mapping[Language, str] = {}
    phrases: Mapping[Language, tuple[str, ...]] = {}
    dpv: tuple[Annotated[str, Field(pattern=r"^https://w3id\.org/dpv")], ...] = ()


class WordingSettings(_Table):
    """``text`` may be left out for a shipped prompt: its words are in the manifest."""

    prompt: PromptName
    text: str = ""


class NoticeSettings(_Table):
    id: Name
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    purposes: Annotated[tuple[Code, ...], Field(min_length=1)]
    wording: Annotated[Mapping[Language, WordingSettings], Field(min_length=1)]


class KeySettings(_Table):
    """Which key means what while we ask; an empty one means nothing."""

    accept: Key = ""
    refuse: Key = ""
    repeat: Key = ""
    language: Key = ""


class AnnouncementSettings(_Table):
    """Prompts for callers who are not recorded; needed where a policy says something."""

    refused: PromptName = "refused"
    not_recorded: PromptName = "not-recorded"
    required: PromptName = "required-here"


class PolicySettings(_Table):
    name: Name
    notice: Name
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    capture: CaptureFrom = CaptureFrom.BRIDGED
    consent: Consent = Consent.NOTICE
    keys: KeySettings = KeySettings()
    grace_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    repeats_max: Annotated[int, Field(ge=0, le=5)] = 1
    on_refusal: OnProblem = OnProblem.CONTINUE
    on_notice_failure: OnProblem = OnProblem.CONTINUE
    announcements: AnnouncementSettings = AnnouncementSettings()

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        keys = [key for key in self.keys.model_dump().values() if key]
        if len(set(keys)) < len(keys):
            raise ValueError("keys: one key has two meanings")
        if self.consent is not Consent.NOTICE and not self.keys.refuse:
            raise ValueError(f"keys.refuse: consent = {self.consent} needs a key to refuse")
        if self.consent is Consent.OPT_IN and not self.keys.accept:
            raise ValueError("keys.accept: consent = opt-in needs a key to accept")
        return self


class LimitSettings(_Table):
    """Every wait has a name and a length, in seconds."""

    notice_margin_s: Seconds = 3.0
    dialplan_s: Seconds = 20.0
    growth_s: Seconds = 3.0
    close_s: Seconds = 5.0
    stop_s: Seconds = 5.0
    events_per_call: Annotated[int, Field(ge=16, le=10_000)] = 256


class EmergencySettings(_Table):
    """Calls to these numbers get no notice and no recording, even when the service is down.

    They are in the rendered dialplan: render it again after a change.
    """

    numbers: tuple[Digits, ...] | None = None
    outside_prefixes: tuple[Digits, ...] = ()


class AuditSettings(_Table):
    store: AbsolutePath
    jsonl: AbsolutePath | None = None


class VaultSettings(_Table):
    recordings: AbsolutePath


class ServiceSettings(_Table):
    socket: AbsolutePath = Path("/run/asterisk-compliance/control.sock")


class Settings(_Table):
    """There is no default for a secret, a notice or a purpose: silence is not a policy."""

    controller: ControllerSettings
    asterisk: tuple[AsteriskSettings, ...]
    purpose: tuple[PurposeSettings, ...] = ()
    notice: tuple[NoticeSettings, ...]
    policy: tuple[PolicySettings, ...]
    limits: LimitSettings = LimitSettings()
    emergency: EmergencySettings = EmergencySettings()
    audit: AuditSettings
    vault: VaultSettings
    service: ServiceSettings = ServiceSettings()


@dataclass(frozen=True, slots=True)
class _Shape:
    """What may stand at the top of the file."""

    table: type[_Table]
    many: bool = False
    required: bool = True


_SHAPES: Mapping[str, _Shape] = {
    "controller": _Shape(ControllerSettings),
    "asterisk": _Shape(AsteriskSettings, many=True),
    "purpose": _Shape(PurposeSettings, many=True, required=False),
    "notice": _Shape(NoticeSettings, many=True),
    "policy": _Shape(PolicySettings, many=True),
    "limits": _Shape(LimitSettings, required=False),
    "emergency": _Shape(EmergencySettings, required=False),
    "audit": _Shape(AuditSettings),
    "vault": _Shape(VaultSettings),
    "service": _Shape(ServiceSettings, required=False),
}

_T = TypeVar("_T", bound=_Table)


def load(path: Path, *, secrets: bool = True) -> Settings:
    """Read and check the file at ``path``.

    ``secrets``: also that each secret can be read; a command that only reads needs none.

    Raises:
        ConfigError: with every problem, each as ``table[number].key: what is wrong``. A problem
            names keys and never repeats a value, because a value can be a secret.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "name the file with --config, or write one: docs/configuration.md"
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"], hint=hint) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"is not TOML: {error}"]) from error
    return parse(raw, source=str(path), secrets=secrets)


def parse(
    raw: Mapping[str, Any], *, source: str = "configuration", secrets: bool = True
) -> Settings:
    """Check what a TOML file says; see :func:`load`."""
    problems: list[str] = [f"{key}: is not a setting" for key in raw if key not in _SHAPES]
    tables: dict[str, Any] = {}
    for key, shape in _SHAPES.items():
        if key not in raw:
            if shape.required:
                problems.append(f"{key}: is missing")
        elif shape.many:
            tables[key] = dict(_tables(shape.table, key, raw[key], problems))
        else:
            table = _table(shape.table, key, raw[key], problems)
            if table is not None:
                tables[key] = table
    problems += disagreements(raw, tables)
    if secrets:
        problems += unreadable_secrets(tables)
    if problems:
        raise ConfigError(source, problems)
    lists = {key: tuple(tables[key].values()) for key in tables if _SHAPES[key].many}
    return Settings(**{**tables, **lists})


def _tables(shape: type[_T], key: str, raw: Any, problems: list[str]) -> Iterator[tuple[int, _T]]:
    """What is right in a list of tables, each with its number: addresses count every table."""
    if not isinstance(raw, list):
        problems.append(f"{key}: must be a list of tables: write [[{key}]]")
        return
    for number, item in enumerate(raw, 1):
        table = _table(shape, f"{key}[{number}]", item, problems)
        if table is not None:
            yield number, table


def _table(shape: type[_T], address: str, raw: Any, problems: list[str]) -> _T | None:
    try:
        return shape.model_validate(raw)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False, include_context=False):
            where = ".".join([address, *map(str, problem["loc"])])
            problems.append(f"{where}: {_in_words(problem['type'], problem['msg'])}")
        return None


def _in_words(kind: str, message: str) -> str:
    match kind:
        case "extra_forbidden":
            return "is not a setting"
        case "missing":
            return "is missing"
        case _:
            return message.removeprefix("Value error, ")
