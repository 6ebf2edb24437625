"""What check says about who may use recordings."""

from __future__ import annotations

import grp
import pwd

from asterisk_compliance.app.checks.access import use_findings
from sample_settings import accepted, raw

USERS = {user.pw_name for user in pwd.getpwall()}
GROUPS = {group.gr_name for group in grp.getgrall()}
ME, MINE = min(USERS - GROUPS), min(GROUPS - USERS)


def found(*roles: dict[str, object]) -> list[tuple[str, str, str]]:
    same = {"purposes": ["QUALITY"], "actions": ["LISTEN"]}
    settings = accepted(raw() | {"role": [{**same, **role} for role in roles]})
    return [(one.id, one.severity, one.address) for one in use_findings(settings)]


def test_without_roles_everybody_may_use_everything_and_that_is_said() -> None:
    assert found() == [("ROLES_MISSING", "note", "role")]


def test_accounts_that_there_are() -> None:
    assert found({"name": "one", "users": [ME], "groups": [MINE]}) == []


def test_accounts_that_nobody_knows_are_named_with_their_address() -> None:
    first = {"name": "one", "users": [ME]}
    second = {"name": "two", "users": ["no-such-user"], "groups": ["no-such-group", MINE]}
    assert found(first, second) == [
        ("ACCOUNT_UNKNOWN", "warning", "role[2].users"),
        ("ACCOUNT_UNKNOWN", "warning", "role[2].groups"),
    ]
    (user,) = use_findings(
        accepted(
            raw()
            | {"role": [{**second, "purposes": ["QUALITY"], "actions": ["LISTEN"], "groups": []}]}
        )
    )
    assert "no-such-user" in user.what


def test_what_goes_with_nothing_in_its_role_is_named() -> None:
    role = {"name": "one", "users": [ME]}
    idle = {"purposes": ["QUALITY", "DRILL"], "actions": ["LISTEN", "ANSWER", "PAST_CALLS"]}
    assert found({**role, **idle}) == [
        ("ROLE_IDLE", "warning", "role[1].actions"),
        ("ROLE_IDLE", "warning", "role[1].purposes"),
    ]
    same = raw() | {"role": [{**role, **idle}]}
    actions, purposes = use_findings(accepted(same))
    assert actions.what.endswith("ANSWER, PAST_CALLS")
    assert purposes.what.endswith("DRILL")
    whole = {"purposes": ["SERVICE", "RIGHTS"], "actions": ["ANSWER", "PAST_CALLS"]}
    assert found({**role, **whole}) == []


def test_past_calls_that_nobody_can_be_shown_are_named() -> None:
    shown = {"past_calls": {"shown": True}}
    notices = [{**one, "purposes": ["QUALITY"]} for one in raw()["notice"]]
    ids = [one.id for one in use_findings(accepted(raw() | shown | {"notice": notices}))]
    assert "PAST_CALLS_IDLE" in ids
    with_service = accepted(raw() | shown)
    assert any("SERVICE" in one.purposes for one in with_service.notice)
    assert "PAST_CALLS_IDLE" not in [one.id for one in use_findings(with_service)]
    assert "PAST_CALLS_IDLE" not in [one.id for one in use_findings(accepted(raw()))]
