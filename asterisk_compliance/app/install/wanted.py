"""Every file and directory of an installation, rendered from its settings.

``compliance.toml`` alone decides. After a change and another installation, the dialplan, the users
of Asterisk and the systemd units match it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import jinja2

from asterisk_compliance.app.dialplan.rendering import render_for
from asterisk_compliance.app.install.asterisk import OURS, FoundAsterisk
from asterisk_compliance.app.install.manifest import RUN, STATE
from asterisk_compliance.app.install.places import InstallPaths
from asterisk_compliance.app.install.plan import Belongs, WantedFile
from asterisk_compliance.asterisk.ami.events import EVENT_NAMES
from asterisk_compliance.config.settings import AsteriskSettings, Settings
from asterisk_compliance.domain.asterisk.version import Ability, Version, can
from asterisk_compliance.shipped import catalogue

SERVICE: Final = "asterisk-compliance.service"
RETENTION_SERVICE: Final = "asterisk-compliance-retention.service"
RETENTION_TIMER: Final = "asterisk-compliance-retention.timer"

_FAMILIES: Final = "AF_UNIX AF_INET AF_INET6"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """The secret of a user of Asterisk.

    Attributes:
        file: Of ours; ``None`` where the configuration takes it from elsewhere.
    """

    value: str = field(repr=False)
    file: Path | None


@dataclass(frozen=True, slots=True)
class Seeds:
    """What is written once, and read from then on.

    Attributes:
        configuration: The bytes of ``compliance.toml``.
        ari, ami: Of the users that it names.
        identity: A new file and the officer's private key in it, if one is to be made.
    """

    configuration: bytes
    ari: SecretFile | None
    ami: SecretFile | None
    identity: tuple[Path, str] | None = field(default=None, repr=False)


def wanted_paths(
    settings: Settings,
    asterisk: AsteriskSettings,
    found: FoundAsterisk,
    places: InstallPaths,
    seeds: Seeds,
) -> list[WantedFile]:
    """What an installation consists of, in the order in which it is made.

    Raises:
        ConfigError: the dialplan shall play prompts that cannot be read.
    """
    return [
        *_of_the_service(places, seeds),
        *_prompts(asterisk, places),
        *_of_asterisk(settings, asterisk, found, places, seeds),
        *_units(settings, found, places),
    ]


def _of_the_service(places: InstallPaths, seeds: Seeds) -> Iterator[WantedFile]:
    site, (admin, _) = places.site, places.administrator
    yield WantedFile(places.etc, 0o750, admin, site.group)
    if seeds.identity is not None:
        path, key = seeds.identity
        yield WantedFile(path, 0o600, *places.administrator, key.encode(), Belongs.PRECIOUS)
    once = {places.config: seeds.configuration}
    for secret in (seeds.ari, seeds.ami):
        if secret is not None and secret.file is not None:
            once[secret.file] = f"{secret.value}\n".encode()
    for path, content in sorted(once.items()):
        yield WantedFile(path, 0o640, admin, site.group, content, Belongs.SEEDED)
    yield WantedFile(site.state, 0o700, site.user, site.group)


def _prompts(asterisk: AsteriskSettings, places: InstallPaths) -> Iterator[WantedFile]:
    for _, prompt in sorted(catalogue.shipped_prompts().items(), key=lambda one: one[0][::-1]):
        for suffix in catalogue.SAMPLE_RATE_SUFFIXES:
            name = f"{prompt.id}{suffix}"
            audio = (catalogue.sounds() / prompt.language / name).read_bytes()
            path = asterisk.sounds_path / prompt.language / name
            yield WantedFile(path, 0o644, *places.administrator, audio)


def _of_asterisk(
    settings: Settings,
    asterisk: AsteriskSettings,
    found: FoundAsterisk,
    places: InstallPaths,
    seeds: Seeds,
) -> Iterator[WantedFile]:
    yield WantedFile(asterisk.spool_path, 0o2770, found.user, places.site.group)
    features = (catalogue.dialplan() / OURS["features.conf"]).read_text(encoding="utf-8")
    texts = {
        OURS["extensions.conf"]: (0o644, render_for(settings, asterisk, str(places.config))),
        OURS["features.conf"]: (0o644, features),
    }
    if asterisk.ari is not None and seeds.ari is not None:
        texts[OURS["ari.conf"]] = (0o640, ari_user(asterisk.ari.user, seeds.ari.value))
    if asterisk.ami is not None and seeds.ami is not None:
        text = ami_user(asterisk.ami.user, seeds.ami.value, asterisk.ami.host, found.release)
        texts[OURS["manager.conf"]] = (0o640, text)
    for name, (mode, text) in texts.items():
        path = found.etc_here / name
        yield WantedFile(path, mode, places.administrator[0], found.group, text.encode())


def _units(settings: Settings, found: FoundAsterisk, places: InstallPaths) -> Iterator[WantedFile]:
    if (directory := places.site.units) is None:
        return
    for name, text in units(settings, found.group, places).items():
        yield WantedFile(directory / name, 0o644, *places.administrator, text.encode())


# -- texts -------------------------------------------------------------------------------------


def ari_user(user: str, password: str) -> str:
    return _rendered("compliance-ari.conf", user=user, password=password)


def ami_user(user: str, password: str, host: str, release: Version | None) -> str:
    """A user who may act on calls and nothing else, from where the service connects."""
    permit = {"127.0.0.1": "127.0.0.1/255.255.255.255", "::1": "::1/128"}.get(host)
    return _rendered(
        "compliance-manager.conf",
        user=user,
        password=password,
        permit=permit,
        events=EVENT_NAMES,
        named_filters=can(release, Ability.NAMED_FILTERS),
    )


def units(settings: Settings, asterisk_group: str, places: InstallPaths) -> dict[str, str]:
    """The units of systemd, by name."""
    hearing = settings.hearing.directory_path if settings.hearing else None
    values = {
        "program": places.program,
        "config": places.config,
        "user": places.site.user,
        "group": places.site.group,
        "runtime": RUN.name if settings.service.socket.parent == RUN else None,
        "state": STATE.name if places.site.state == STATE else None,
        "asterisk_group": asterisk_group,
        "hearing": hearing,
        "writable": _writable(settings, places),
        "kept_in": _outermost([places.site.state, *_kept_in(settings)]),
        "families": _FAMILIES,
        "zone": settings.rules.time_zone.key,
    }
    return {
        name: _rendered(name, **values) for name in (SERVICE, RETENTION_SERVICE, RETENTION_TIMER)
    }


def _writable(settings: Settings, places: InstallPaths) -> list[str]:
    """Where the service writes, outside of what systemd makes for it.

    What begins with ``-`` need not be there when it starts: it can be a mount.
    """
    by_systemd = [RUN, *([STATE] if places.site.state == STATE else [])]
    spools = [asterisk.spool_path for asterisk in settings.asterisk]
    ours = [places.site.state, *_kept_in(settings), settings.service.socket.parent, *spools]
    outermost = [path for path in _outermost([*by_systemd, *ours]) if path not in by_systemd]
    mounts = [to for to in settings.audit.checkpoints_to if to.startswith("dir:")]
    return [*map(str, outermost), *(f"-{to.removeprefix('dir:')}" for to in mounts)]


def _kept_in(settings: Settings) -> list[Path]:
    """Where the log and the recordings are."""
    audit = settings.audit
    beside = [audit.jsonl.parent] if audit.jsonl else []
    return [audit.store, settings.vault.recordings, *beside]


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Without those that lie in another one."""
    found: list[Path] = []
    for path in sorted(set(paths), key=lambda one: len(one.parts)):
        if not any(path.is_relative_to(above) for above in found):
            found.append(path)
    return found


def _rendered(name: str, **values: object) -> str:
    return _templates().get_template(f"{name}.j2").render(values)


@cache
def _templates() -> jinja2.Environment:
    directory = files("asterisk_compliance") / "data/install"

    def read(name: str) -> str:
        return (directory / name).read_text(encoding="utf-8")

    return jinja2.Environment(  # noqa: S701 - no HTML
        loader=jinja2.FunctionLoader(read),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
