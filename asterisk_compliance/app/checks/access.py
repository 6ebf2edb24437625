"""Findings about roles and past calls: who may use recordings."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterator
from itertools import product

from asterisk_compliance.app.checks.finding import OperatorFinding, OperatorFindingId, found
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.access.purpose_limitation import SERVICE, fits


def use_findings(settings: Settings) -> list[OperatorFinding]:
    """Whom nothing keeps from recordings, and what a role says in vain."""
    return [*_unknown(settings), *_idle(settings), *_shown(settings), *_open(settings)]


def _open(settings: Settings) -> Iterator[OperatorFinding]:
    if not settings.role:
        what = "whoever may reach the service's socket may use every recording for what was told"
        todo = "say who may use what, in roles: docs/use.md"
        yield found(OperatorFindingId.ROLES_MISSING, "role", what, todo)


def _unknown(settings: Settings) -> Iterator[OperatorFinding]:
    todo = "is it spelled as the operating system spells it?"
    for number, role in enumerate(settings.role, 1):
        kinds = (("users", role.users, _is_user), ("groups", role.groups, _is_group))
        for key, names, exists in kinds:
            for name in names:
                if not exists(name):
                    what = f"the operating system knows no {name}"
                    address = f"role[{number}].{key}"
                    yield found(OperatorFindingId.ACCOUNT_UNKNOWN, address, what, todo)


def _idle(settings: Settings) -> Iterator[OperatorFinding]:
    """An action or a purpose that goes with nothing else in the same role."""
    todo = "one role must permit all of it; which go together: docs/use.md"
    for number, role in enumerate(settings.role, 1):
        pairs = [(a, p) for a, p in product(role.actions, role.purposes) if fits(a, p)]
        actions, purposes = {action for action, _ in pairs}, {purpose for _, purpose in pairs}
        for key, named, used in (
            ("actions", role.actions, actions),
            ("purposes", role.purposes, purposes),
        ):
            if idle := [str(one) for one in named if one not in used]:
                what = f"nothing in this role goes with {', '.join(idle)}"
                address = f"role[{number}].{key}"
                yield found(OperatorFindingId.ROLE_IDLE, address, what, todo)


def _shown(settings: Settings) -> Iterator[OperatorFinding]:
    if settings.past_calls.shown and all(SERVICE not in one.purposes for one in settings.notice):
        what = f"no notice tells {SERVICE}, so no past calls are ever shown"
        todo = "tell that purpose, or leave shown out: docs/finding.md"
        yield found(OperatorFindingId.PAST_CALLS_IDLE, "past_calls.shown", what, todo)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
