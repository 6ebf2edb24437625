"""Roles: which people of the site may use which recordings, for which purposes. Pure.

Without any role, everybody who can reach the service may. With at least one, a person needs a role
that permits the use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from asterisk_compliance.domain.access.purpose_limitation import Use


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, as the operating system knows him."""

    user: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Role:
    """What a role permits, and to whom.

    Attributes:
        name: It stands in rows, so it must name no person.
        users, groups: Of the operating system; one of them is enough.
        queues: Calls of these queues alone; empty: of any, and those of none.
    """

    name: str
    users: Collection[str]
    groups: Collection[str]
    purposes: Collection[str]
    actions: Collection[str]
    queues: Collection[str] = ()

    def permits(self, asker: Asker, use: Use, queue: str | None) -> bool:
        """Whether it lets ``asker`` do this with a call of ``queue`` (``None``: not known)."""
        return self.is_for(asker, use) and (not self.queues or queue in self.queues)

    def is_for(self, asker: Asker, use: Use) -> bool:
        """Whether it lets ``asker`` do this with calls of some queue."""
        return (
            (asker.user in self.users or not asker.groups.isdisjoint(self.groups))
            and use.purpose in self.purposes
            and use.action in self.actions
        )


def role_for(roles: Iterable[Role], asker: Asker, use: Use, queue: str | None) -> str | None:
    """The name of the first role that permits it; ``None``: none does."""
    return next((role.name for role in roles if role.permits(asker, use, queue)), None)


def queues_for(roles: Iterable[Role], asker: Asker, use: Use) -> frozenset[str] | None:
    """The queues with whose calls ``asker`` may do this: none, some, or (``None``) any."""
    theirs = [role for role in roles if role.is_for(asker, use)]
    if any(not role.queues for role in theirs):
        return None
    return frozenset(queue for role in theirs for queue in role.queues)
