"""Roles, and what may be used at all, are said in the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from asterisk_compliance.app.policy.configuration import RELOADABLE
from asterisk_compliance.app.policy.prompts import purposes_of
from asterisk_compliance.domain.access.purpose_limitation import OWN_CODES, Action
from asterisk_compliance.domain.access.roles import Role
from sample_settings import accepted, problems, raw

ROLE = {
    "name": "supervisors",
    "users": ["tanaka"],
    "groups": ["quality"],
    "purposes": ["QUALITY", "DRILL", "RIGHTS"],
    "actions": ["LISTEN", "DRILL"],
    "queues": ["support"],
}


def site(*roles: dict[str, Any], **tables: Any) -> dict[str, Any]:
    return raw() | {"role": list(roles)} | tables


def test_a_role_is_what_it_says() -> None:
    (settings,) = accepted(site(ROLE)).role
    assert settings.role == Role(
        "supervisors",
        ("tanaka",),
        ("quality",),
        ("QUALITY", "DRILL", "RIGHTS"),
        (Action.LISTEN, Action.DRILL),
        ("support",),
    )


def test_without_any_nothing_is_said() -> None:
    settings = accepted(raw())
    assert settings.role == ()
    assert (settings.use.biometrics, settings.use.accepted) == ("off", "untold")


@pytest.mark.parametrize(
    "account", ["tanaka@example.jp", "EXAMPLE\\tanaka", "tanaka.taro", "_svc$"]
)
def test_accounts_are_written_as_the_operating_system_writes_them(account: str) -> None:
    assert accepted(site(ROLE | {"users": [account]})).role[0].users == (account,)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"users": [], "groups": []}, "role[1]: users, groups: name at least one"),
        ({"purposes": []}, "role[1].purposes: "),
        ({"purposes": ["SELLING"]}, "role[1].purposes: there is no purpose SELLING"),
        ({"purposes": ["quality"]}, "role[1].purposes.0: "),
        ({"actions": []}, "role[1].actions: "),
        ({"actions": ["COPY"]}, "role[1].actions.0: "),
        ({"users": ["two words"]}, "role[1].users.0: "),
        ({"users": ["a:b"]}, "role[1].users.0: "),
        ({"queues": [""]}, "role[1].queues.0: "),
        ({"name": "the supervisors"}, "role[1].name: "),
        ({"everything": True}, "role[1].everything: is not a setting"),
    ],
)
def test_what_a_role_may_not_say(said: dict[str, Any], problem: str) -> None:
    assert problems(site(ROLE | said))[0].startswith(problem)


@pytest.mark.parametrize("key", ["name", "purposes", "actions"])
def test_what_a_role_must_say(key: str) -> None:
    less = {name: value for name, value in ROLE.items() if name != key}
    assert problems(site(less)) == [f"role[1].{key}: is missing"]


def test_a_name_is_one_role_s() -> None:
    assert problems(site(ROLE, ROLE)) == ["role[2].name: is there twice"]


def test_a_role_can_have_a_purpose_of_the_site_s_own() -> None:
    own = {"code": "RESEARCH", "label": {"ja": "研究"}, "phrases": {"ja": ["研究のため"]}}
    assert accepted(site(ROLE | {"purposes": ["RESEARCH"]}, purpose=[own])).role


@pytest.mark.parametrize("code", sorted(OWN_CODES))
def test_no_notice_can_tell_what_is_the_service_s_own(code: str) -> None:
    own = {"code": code, "label": {"ja": "声紋"}, "phrases": {"ja": ["声紋"]}}
    assert problems(raw() | {"purpose": [own]}) == [
        "purpose[1].code: this code is the service's own"
    ]
    assert code not in purposes_of(accepted(raw()))


def test_biometrics_are_on_only_where_it_says_so() -> None:
    on = raw() | {"use": {"biometrics": "own-consent", "accepted": "covered"}}
    assert accepted(on).use.biometrics == "own-consent"
    for wrong in ({"biometrics": "on"}, {"biometrics": True}, {"accepted": "yes"}):
        (found,) = problems(raw() | {"use": wrong})
        assert found.startswith("use.")


def test_who_may_what_changes_by_a_reload() -> None:
    assert {"role", "use"} <= RELOADABLE
