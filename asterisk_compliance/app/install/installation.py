"""An installation beside a local Asterisk: look, plan, carry out.

    look         what is there: ``installing_asterisk``, ``installing_files``
    plan         what shall be there, and what differs: ``installing_wanted``, ``installing_plan``
    carry out    ``installing_files``; then say what is left to do: ``installing_advice``

``compliance.toml`` decides everything. A first run makes it from what somebody answered; every
later run reads it, and brings the rest in line with it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from asterisk_compliance.age import new_identity, recipients_of
from asterisk_compliance.app.install.advice import Advice, advice
from asterisk_compliance.app.install.answers import Answers, configuration
from asterisk_compliance.app.install.asterisk import FoundAsterisk
from asterisk_compliance.app.install.files import (
    carry_out,
    look,
    manifest_has_rights,
    missing_account,
    owners,
    read_manifest,
    read_plain,
)
from asterisk_compliance.app.install.places import InstallPaths
from asterisk_compliance.app.install.plan import InstallPlan, There, plan
from asterisk_compliance.app.install.wanted import SecretFile, Seeds, wanted_paths
from asterisk_compliance.config.settings import (
    AmiSettings,
    AriSettings,
    AsteriskSettings,
    Settings,
    decode,
)
from asterisk_compliance.errors import ConfigError, IdentityRefused

_SECRET_BYTES: Final = 32
_CLOSED_BY_SYSTEMD: Final = (Path("/home"), Path("/root"), Path("/run/user"))
"""``ProtectHome``."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is going to be made, and what is left to do."""

    settings: Settings
    found: FoundAsterisk
    places: InstallPaths
    plan: InstallPlan
    advice: Advice

    def carry_out(self) -> None:
        """Make it.

        Raises:
            InstallationFailed: something could not be made. A second run goes on.
        """
        carry_out(self.plan, self.places.manifest)


@dataclass(frozen=True, slots=True)
class OfficersKey:
    """A file for the officer's private key, and the public one.

    Attributes:
        text: What to write; ``None`` where the file is there and is used as it is.
    """

    path: Path
    recipient: str
    text: str | None


def officers_key(path: Path) -> OfficersKey:
    """A new key pair in memory, or that of a file which is there.

    Raises:
        IdentityRefused: what is there is no identity.
        ConfigError: it cannot be read, or there is no such directory.
    """
    path = path.absolute()
    if not path.parent.is_dir():
        raise ConfigError("--identity", [f"there is no directory {path.parent}"])
    try:
        found = recipients_of(read_plain(path).decode(errors="replace"))
    except FileNotFoundError:
        secret, recipient = new_identity()
        return OfficersKey(path, recipient, f"# public key: {recipient}\n{secret}\n")
    except OSError as error:
        raise ConfigError("--identity", [f"{path}: {error.strerror}"]) from None
    if len(found) != 1:
        raise IdentityRefused(f"{path} holds {len(found)} identities")
    return OfficersKey(path, found[0], None)


def prepare(
    answers: Answers | None,
    found: FoundAsterisk,
    places: InstallPaths,
    *,
    node: str | None = None,
    key: OfficersKey | None = None,
) -> Installation:
    """Look at everything, and plan; nothing is touched.

    Args:
        answers: For a new ``compliance.toml``; ``None`` where one is there, and is read.
        found: The Asterisk.
        places: Where things go.
        node: Which Asterisk of the configuration it is, where there are several.
        key: The officer's, for a new configuration.

    Raises:
        ConfigError: the configuration is wrong, or does not say which Asterisk is meant.
    """
    if answers is None:
        content = read_plain(places.config)
    else:
        content = configuration(answers, found, places).encode()
    settings = decode(content, source=str(places.config), secrets=False)
    asterisk = _which(settings, node, places.config)
    new_key = (key.path, key.text) if key and key.text else None
    seeds = Seeds(
        content,
        _secret(asterisk.ari, places.ari_secret),
        _secret(asterisk.ami, places.ami_secret),
        new_key,
    )
    wanted = wanted_paths(settings, asterisk, found, places, seeds)
    there = look(one.path for one in wanted)
    made = plan(
        wanted,
        there,
        read_manifest(places.manifest),
        owners(wanted),
        site=replace(places.site, socket=settings.service.socket),
        administrator=places.administrator,
        account=missing_account(places.site, _group_to_join(asterisk.spool_path, there, found)),
        manifest_has_rights=manifest_has_rights(places.manifest),
    )
    said = advice(settings, asterisk, found, places, made)
    return Installation(settings, found, places, made, said)


def _which(settings: Settings, node: str | None, config: Path) -> AsteriskSettings:
    """The Asterisk that is meant.

    Raises:
        ConfigError: it is not said which.
    """
    named = [item for item in settings.asterisk if node in {None, item.node}]
    if len(named) != 1:
        names = ", ".join(item.node for item in settings.asterisk)
        raise ConfigError(str(config), [f"say which Asterisk with --node: {names}"])
    return named[0]


def _secret(login: AriSettings | AmiSettings | None, ours: Path) -> SecretFile | None:
    """The secret of a user of Asterisk: what is there, else a new one in a file of ours.

    Raises:
        ConfigError: it is in another place, and cannot be read there.
    """
    if login is None:
        return None
    is_ours = login.secret_file == ours
    if is_ours and not os.path.lexists(ours):
        return SecretFile(secrets.token_hex(_SECRET_BYTES), ours)
    try:
        return SecretFile(login.secret().get_secret_value(), ours if is_ours else None)
    except ValueError as error:
        raise ConfigError("secret", [str(error)]) from None


def _group_to_join(spool: Path, there: dict[Path, There], found: FoundAsterisk) -> str | None:
    """Debian's spool is closed to everybody but Asterisk's group."""
    closed = any(there[above].mode & 0o001 == 0 for above in spool.parents if above in there)
    return found.group if closed else None


def unreachable(program: Path) -> Path | None:
    """What keeps the service's user from its program, if anything does."""
    for path in (program, program.resolve()):
        for above in path.parents:
            if above in _CLOSED_BY_SYSTEMD or above.stat().st_mode & 0o001 == 0:
                return above
    return None
