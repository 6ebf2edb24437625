"""Findings about files: their owners and modes, and whether Asterisk's call records are read."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from asterisk_compliance.age import SECRET
from asterisk_compliance.app.access.hearing_copies import file_system
from asterisk_compliance.app.checks.finding import OperatorFinding, SiteFindingId, found
from asterisk_compliance.app.shared.service_account import ServiceAccount, service_account
from asterisk_compliance.config.settings import AsteriskSettings, Settings
from asterisk_compliance.config.values import SecretSetting
from asterisk_compliance.domain.audit.encoding import decode, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import StoreError
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

MOST_FILES = 1_000
"""So many names of a directory are looked at for a private key."""
_LONGEST_KEY_FILE = 16_384
_PRIVATE_KEY = re.compile(rb"(?m)^%s1[A-Z0-9]{58}\s*$" % SECRET.encode())
_OTHERS = stat.S_IRWXO
_REMOTE = frozenset({"9p", "afs", "ceph", "cifs", "glusterfs", "nfs", "nfs4", "smb3", "smbfs"})
_READ, _ALL = os.R_OK, os.R_OK | os.W_OK | os.X_OK


def file_findings(settings: Settings, source: Path) -> list[OperatorFinding]:
    """What there is to know about owners and modes, as far as the caller can see them.

    Args:
        settings: Right ones.
        source: The file that they are from.
    """
    account = service_account(settings)
    return [
        *_secrets(settings, account),
        *_configuration(source),
        *_private_keys(settings, source),
        *_storage(settings),
        *(
            one
            for number, asterisk in enumerate(settings.asterisk, 1)
            for one in _of_asterisk(asterisk, f"asterisk[{number}]", account)
        ),
    ]


def logins(settings: Settings) -> Iterator[tuple[str, SecretSetting]]:
    """Everything that has a secret, with its address."""
    for number, asterisk in enumerate(settings.asterisk, 1):
        for name, login in (("ari", asterisk.ari), ("ami", asterisk.ami)):
            if login is not None:
                yield f"asterisk[{number}].{name}", login
    for number, webhook in enumerate(settings.webhook, 1):
        yield f"webhook[{number}]", webhook


def _secrets(settings: Settings, account: ServiceAccount | None) -> Iterator[OperatorFinding]:
    for address, login in logins(settings):
        path = login.secret_file
        if path is None or (mode := _mode(path)) is None:
            continue
        where = f"{address}.secret_file"
        if mode & _OTHERS:
            what = f"{path} can be read by everybody on this host ({mode:o})"
            yield found(SiteFindingId.SECRET_READABLE, where, what)
        yield from _denied(account, path, _READ, where, "cannot read")


def _configuration(source: Path) -> Iterator[OperatorFinding]:
    for path in (source, source.resolve().parent):
        mode = _mode(path)
        if mode is not None and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            what = f"everybody on this host can change what is recorded and told ({mode:o})"
            yield found(SiteFindingId.CONFIG_WRITABLE, str(path), what)


def _private_keys(settings: Settings, source: Path) -> Iterator[OperatorFinding]:
    """Where ``init`` leaves one, and where somebody would keep it beside its public half."""
    beside = {source.resolve().parent, Path.cwd(), settings.audit.store.parent}
    for directory in sorted(beside):
        for path in _small_files(directory):
            try:
                content = path.read_bytes()
            except OSError:
                continue
            if _PRIVATE_KEY.search(content):
                what = "a private key that opens recordings lies on the PBX"
                yield found(SiteFindingId.PRIVATE_KEY_HERE, str(path), what)


def _small_files(directory: Path) -> Iterator[Path]:
    try:
        with os.scandir(directory) as entries:
            for entry in islice(entries, MOST_FILES):
                regular = entry.is_file(follow_symlinks=False)
                if regular and entry.stat(follow_symlinks=False).st_size <= _LONGEST_KEY_FILE:
                    yield Path(entry.path)
    except OSError:
        return


def _storage(settings: Settings) -> Iterator[OperatorFinding]:
    places = [
        ("audit.store", settings.audit.store),
        ("vault.recordings", settings.vault.recordings),
        *(
            (f"asterisk[{number}].spool", asterisk.spool_path)
            for number, asterisk in enumerate(settings.asterisk, 1)
        ),
    ]
    for address, path in places:
        mode = _mode(path)
        if mode is not None and mode & _OTHERS:
            what = f"everybody on this host gets into {path} ({mode:o})"
            yield found(SiteFindingId.STORAGE_OPEN, address, what)


def _of_asterisk(
    asterisk: AsteriskSettings, address: str, account: ServiceAccount | None
) -> Iterator[OperatorFinding]:
    spool, sounds = asterisk.spool_path, asterisk.sounds_path
    where = f"{address}.spool"
    if (mode := _mode(spool)) is not None:
        if mode & stat.S_ISVTX:
            what = f"with the sticky bit only Asterisk may delete its files in {spool}"
            yield found(SiteFindingId.SPOOL_STICKY, where, what)
        if not mode & stat.S_ISGID:
            what = f"files in {spool} get Asterisk's own group, not the directory's"
            yield found(SiteFindingId.SPOOL_NO_SETGID, where, what)
        kind = file_system(spool.stat().st_dev)
        if kind in _REMOTE:
            what = f"{spool} is on {kind}: nobody tells when a file there changes"
            yield found(SiteFindingId.SPOOL_REMOTE, where, what)
        yield from _denied(account, spool, _ALL, where, "cannot read, write and enter")
    yield from _denied(account, sounds, os.R_OK | os.X_OK, f"{address}.sounds", "cannot read")
    writable = [path for path in (sounds, *_directories(sounds)) if (_mode(path) or 0) & 0o002]
    for path in writable:
        what = f"everybody on this host can put another prompt into {path}"
        yield found(SiteFindingId.PROMPTS_WRITABLE, f"{address}.sounds", what)


def _denied(
    account: ServiceAccount | None, path: Path, bits: int, address: str, verb: str
) -> Iterator[OperatorFinding]:
    if account is not None and path.exists() and not account.may(path, bits):
        what = f"the service's user ({account.name}) {verb} {path}"
        yield found(SiteFindingId.SERVICE_MAY_NOT, address, what)


def _directories(path: Path) -> list[Path]:
    try:
        return sorted(one for one in path.iterdir() if one.is_dir() and not one.is_symlink())
    except OSError:
        return []


def _mode(path: Path) -> int | None:
    """Its permissions; ``None`` where it is not there, or cannot be looked at."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


LATE_S = 600
"""A record is written when its call ends; so long a batch may keep it."""


def record_findings(settings: Settings) -> list[OperatorFinding]:
    """What keeps ``reconcile`` from finding calls that never reached the service."""
    named = chain(
        (("reconcile.cdr", path) for path in settings.reconcile.cdr),
        (("reconcile.cel", path) for path in settings.reconcile.cel),
    )
    account = service_account(settings)
    last_s = _last_call_s(settings)
    return [one for address, path in named for one in _of_record(path, address, account, last_s)]


def _of_record(
    path: Path, address: str, account: ServiceAccount | None, last_s: float | None
) -> Iterator[OperatorFinding]:
    if last_s is None and path.parent.is_dir() and not path.exists():
        yield found(SiteFindingId.RECORDS_NOT_YET, address, f"{path}: the first call creates it")
        return
    if not path.is_file():
        what = f"{path} is not there"
        yield found(SiteFindingId.RECORDS_UNREADABLE, address, what)
        return
    if not os.access(path, os.R_OK):
        what = f"{path} cannot be read"
        yield found(SiteFindingId.RECORDS_UNREADABLE, address, what)
    elif account is not None and not account.may(path, os.R_OK):
        what = f"{path} cannot be read by the service's user ({account.name})"
        yield found(SiteFindingId.RECORDS_UNREADABLE, address, what)
    elif last_s is not None and (behind_s := last_s - path.stat().st_mtime) > LATE_S:
        what = f"{path} was last written {behind_s / 60:.0f} min before our last call ended"
        yield found(SiteFindingId.RECORDS_STALE, address, what)


def _last_call_s(settings: Settings) -> float | None:
    """When the last call of the log ended, in Unix seconds, as far as the caller may read it."""
    try:
        with StoreReader(settings.audit.store) as reader:
            query = RowQuery(kind=Kind.CALL_ENDED, limit=1, newest=True)
            last = next(iter(reader.rows(query)), None)
    except StoreError:
        return None
    return None if last is None else milliseconds(decode(last.data).at) / 1_000
