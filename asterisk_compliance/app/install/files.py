"""Looks at the disk for an installation, and carries out its plan.

Everything appears at once, with its text, owner and mode, by a rename; whoever dies in the middle
leaves what a second run finishes. Directories of Asterisk belong to Asterisk's user: nothing here
follows a link that somebody put where a name of ours belongs.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import os
import pwd
import stat
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from asterisk_compliance.app.install.manifest import (
    InstalledAccount,
    InstalledSite,
    Manifest,
    beside,
    decoded,
)
from asterisk_compliance.app.install.plan import Belongs, InstallPlan, Owners, There, WantedFile
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.storage.durable_files import sync_directory

RunCommand = Callable[[Sequence[str]], None]

_COMMAND_S: Final = 30.0
_MANIFEST_MODE: Final = 0o644
_ODD: Final = There(-1, -1, 0, is_odd=True)


class InstallationFailed(ComplianceError):
    """Something could not be made; the manifest has what was, and a second run goes on."""

    exit_code = 2


# -- look --------------------------------------------------------------------------------------


def look(paths: Iterable[Path]) -> dict[Path, There]:
    """What is at these paths, and above them."""
    every = {above for path in paths for above in (path, *path.parents)}
    seen = {path: _seen(path) for path in sorted(every)}
    return {path: found for path, found in seen.items() if found is not None}


def _seen(path: Path) -> There | None:
    try:
        found = path.lstat()
        is_link = stat.S_ISLNK(found.st_mode)
        if is_link and path.is_dir():
            found = path.stat()  # an administrator may have put a directory elsewhere
        rights = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
        if stat.S_ISDIR(found.st_mode):
            return There(*rights, is_shared=is_link)
        if not stat.S_ISREG(found.st_mode):
            return _ODD
        sha256 = hashlib.sha256(read_plain(path)).hexdigest()
        return There(*rights, sha256, is_shared=found.st_nlink > 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _failed(path, error) from None


def read_plain(path: Path) -> bytes:
    """A file that is no link."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return file.read()


def read_manifest(path: Path) -> Manifest:
    """What an earlier run made; nothing if there was none.

    Raises:
        ConfigError: the file is none of ours.
    """
    try:
        return decoded(read_plain(path), path)
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise _failed(path, error) from None


def manifest_has_rights(path: Path) -> bool:
    """Whether the manifest's file has the owner and mode that it is written with, or is none."""
    found = _seen(path)
    rights = (os.geteuid(), os.getegid(), _MANIFEST_MODE)
    return found is None or (found.uid, found.gid, found.mode) == rights


def owners(wanted: Iterable[WantedFile]) -> Owners:
    """The numbers of everybody whom something shall belong to, as far as they exist."""
    every = list(wanted)
    users = {one.owner: uid_of(one.owner) for one in every}
    groups = {one.group: gid_of(one.group) for one in every}
    return Owners(
        {name: uid for name, uid in users.items() if uid is not None},
        {name: gid for name, gid in groups.items() if gid is not None},
    )


def uid_of(user: str) -> int | None:
    """Of a name or a number; a number need not have a name here."""
    with contextlib.suppress(KeyError):
        return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    return None


def gid_of(group: str) -> int | None:
    """As :func:`uid_of`."""
    with contextlib.suppress(KeyError):
        return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    return None


def missing_account(site: InstalledSite, joins: str | None) -> InstalledAccount | None:
    """What has to be done so that the user is there, in a group ``joins`` if it has a name."""
    user, home = site.user, site.state
    if user.isdecimal():
        return None
    groups = () if joins is None or joins.isdecimal() else (joins,)
    try:
        known = pwd.getpwnam(user)
    except KeyError:
        return InstalledAccount(user, made=True, joined=groups, home=home)
    lacks = tuple(one for one in groups if _is_outside(known, one))
    return InstalledAccount(user, made=False, joined=lacks, home=home) if lacks else None


def _is_outside(user: pwd.struct_passwd, group: str) -> bool:
    with contextlib.suppress(KeyError):
        found = grp.getgrnam(group)
        return user.pw_gid != found.gr_gid and user.pw_name not in found.gr_mem
    return True


# -- carry out ---------------------------------------------------------------------------------


def run_command(command: Sequence[str]) -> None:
    """Run a program of the system.

    Raises:
        InstallationFailed: it is not there, or it failed.
    """
    try:
        subprocess.run(  # noqa: S603 - fixed programs; names are held to their form
            command, check=True, capture_output=True, text=True, timeout=_COMMAND_S
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip() or f"status {error.returncode}"
        raise InstallationFailed(f"{' '.join(command)}: {said}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallationFailed(f"{' '.join(command)}: {error}") from None


def account_command(account: InstalledAccount) -> tuple[str, ...]:
    """How the account is made, or joins its groups."""
    if not account.made:
        return ("usermod", "--append", "--groups", ",".join(account.joined), account.user)
    groups = ("--groups", ",".join(account.joined)) if account.joined else ()
    return (
        *("useradd", "--system", "--user-group", "--no-create-home"),
        *("--home-dir", str(account.home), "--shell", "/usr/sbin/nologin"),
        *groups,
        account.user,
    )


def carry_out(plan: InstallPlan, manifest: Path, run: RunCommand = run_command) -> None:
    """Make what the plan says, and nothing else.

    The manifest comes first, and names everything that may be there from then on.

    Raises:
        InstallationFailed: something could not be made. A second run goes on.
    """
    try:
        beside(manifest).unlink(missing_ok=True)  # of a run that died in its last step
        if plan.changes_nothing:
            return
        _write_first(manifest, plan.manifest_meanwhile.encoded())
        if plan.account is not None:
            run(account_command(plan.account))
        for step in plan.work:
            if step.wanted.content is None:
                _make_directory(step.wanted)
            elif step.keeps_text:
                _mend(step.wanted)
            else:
                _write(step.wanted)
        _write_manifest(manifest, plan.manifest.encoded())
    except OSError as error:
        raise _failed(manifest, error) from None


def _write_first(manifest: Path, content: bytes) -> None:
    """Its directory appears together with it: nothing of ours is ever there without a manifest."""
    home = manifest.parent
    if home.is_dir():
        _write_manifest(manifest, content)
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    new = beside(home)
    with contextlib.suppress(FileExistsError):
        new.mkdir(mode=0o700)
    _write_manifest(new / manifest.name, content)
    new.rename(home)
    sync_directory(home.parent)


def _write_manifest(path: Path, content: bytes) -> None:
    _write(WantedFile(path, _MANIFEST_MODE, str(os.geteuid()), str(os.getegid()), content))


def _make_directory(wanted: WantedFile) -> None:
    """A directory with its owner and mode; one that is there gets them."""
    if not wanted.path.is_dir():
        new = beside(wanted.path)
        with contextlib.suppress(FileExistsError):
            new.mkdir(mode=0o700)
        _own(new, wanted)
        new.rename(wanted.path)
        sync_directory(wanted.path.parent)
    else:
        _own(wanted.path, wanted)


def _own(directory: Path, wanted: WantedFile) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _own_open(opened, wanted)
    finally:
        os.close(opened)


def _mend(wanted: WantedFile) -> None:
    """Owner and mode of a file that keeps its text."""
    opened = os.open(wanted.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise InstallationFailed(f"{wanted.path}: something else is there by now")
        _own_open(opened, wanted)
    finally:
        os.close(opened)


def _own_open(opened: int, wanted: WantedFile) -> None:
    uid, gid = uid_of(wanted.owner), gid_of(wanted.group)
    if uid is None or gid is None:
        raise InstallationFailed(f"{wanted.path}: there is no {wanted.owner}:{wanted.group}")
    os.fchown(opened, uid, gid)
    os.fchmod(opened, wanted.mode)  # behind chown, which clears the setgid bit


def _write(wanted: WantedFile) -> None:
    """A file whole, or not at all. What is precious never takes the place of anything."""
    assert wanted.content is not None
    if wanted.belongs is Belongs.PRECIOUS:
        write_private(wanted.path, wanted.content)
        return
    new = beside(wanted.path)
    new.unlink(missing_ok=True)  # of a run that died
    write_private(new, wanted.content, wanted)
    new.rename(wanted.path)
    sync_directory(wanted.path.parent)


def write_private(path: Path, content: bytes, wanted: WantedFile | None = None) -> None:
    """A new file that nobody else can read, unless it is wanted otherwise.

    Raises:
        OSError: it cannot be written, or is there already; then it stays as it is.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
        if wanted is not None:
            _own_open(out.fileno(), wanted)
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _failed(path: Path, error: OSError) -> InstallationFailed:
    hint = "run it as root" if isinstance(error, PermissionError) else ""
    return InstallationFailed(f"{error.filename or path}: {error.strerror}", hint=hint)
