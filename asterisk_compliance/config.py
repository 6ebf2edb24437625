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
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from asterisk_compliance.domain.notice import CaptureFrom
from asterisk_compliance.errors import ConfigError

SERVICE_NODE = "service"
"""``node`` of rows that are about no single Asterisk."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,31}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
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

    prompt: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")]
    text: str = ""


class NoticeSettings(_Table):
    id: Name
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    purposes: Annotated[tuple[Code, ...], Field(min_length=1)]
    wording: Annotated[Mapping[Language, WordingSettings], Field(min_length=1)]


class PolicySettings(_Table):
    name: Name
    notice: Name
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    capture: CaptureFrom = CaptureFrom.BRIDGED


class LimitSettings(_Table):
    """Every wait has a name and a length, in seconds."""

    notice_margin_s: Seconds = 3.0
    dialplan_s: Seconds = 20.0
    growth_s: Seconds = 3.0
    close_s: Seconds = 5.0
    stop_s: Seconds = 5.0
    events_per_call: Annotated[int, Field(ge=16, le=10_000)] = 256


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
    problems += _disagreements(raw, tables)
    if secrets:
        problems += _unreadable_secrets(tables)
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


def _disagreements(raw: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[str]:
    """What each table may say alone, and all of them together may not."""
    yield from _doubles(raw)
    yield from _policy_disagreements(raw, tables)
    for number, asterisk in tables.get("asterisk", {}).items():
        if asterisk.node == SERVICE_NODE:
            yield f"asterisk[{number}].node: this name is the service's own"
        if asterisk.ari is None and asterisk.agi is None:
            yield f"asterisk[{number}]: needs [asterisk.ari], or [asterisk.agi] without ARI"
        if asterisk.ari is None and asterisk.ami is None:
            yield f"asterisk[{number}]: without ARI, calls are followed by [asterisk.ami]"
    if raw.get("asterisk") == []:
        yield "asterisk: there must be at least one"


def _doubles(raw: Mapping[str, Any]) -> Iterator[str]:
    keys = {"asterisk": "node", "purpose": "code", "notice": "id", "policy": "name"}
    for key, name in keys.items():
        yield from _repeated(key, name, raw)


def _policy_disagreements(raw: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[str]:
    notices = {notice.id: notice for notice in tables.get("notice", {}).values()}
    declared = {item.get("id") for item in _items(raw, "notice")}
    for number, policy in tables.get("policy", {}).items():
        if policy.notice not in declared:
            yield f"policy[{number}].notice: there is no such notice"
            continue
        notice = notices.get(policy.notice)
        if notice is None:
            continue  # what is wrong with the notice itself is said already
        for language in policy.languages:
            if language not in notice.wording:
                yield f"policy[{number}].languages: its notice has no wording in {language}"


def _unreadable_secrets(tables: Mapping[str, Any]) -> Iterator[str]:
    for number, asterisk in tables.get("asterisk", {}).items():
        for name in ("ari", "ami"):
            login = getattr(asterisk, name)
            try:
                if login is not None:
                    login.secret()
            except ValueError as error:
                yield f"asterisk[{number}].{name}: {error}"


def _repeated(key: str, name: str, raw: Mapping[str, Any]) -> Iterator[str]:
    seen: set[object] = set()
    for number, item in enumerate(_items(raw, key), 1):
        value = item.get(name)
        if isinstance(value, str):
            if value in seen:
                yield f"{key}[{number}].{name}: is there twice"
            seen.add(value)


def _items(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = raw.get(key, [])
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
