"""Where an installation puts our files, and what the host says about these places."""

from __future__ import annotations

import grp
import os
import pwd
import re
import socket
import sys
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from asterisk_compliance.app.install.manifest import MANIFEST, InstalledSite

ETC: Final = Path("/etc/asterisk-compliance")
SOUNDS: Final = Path("/usr/local/share/asterisk-compliance/sounds")
UNITS: Final = Path("/etc/systemd/system")
PROGRAM: Final = "asterisk-compliance"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPaths:
    """Where an installation puts what is ours, and whose it is.

    Attributes:
        etc: For the configuration, the secrets and the manifest.
        site: For everything else.
        sounds: Of a new configuration, as Asterisk sees it.
        administrator: User and group that own what the service only reads: root.
        program: The command that systemd starts.
    """

    etc: Path = ETC
    site: InstalledSite = InstalledSite()  # noqa: RUF009 - it is frozen
    sounds: Path = SOUNDS
    administrator: tuple[str, str] = ("root", "root")
    program: Path = Path("/usr/local/bin/asterisk-compliance")

    @property
    def config(self) -> Path:
        return self.etc / "compliance.toml"

    @property
    def manifest(self) -> Path:
        return self.etc / MANIFEST

    @property
    def ari_secret(self) -> Path:
        return self.etc / "ari.secret"

    @property
    def ami_secret(self) -> Path:
        return self.etc / "ami.secret"


def group_of(user: str) -> str:
    """The group of a user, by number if it has no name here; a new user gets one of his own.

    A name holds on another machine as well, to which somebody brings an installation.
    """
    try:
        known = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        return user
    try:
        return grp.getgrgid(known.pw_gid).gr_name
    except KeyError:
        return str(known.pw_gid)


def invoking_user() -> tuple[str, str]:
    """User and group: root, in an installation."""
    return ("root", "root") if os.geteuid() == 0 else (str(os.geteuid()), str(os.getegid()))


def this_program() -> Path:
    """The command as systemd has to start it: that of the environment which runs now."""
    beside = Path(sys.executable).with_name(PROGRAM)
    return beside if beside.exists() else Path(sys.argv[0]).absolute()


def host_name() -> str:
    """Such as ``pbx.example.com``."""
    named = socket.getfqdn()
    return socket.gethostname() if named.startswith("localhost") else named


def time_zone() -> str:
    """Of this machine, ``UTC`` where it does not say."""
    linked = re.search(r"zoneinfo/(.+)$", str(Path("/etc/localtime").resolve()))
    for name in (os.environ.get("TZ", ""), linked[1] if linked else ""):
        try:
            return ZoneInfo(name.removeprefix(":")).key
        except (ValueError, OSError, ZoneInfoNotFoundError):
            continue
    return "UTC"


@cache
def country_of(zone: str) -> str | None:
    """Where clocks go so, as ISO 3166-1; ``None`` for zones of no country, such as UTC."""
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    for line in table.splitlines():
        country, _, rest = line.partition("\t")
        if not line.startswith("#") and zone == rest.split("\t")[1]:
            return country
    return None
