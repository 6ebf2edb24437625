"""Reads the configuration of the Asterisk on this host, and changes nothing."""

from __future__ import annotations

import contextlib
import grp
import ipaddress
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final

from asterisk_compliance.app.install.conf import Conf, read_conf
from asterisk_compliance.domain.asterisk.version import Version, is_supported, version_of
from asterisk_compliance.domain.dialplan.config_lines import ConfigLine
from asterisk_compliance.domain.dialplan.expectations import ROUTINES
from asterisk_compliance.errors import ConfigError

OURS: Final = {
    "extensions.conf": "compliance.conf",
    "features.conf": "compliance-features.conf",
    "ari.conf": "compliance-ari.conf",
    "manager.conf": "compliance-manager.conf",
}
"""Which file of Asterisk's includes which of ours."""
CUSTOM: Final = {
    "extensions.conf": "extensions_custom.conf",
    "features.conf": "features_applicationmap_custom.conf",
    "ari.conf": "ari_additional_custom.conf",
    "manager.conf": "manager_custom.conf",
    "http.conf": "http_custom.conf",
}
"""FreePBX writes the files on the left again, and never those on the right."""
APPLICATION_MAP: Final = "applicationmap"

_DIRECTORIES: Final = {
    "astetcdir": "/etc/asterisk",
    "astspooldir": "/var/spool/asterisk",
    "astrundir": "/var/run/asterisk",
    "astlogdir": "/var/log/asterisk",
    "astmoddir": "/usr/lib/asterisk/modules",
}
_BINARIES: Final = ("usr/sbin", "usr/local/sbin", "usr/bin", "usr/local/bin", "opt/asterisk/sbin")
_ROUTINE: Final = re.compile(rf"\b(?:{'|'.join(sorted(ROUTINES, key=len, reverse=True))})\b")
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "[::]", ""})  # noqa: S104 - to recognise it
_VERSION_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Listener:
    """Where Asterisk listens.

    Attributes:
        address: As it is configured.
        prefix: Of HTTP alone, with its slash.
    """

    enabled: bool
    address: str
    port: int
    prefix: str = ""

    @property
    def host(self) -> str:
        """Where we connect."""
        return "127.0.0.1" if self.address in _EVERYWHERE else self.address.strip("[]")

    @property
    def is_local(self) -> bool:
        """Whether no other host can connect."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.address.strip("[]")).is_loopback
        return self.address == "localhost"


@dataclass(frozen=True, slots=True)
class AsteriskWiring:
    """How a site's own files use ours.

    Attributes:
        includes: Where files of ours are included, by the name of ours.
        routines: Where the dialplan calls our routines.
    """

    includes: Mapping[str, ConfigLine] = field(default_factory=dict)
    routines: tuple[ConfigLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAsterisk:
    """An Asterisk. Paths are as it sees them; :meth:`here` says where we see one.

    Attributes:
        root: Where we see its ``/``.
        user, group: It runs as; numbers where this host has no name for them.
        users: Sections of ``ari.conf`` and ``manager.conf`` that are in no file of ours, each as
            ``manager.conf NAME``.
        dialplan: Its ``extensions.conf``, as we see it, if it has one.
        custom: Files that are the administrator's where a program writes the rest, as FreePBX does,
            by the name of the file that includes them.
        has_application_map: Whether ``features.conf`` has that section.
        records: Where its CDRs are as CSV, as we see the file.
        has_records: Whether it writes any.
        events: Where its channel events (CEL) are as CSV, if it writes them so.
        has_unique_ids: Whether CDRs say which call they are about.
        modules: Those that it has and is not told to leave out; empty where nobody can say.
    """

    version: str
    root: Path
    etc: Path
    spool: Path
    user: str
    group: str
    http: Listener
    ami: Listener
    ari_enabled: bool
    wiring: AsteriskWiring
    users: Mapping[str, ConfigLine]
    dialplan: Path | None
    custom: Mapping[str, str]
    has_application_map: bool
    records: Path
    has_records: bool
    events: Path | None
    has_unique_ids: bool
    modules: frozenset[str]

    @property
    def release(self) -> Version | None:
        return version_of(self.version)

    def here(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    @property
    def etc_here(self) -> Path:
        return self.here(self.etc)


def find_asterisk(conf: Path, root: Path, version: str | None = None) -> FoundAsterisk:
    """Look at a local Asterisk.

    Args:
        conf: Its ``asterisk.conf``, as Asterisk sees it.
        root: Where we see Asterisk's ``/``: of a chroot or a container, else ``/``.
        version: Where the program itself cannot be asked.

    Raises:
        ConfigError: there is none, or it is too old; the hint says which option helps.
    """
    here = root / conf.relative_to("/")
    if not here.is_file():
        hint = "name it with --asterisk-conf, and its root with --asterisk-root"
        raise ConfigError(str(here), ["there is no Asterisk: no such file"], hint=hint)
    main = read_conf(here.parent, here.name)
    said = main.sections.get("directories", {})
    paths = {name: Path(said.get(name, default)) for name, default in _DIRECTORIES.items()}
    etc = root / paths["astetcdir"].relative_to("/")
    confs = {name: read_conf(etc, name) for name in (*OURS, "http.conf", "cdr.conf")}
    http, cdr = confs["http.conf"], confs["cdr.conf"]
    user, group = _runs_as(main, root / paths["astrundir"].relative_to("/"), root)
    found = FoundAsterisk(
        version=_version(root, version),
        root=root,
        etc=paths["astetcdir"],
        spool=paths["astspooldir"],
        user=user,
        group=group,
        http=_listener(http, "bindport", 8088, _prefix(http)),
        ami=_listener(confs["manager.conf"], "port", 5038),
        ari_enabled=confs["ari.conf"].agrees("general", "enabled", default=True),
        wiring=_wiring(confs),
        users={
            f"{name} {section}": place
            for name in ("ari.conf", "manager.conf")
            for section, place in confs[name].begins.items()
            if PurePath(place.file).name != OURS[name]
        },
        dialplan=dialplan if (dialplan := etc / "extensions.conf").is_file() else None,
        custom={name: own for name, own in CUSTOM.items() if own in confs[name].includes},
        has_application_map=APPLICATION_MAP in confs["features.conf"].sections,
        records=root / paths["astlogdir"].relative_to("/") / "cdr-csv/Master.csv",
        has_records=cdr.agrees("general", "enable", default=True) and "csv" in cdr.sections,
        events=_events(etc, root / paths["astlogdir"].relative_to("/")),
        has_unique_ids=cdr.agrees("csv", "loguniqueid", default=False),
        modules=_modules(etc, root / paths["astmoddir"].relative_to("/")),
    )
    if not is_supported(found.release):
        problem = f"Asterisk {found.version} is too old: it must be 16.17, 18.3 or later"
        raise ConfigError(str(here), [problem])
    return found


def _listener(conf: Conf, port: str, usual: int, prefix: str = "") -> Listener:
    number = conf.says("general", port)
    return Listener(
        conf.agrees("general", "enabled", default=False),
        conf.says("general", "bindaddr"),
        int(number) if number.isdecimal() else usual,
        prefix,
    )


def _prefix(http: Conf) -> str:
    said = http.says("general", "prefix").strip("/")
    return f"/{said}" if said else ""


def _version(root: Path, said: str | None) -> str:
    """Such as ``22.10.1``.

    Raises:
        ConfigError: nobody tells.
    """
    printed = said or ""
    if said is None:
        for binary in _binaries(root):
            command = [str(binary), "-V"]
            if root != Path("/"):
                command = ["chroot", str(root), f"/{binary.relative_to(root)}", "-V"]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                printed += subprocess.run(  # noqa: S603 - Asterisk itself
                    command, capture_output=True, text=True, timeout=_VERSION_S, check=False
                ).stdout
    number = re.search(r"\d+(?:\.\d+)+", printed)
    if number is None:
        hint = "say it with --asterisk-version, as core show version prints it"
        raise ConfigError("asterisk -V", ["does not tell a version"], hint=hint)
    return number[0]


def _binaries(root: Path) -> list[Path]:
    """The first program called asterisk."""
    found = shutil.which("asterisk") if root == Path("/") else None
    there = [Path(found)] if found else []
    there += [root / where / "asterisk" for where in _BINARIES]
    return [path for path in there if os.access(path, os.X_OK)][:1]


def _runs_as(main: Conf, run: Path, root: Path) -> tuple[str, str]:
    """As whom Asterisk runs: what it is told, else whose its control socket's directory is."""
    user, group = main.says("options", "runuser"), main.says("options", "rungroup")
    if user and root == Path("/"):
        with contextlib.suppress(KeyError):
            own = pwd.getpwnam(user).pw_gid
            return user, group or grp.getgrgid(own).gr_name
    with contextlib.suppress(OSError):
        owner = run.stat()
        return _names(owner.st_uid, owner.st_gid, root)
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "etc/passwd").read_text(encoding="utf-8").splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == (user or "asterisk"):
                return _names(int(uid), int(gid), root)
    return _names(0, 0, root)


def _names(uid: int, gid: int, root: Path) -> tuple[str, str]:
    """Names of this host; in another root the same number may be somebody else."""
    user, group = str(uid), str(gid)
    if root == Path("/"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwuid(uid).pw_name
        with contextlib.suppress(KeyError):
            group = grp.getgrgid(gid).gr_name
    return user, group


def wiring_of(conf: Path, root: Path) -> AsteriskWiring:
    """How the files of a local Asterisk use ours; not at all where there is none any more."""
    here = root / conf.relative_to("/")
    main = read_conf(here.parent, here.name)
    etc = root / Path(main.says("directories", "astetcdir", str(conf.parent))).relative_to("/")
    return _wiring({name: read_conf(etc, name) for name in OURS})


def _wiring(confs: Mapping[str, Conf]) -> AsteriskWiring:
    return AsteriskWiring(
        {
            ours: confs[name].includes[ours]
            for name, ours in OURS.items()
            if ours in confs[name].includes
        },
        tuple(
            one.place
            for one in confs["extensions.conf"].lines
            if PurePath(one.place.file).name != OURS["extensions.conf"]
            and _ROUTINE.search(one.value)
        ),
    )


def _events(etc: Path, log: Path) -> Path | None:
    if not read_conf(etc, "cel.conf").agrees("general", "enable", default=False):
        return None
    mappings = read_conf(etc, "cel_custom.conf").sections.get("mappings", {})
    return next((log / "cel-custom" / name for name in mappings), None)


def _modules(etc: Path, directory: Path) -> frozenset[str]:
    left_out = {
        one.value.removesuffix(".so")
        for one in read_conf(etc, "modules.conf").lines
        if one.name == "noload"
    }
    return frozenset(path.stem for path in directory.glob("*.so")) - left_out
