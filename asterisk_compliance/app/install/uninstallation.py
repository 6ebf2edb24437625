"""Takes back what an installation made, by its manifest: look, plan, carry out.

What was edited stays, and so does evidence: the log, the vault and what lies in the spool. Nothing
is taken from under a running service, nor from under an Asterisk that still includes it: without
the file of an ``#include`` Asterisk loads none of its dialplan.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from asterisk_compliance.app.install.asterisk import AsteriskWiring, wiring_of
from asterisk_compliance.app.install.files import RunCommand, look, read_manifest, run_command
from asterisk_compliance.app.install.manifest import (
    InstalledAccount,
    InstalledSite,
    Manifest,
    beside,
)
from asterisk_compliance.app.install.plan import There
from asterisk_compliance.app.install.wanted import RETENTION_TIMER, SERVICE
from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.config.settings import load
from asterisk_compliance.errors import ComplianceError, ConfigError

_WANTS = {SERVICE: "multi-user.target.wants", RETENTION_TIMER: "timers.target.wants"}


class RemovalFate(StrEnum):
    REMOVED = "removed"
    EDITED = "edited"
    NOT_EMPTY = "not empty"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Removal:
    """What becomes of a path that an installation made."""

    path: Path
    fate: RemovalFate
    is_directory: bool


@dataclass(frozen=True, slots=True)
class Uninstallation:
    """What is taken back.

    Attributes:
        removals: What lies in a directory stands before it.
        commands: For the service's account.
        obstacles: What has to be done before; while there is one, nothing is removed.
        kept_user: Who stays, because something is left that belongs to him.
        evidence: Where the log and the recordings are, and stay.
    """

    manifest: Path
    evidence: Path
    removals: tuple[Removal, ...]
    commands: tuple[tuple[str, ...], ...]
    obstacles: tuple[str, ...]
    kept_user: str | None

    def carry_out(self, run: RunCommand = run_command) -> None:
        """Remove it; whoever dies in the middle goes on by a second run.

        Raises:
            ComplianceError: something stands in the way, or could not be removed.
        """
        if self.obstacles:
            raise ComplianceError("nothing was removed", hint="do first what stands in the way")
        removed = [one for one in self.removals if one.fate is RemovalFate.REMOVED]
        around_manifest = [one for one in removed if one.path in self.manifest.parents]
        try:
            for path in (self.manifest, *(one.path for one in self.removals)):
                _remove_unfinished(beside(path))
            for one in removed:
                if one not in around_manifest:
                    one.path.rmdir() if one.is_directory else one.path.unlink()
            for command in self.commands:
                run(command)
            self.manifest.unlink()
            for one in around_manifest:
                one.path.rmdir()
        except OSError as error:
            raise ComplianceError(f"{error.filename}: {error.strerror}") from None


def uninstallation(manifest: Path, config: Path) -> Uninstallation:
    """Look, and say what would be taken back.

    Raises:
        ConfigError: nothing is known to be installed.
    """
    made = read_manifest(manifest)
    if made.site is None:
        hint = "name with --etc the directory in which init wrote installed.json"
        raise ConfigError(str(manifest), ["nothing is installed: no such file"], hint=hint)
    there = look(made.entries)
    inside = {
        path: frozenset(path.iterdir())
        for path, entry in made.entries.items()
        if not entry.sha256 and path.is_dir()
    }
    removals = tuple(plan_removals(made, there, inside, manifest))
    account, kept = _of_account(made.account, removals)
    obstacles = (
        *_running(made.site, config),
        *_enabled(made.site),
        *still_wired(wiring_of(made.site.asterisk_conf, made.site.asterisk_root)),
    )
    return Uninstallation(manifest, made.site.state, removals, tuple(account), obstacles, kept)


def plan_removals(
    made: Manifest,
    there: Mapping[Path, There],
    inside: Mapping[Path, frozenset[Path]],
    manifest: Path,
) -> Iterator[Removal]:
    """What becomes of everything in a manifest. Pure.

    Args:
        made: By an installation.
        there: What is at its paths now.
        inside: What is in each of its directories.
        manifest: The manifest's own file, which goes last.
    """
    gone = {manifest, *map(beside, (manifest, *made.entries))}
    for path, entry in sorted(made.entries.items(), key=lambda one: one[0].parts, reverse=True):
        found, is_directory = there.get(path), not entry.sha256
        if found is None:
            fate = RemovalFate.GONE
        elif found.is_odd or is_directory != (found.sha256 is None):
            fate = RemovalFate.EDITED
        elif is_directory:
            fate = (
                RemovalFate.REMOVED
                if inside.get(path, frozenset()) <= gone
                else RemovalFate.NOT_EMPTY
            )
        else:
            fate = RemovalFate.REMOVED if entry.is_as_left(found.sha256) else RemovalFate.EDITED
        if fate is RemovalFate.REMOVED:
            gone.add(path)
        yield Removal(path, fate, is_directory)


def _remove_unfinished(path: Path) -> None:
    """What an installation that died left beside what it made."""
    with contextlib.suppress(FileNotFoundError):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _of_account(
    account: InstalledAccount | None, removals: tuple[Removal, ...]
) -> tuple[list[tuple[str, ...]], str | None]:
    """Commands, and who is kept: a number that is free again would be given to somebody else."""
    if account is None:
        return [], None
    left = any(one.fate in {RemovalFate.NOT_EMPTY, RemovalFate.EDITED} for one in removals)
    if account.made and not left:
        return [("userdel", account.user)], None
    leave: list[tuple[str, ...]] = [
        ("gpasswd", "--delete", account.user, group) for group in account.joined
    ]
    return leave, account.user if account.made else None


def still_wired(wiring: AsteriskWiring) -> Iterator[str]:
    """Which lines of the site have to go first."""
    for place in wiring.routines:
        yield f"{place}: the dialplan calls our routine: take it out"
    for ours, place in wiring.includes.items():
        yield f"{place}: take out #include {ours}, then: asterisk -rx 'core reload'"


def _running(site: InstalledSite, config: Path) -> Iterator[str]:
    """Whether the service answers; one that hangs runs, too."""
    sockets = {site.socket}
    with contextlib.suppress(ConfigError):  # the service runs with what it has read
        sockets.add(load(config, secrets=False).service.socket)
    for socket in sorted(sockets):
        try:
            runs = ask(socket, "status", {}) is not None
        except ComplianceError:
            runs = True
        if runs:
            yield f"{socket}: the service runs: systemctl stop {SERVICE}"


def _enabled(site: InstalledSite) -> Iterator[str]:
    """Units that systemd would look for at the next start."""
    if site.units is None:
        return
    for unit, wants in _WANTS.items():
        if os.path.lexists(site.units / wants / unit):
            yield f"{unit} is enabled: systemctl disable --now {unit}"
