"""Whether the service's user may access a path, when another user runs the check.

Root may do everything, so a check as root says nothing about the service. The service's user is the
owner of its store. Only the bits of owner, group and others are checked.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from asterisk_compliance.config.settings import Settings

_ACL = "system.posix_acl_access"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A user and the groups that he is in."""

    uid: int
    gids: frozenset[int]

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"

    def may(self, path: Path, bits: int) -> bool:
        """Whether he may do with it what ``bits`` say (``os.R_OK`` and so on).

        What has an access control list, or cannot be looked at, is not judged: then he may.
        """
        resolved = path.resolve()
        wanted = [(parent, os.X_OK) for parent in resolved.parents]
        return all(self._one(where, what) for where, what in [*wanted, (resolved, bits)])

    def _one(self, path: Path, bits: int) -> bool:
        try:
            found = path.stat()
            if self.uid == 0 or _ACL in os.listxattr(path):
                return True
        except OSError:
            return True
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid == self.uid:
            mode >>= 6
        elif found.st_gid in self.gids:
            mode >>= 3
        return bits & mode & 0o7 == bits


def service_account(settings: Settings) -> ServiceAccount | None:
    """Who owns the store; ``None`` before there is one."""
    try:
        store = settings.audit.store.stat()
    except OSError:
        return None
    gids = {store.st_gid}
    try:
        user = pwd.getpwuid(store.st_uid)
        gids |= set(os.getgrouplist(user.pw_name, user.pw_gid))
    except KeyError:
        pass  # a user without an entry has the group that his store has
    return ServiceAccount(store.st_uid, frozenset(gids))
