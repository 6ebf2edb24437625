"""What an installation made: ``installed.json``, beside the configuration.

It holds digests and no content, so that an edited file can be told from one that is as we left it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from asterisk_compliance.errors import ConfigError

FORMAT: Final = 1
MANIFEST: Final = "installed.json"
STATE: Final = Path("/var/lib/asterisk-compliance")
RUN: Final = Path("/run/asterisk-compliance")


def beside(path: Path) -> Path:
    """Where something is made before it gets its name; a second run finds it there again."""
    return path.with_name(f".{path.name}.new")


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A path that we made.

    Attributes:
        sha256: What a file may be and still be as we left it: while an installation is under way,
            two texts. Empty of a directory.
    """

    sha256: tuple[str, ...] = ()

    @classmethod
    def of(cls, sha256: str | None) -> ManifestEntry:
        return cls((sha256,) if sha256 else ())

    def is_as_left(self, sha256: str | None) -> bool:
        return sha256 is None if not self.sha256 else sha256 in self.sha256

    def or_as(self, other: ManifestEntry | None) -> ManifestEntry:
        return ManifestEntry(tuple(dict.fromkeys((*self.sha256, *(other.sha256 if other else ())))))


@dataclass(frozen=True, slots=True)
class InstalledAccount:
    """Of the service.

    Attributes:
        made: Whether we made the user; else he was there before.
        joined: Groups that he was put into.
        home: Of a user that we make.
    """

    user: str
    made: bool
    joined: tuple[str, ...] = ()
    home: Path = Path("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledSite:
    """What an installation is for, and where it is: a later run need not be told again.

    Attributes:
        asterisk_conf: Of the Asterisk, as that sees it.
        asterisk_root: Where we see its ``/``.
        asterisk_version: Where it had to be said.
        state: Where the log and the recordings are.
        socket: Of the service.
        units: Of systemd.
        user, group: Of the service.
    """

    asterisk_conf: Path = Path("/etc/asterisk/asterisk.conf")
    asterisk_root: Path = Path("/")
    asterisk_version: str | None = None
    state: Path = STATE
    socket: Path = RUN / "control.sock"
    units: Path | None = None
    user: str = "compliance"
    group: str = "compliance"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that an installation made; before the first one it is for no site."""

    site: InstalledSite | None = None
    entries: Mapping[Path, ManifestEntry] = field(default_factory=dict)
    account: InstalledAccount | None = None

    def encoded(self) -> bytes:
        """The file; the same manifest is always the same bytes."""
        made = {str(path): self.entries[path].sha256 for path in sorted(self.entries)}
        value = _File(FORMAT, self.site, self.account, made)
        return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    site: InstalledSite | None
    account: InstalledAccount | None
    made: dict[str, tuple[str, ...]]


def decoded(content: bytes, source: Path) -> Manifest:
    """A manifest from its file.

    Raises:
        ConfigError: it is none of ours, or of another version.
    """
    try:
        file = msgspec.json.decode(content, type=_File, dec_hook=_path)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        hint = "an installation knows by it what it made: take it from a backup"
        raise ConfigError(str(source), [f"cannot be understood: {error}"], hint=hint) from None
    if file.format != FORMAT:
        raise ConfigError(str(source), ["was written by another version of the product"])
    made = {Path(path): ManifestEntry(sha256) for path, sha256 in file.made.items()}
    return Manifest(file.site, made, file.account)


def _path(kind: type, value: object) -> Path:
    assert kind is Path
    return Path(str(value))
