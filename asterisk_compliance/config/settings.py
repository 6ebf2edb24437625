"""Settings: one TOML file, read once, checked completely, then frozen.

Every problem is reported at once, with its address in the file. Each table is checked on its own
first, in the module of its subject, so a mistake in one notice does not hide a mistake in a
policy. What must agree across tables (a policy names a notice, a rule a policy) is checked in
``consistency.py`` and ``rules.py``. What needs the prompt files is checked where they are read
(``app/policy/prompts.py``).

``docs/configuration.md`` explains every setting.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from asterisk_compliance.config.access import (
    PastCallsSettings,
    RoleSettings,
    UseSettings,
    role_disagreements,
)
from asterisk_compliance.config.asterisk import (
    AgiSettings,
    AmiSettings,
    AriSettings,
    AsteriskSettings,
)
from asterisk_compliance.config.audit import (
    AuditSettings,
    ReconcileSettings,
    WebhookSettings,
    unusable_webhooks,
)
from asterisk_compliance.config.consistency import disagreements, unreadable_secrets
from asterisk_compliance.config.controller import (
    ControllerSettings,
    IncidentSettings,
    ProvisionSettings,
    PublicationSettings,
)
from asterisk_compliance.config.policy import (
    AnnouncementSettings,
    EmergencySettings,
    KeySettings,
    NoticeSettings,
    PolicySettings,
    PurposeSettings,
    RulesSettings,
    WordingSettings,
)
from asterisk_compliance.config.recordings import ExportSettings, RetentionSettings, VaultSettings
from asterisk_compliance.config.rules import own_rules, rule_disagreements
from asterisk_compliance.config.service import (
    CanarySettings,
    HealthSettings,
    LimitSettings,
    ServiceSettings,
)
from asterisk_compliance.config.subject_requests import (
    AnswerSettings,
    HearingSettings,
    RequestSettings,
    hearing_disagreements,
)
from asterisk_compliance.config.values import ConfigTable
from asterisk_compliance.domain.policy.rules import PolicyRule
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped.presets import chosen_rules

__all__ = [
    "AgiSettings",
    "AmiSettings",
    "AnnouncementSettings",
    "AnswerSettings",
    "AriSettings",
    "AsteriskSettings",
    "AuditSettings",
    "CanarySettings",
    "ControllerSettings",
    "EmergencySettings",
    "ExportSettings",
    "HealthSettings",
    "HearingSettings",
    "IncidentSettings",
    "KeySettings",
    "LimitSettings",
    "NoticeSettings",
    "PastCallsSettings",
    "PolicySettings",
    "ProvisionSettings",
    "PublicationSettings",
    "PurposeSettings",
    "ReconcileSettings",
    "RequestSettings",
    "RetentionSettings",
    "RoleSettings",
    "RulesSettings",
    "ServiceSettings",
    "Settings",
    "UseSettings",
    "VaultSettings",
    "WebhookSettings",
    "WordingSettings",
    "decode",
    "load",
    "parse",
    "read",
]


class Settings(ConfigTable):
    """There is no default for a secret or a purpose: silence is not a policy.

    Without a notice and a policy a site can only observe.
    """

    controller: ControllerSettings
    publication: PublicationSettings = PublicationSettings()
    asterisk: tuple[AsteriskSettings, ...]
    purpose: tuple[PurposeSettings, ...] = ()
    notice: tuple[NoticeSettings, ...] = ()
    policy: tuple[PolicySettings, ...] = ()
    rules: RulesSettings = RulesSettings()
    rule: tuple[PolicyRule, ...] = ()
    limits: LimitSettings = LimitSettings()
    emergency: EmergencySettings = EmergencySettings()
    audit: AuditSettings
    vault: VaultSettings
    service: ServiceSettings = ServiceSettings()
    retention: RetentionSettings = RetentionSettings()
    requests: RequestSettings = RequestSettings()
    role: tuple[RoleSettings, ...] = ()
    use: UseSettings = UseSettings()
    past_calls: PastCallsSettings = PastCallsSettings()
    provisions: ProvisionSettings = ProvisionSettings()
    export: ExportSettings = ExportSettings()
    answers: AnswerSettings = AnswerSettings()
    hearing: HearingSettings | None = None
    incidents: IncidentSettings = IncidentSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    health: HealthSettings = HealthSettings()
    canary: CanarySettings = CanarySettings()
    webhook: tuple[WebhookSettings, ...] = ()

    @cached_property
    def every_rule(self) -> tuple[PolicyRule, ...]:
        """The site's own, and those of the presets that it chose."""
        return (*self.rule, *chosen_rules(self.rules.presets, self.rules.presets_by_number))


@dataclass(frozen=True, slots=True)
class _Shape:
    """What may stand at the top of the file."""

    table: type[ConfigTable]
    many: bool = False
    required: bool = True


_SHAPES: Mapping[str, _Shape] = {
    "controller": _Shape(ControllerSettings),
    "publication": _Shape(PublicationSettings, required=False),
    "asterisk": _Shape(AsteriskSettings, many=True),
    "purpose": _Shape(PurposeSettings, many=True, required=False),
    "notice": _Shape(NoticeSettings, many=True, required=False),
    "policy": _Shape(PolicySettings, many=True, required=False),
    "rules": _Shape(RulesSettings, required=False),
    "limits": _Shape(LimitSettings, required=False),
    "emergency": _Shape(EmergencySettings, required=False),
    "audit": _Shape(AuditSettings),
    "vault": _Shape(VaultSettings),
    "service": _Shape(ServiceSettings, required=False),
    "retention": _Shape(RetentionSettings, required=False),
    "requests": _Shape(RequestSettings, required=False),
    "role": _Shape(RoleSettings, many=True, required=False),
    "use": _Shape(UseSettings, required=False),
    "past_calls": _Shape(PastCallsSettings, required=False),
    "provisions": _Shape(ProvisionSettings, required=False),
    "export": _Shape(ExportSettings, required=False),
    "answers": _Shape(AnswerSettings, required=False),
    "hearing": _Shape(HearingSettings, required=False),
    "incidents": _Shape(IncidentSettings, required=False),
    "reconcile": _Shape(ReconcileSettings, required=False),
    "health": _Shape(HealthSettings, required=False),
    "canary": _Shape(CanarySettings, required=False),
    "webhook": _Shape(WebhookSettings, many=True, required=False),
}

_T = TypeVar("_T", bound=ConfigTable)


def load(path: Path, *, secrets: bool = True) -> Settings:
    """Read and check the file at ``path``.

    ``secrets``: also that each secret can be read; a command that only reads needs none.

    Raises:
        ConfigError: with every problem, each as ``table[number].key: what is wrong``. A problem
            names keys and never repeats a value, because a value can be a secret.
    """
    return decode(read(path), source=str(path), secrets=secrets)


def read(path: Path) -> bytes:
    """The file as it is.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "name the file with --config, or write one: docs/configuration.md"
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"], hint=hint) from error


def decode(content: bytes, *, source: str, secrets: bool = True) -> Settings:
    """Check a file's bytes; see :func:`load`."""
    try:
        raw = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(source, [f"is not TOML: {error}"]) from error
    return parse(raw, source=source, secrets=secrets)


def parse(
    raw: Mapping[str, Any], *, source: str = "configuration", secrets: bool = True
) -> Settings:
    """Check what a TOML file says; see :func:`load`."""
    known = {*_SHAPES, "rule"}
    problems: list[str] = [f"{key}: is not a setting" for key in raw if key not in known]
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
    rules, wrong = own_rules(raw, tables)
    problems += wrong
    problems += disagreements(raw, tables)
    problems += rule_disagreements(raw, tables, rules)
    problems += role_disagreements(tables)
    problems += hearing_disagreements(tables)
    if secrets:
        problems += unreadable_secrets(tables)
        problems += unusable_webhooks(tables)
    if problems:
        raise ConfigError(source, problems)
    lists = {key: tuple(tables[key].values()) for key in tables if _SHAPES[key].many}
    return Settings(**{**tables, **lists, "rule": rules})


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
        case "zoneinfo_str":
            return "is no time zone"
        case _:
            return message.removeprefix("Value error, ")
