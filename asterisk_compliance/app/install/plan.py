"""What an installation has to make, keep or leave alone. Pure: it looks at values, never at a disk.

Three kinds of files: what we *render* is written again while it is as we left it; what we *seed* is
written once, and what it says is the administrator's from then on; what is *precious* is never
taken back either. Whether a file is as we left it, the manifest says.

Owner and mode are put right of whatever the manifest names, also where the text is somebody else's
by now: without them the service or Asterisk cannot read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from asterisk_compliance.app.install.manifest import (
    InstalledAccount,
    InstalledSite,
    Manifest,
    ManifestEntry,
)


class Belongs(StrEnum):
    RENDERED = "rendered"
    SEEDED = "seeded"
    PRECIOUS = "precious"


class FileState(StrEnum):
    """What there is to do about a path."""

    NEW = "new"
    CHANGED = "changed"
    """We made it, and its text, owner or mode has to be another one now."""
    SAME = "same"
    KEPT = "kept"
    """Somebody made or edited it: it is left alone."""


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A directory, or a file with its content.

    Attributes:
        owner, group: Names or numbers.
        content: ``None`` of a directory. Never shown: it can be a secret.
    """

    path: Path
    mode: int
    owner: str
    group: str
    content: bytes | None = field(default=None, repr=False)
    belongs: Belongs = Belongs.RENDERED

    @property
    def sha256(self) -> str | None:
        return None if self.content is None else hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class There:
    """What is at a path now; a link and whatever is neither file nor directory is *odd*.

    Attributes:
        uid, gid, mode: Of a file or a directory.
        sha256: Of a file's content; ``None`` of a directory.
        is_shared: A file with other names, or a directory to which a link leads: a change of its
            owner would reach more than what we made.
    """

    uid: int
    gid: int
    mode: int
    sha256: str | None = None
    is_odd: bool = False
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Owners:
    """The numbers of users and groups; who is missing does not exist yet."""

    users: Mapping[str, int]
    groups: Mapping[str, int]

    def have(self, wanted: WantedFile, found: There) -> bool:
        """Whether a path belongs to whom it should, with the right mode."""
        return (found.uid, found.gid, found.mode) == (
            self.users.get(wanted.owner),
            self.groups.get(wanted.group),
            wanted.mode,
        )


@dataclass(frozen=True, slots=True)
class InstallStep:
    """Attributes:
    keeps_text: Only owner and mode change, of a directory or of a file with the text that it has.
    """

    wanted: WantedFile
    state: FileState
    why: str = ""
    keeps_text: bool = False

    @property
    def is_work(self) -> bool:
        return self.state in {FileState.NEW, FileState.CHANGED}


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """Every path that an installation is about; nothing else is touched.

    Attributes:
        account: To be made, or to join a group; ``None`` if nothing is to do.
        before: The manifest as it was.
        site: What it is for.
        manifest_has_rights: Whether the manifest's file has its owner and mode, or is not there.
    """

    steps: tuple[InstallStep, ...]
    account: InstalledAccount | None
    before: Manifest
    site: InstalledSite
    manifest_has_rights: bool = True

    @property
    def work(self) -> tuple[InstallStep, ...]:
        return tuple(step for step in self.steps if step.is_work)

    @property
    def changes_nothing(self) -> bool:
        is_written = self.manifest == self.before and self.manifest_has_rights
        return not self.work and self.account is None and is_written

    @property
    def manifest(self) -> Manifest:
        """What there will be of ours when all is done."""
        entries = dict(self.before.entries)
        for step in self.steps:
            wanted = step.wanted
            if wanted.belongs is Belongs.PRECIOUS or not self._is_ours(step):
                continue
            if wanted.belongs is Belongs.RENDERED or step.is_work:
                entries[wanted.path] = ManifestEntry.of(wanted.sha256)
        return Manifest(self.site, entries, self._account())

    @property
    def manifest_meanwhile(self) -> Manifest:
        """While the work is done: a file may be as it was, or as it will be."""
        after = self.manifest
        entries = {
            path: entry.or_as(self.before.entries.get(path))
            for path, entry in after.entries.items()
        }
        return replace(after, entries=entries)

    def _is_ours(self, step: InstallStep) -> bool:
        return step.state is FileState.NEW or (
            step.wanted.path in self.before.entries
            and step.state is not FileState.KEPT
            and not step.keeps_text
        )

    def _account(self) -> InstalledAccount | None:
        made, was = self.account, self.before.account
        if made is None or was is None:
            return made or was
        return replace(was, joined=tuple(dict.fromkeys((*was.joined, *made.joined))))


def plan(
    wanted: Sequence[WantedFile],
    there: Mapping[Path, There],
    before: Manifest,
    owners: Owners,
    *,
    site: InstalledSite,
    administrator: tuple[str, str],
    account: InstalledAccount | None = None,
    manifest_has_rights: bool = True,
) -> InstallPlan:
    """Compare what is wanted with what is there.

    Args:
        wanted: Every file and directory, each once; directories above them are added.
        there: What was seen at each of these paths and above; what is missing is not there.
        before: What an earlier run made.
        owners: Of those who are named in ``wanted``, whoever exists.
        site: What it is for.
        administrator: User and group that directories above belong to.
        account: What is missing of the service's account.
        manifest_has_rights: As of :class:`InstallPlan`.
    """
    steps: list[InstallStep] = []
    said = {one.path for one in wanted}
    for one in wanted:
        for above in reversed(one.path.parents):
            if above not in said and (above not in there or above in before.entries):
                said.add(above)
                steps.append(_step(WantedFile(above, 0o755, *administrator), there, before, owners))
        steps.append(_step(one, there, before, owners))
    return InstallPlan(tuple(steps), account, before, site, manifest_has_rights)


def _step(
    wanted: WantedFile, there: Mapping[Path, There], before: Manifest, owners: Owners
) -> InstallStep:
    found, entry = there.get(wanted.path), before.entries.get(wanted.path)
    if found is None:
        return InstallStep(wanted, FileState.NEW)
    if found.is_odd or (found.sha256 is None) != (wanted.content is None):
        return InstallStep(wanted, FileState.KEPT, "something else is there")
    is_rendered = wanted.belongs is Belongs.RENDERED
    is_as_left = entry is not None and entry.is_as_left(found.sha256)
    has_text = found.sha256 == wanted.sha256 if is_rendered else is_as_left
    has_rights = wanted.belongs is Belongs.PRECIOUS or owners.have(wanted, found)
    if has_text and has_rights:
        return InstallStep(wanted, FileState.SAME)
    why = "" if has_rights else "owner or mode"
    is_file = wanted.content is not None
    if is_rendered and is_as_left and is_file:
        return InstallStep(wanted, FileState.CHANGED, why)
    if why and entry is not None and bool(entry.sha256) == is_file and not found.is_shared:
        return InstallStep(wanted, FileState.CHANGED, why, keeps_text=True)
    whose = ("edited since" if entry else "it was there before") if is_rendered else "yours"
    return InstallStep(
        wanted, FileState.KEPT, whose if has_rights else f"{whose}, with other rights"
    )
