"""The tables ``[[role]]``, ``[use]`` and ``[past_calls]``: who may use recordings, and for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from asterisk_compliance.config.values import Code, ConfigTable, Name
from asterisk_compliance.domain.access.purpose_limitation import OWN_CODES, Action
from asterisk_compliance.domain.access.roles import Role
from asterisk_compliance.shipped.catalogue import shipped_purposes

AccountName = Annotated[str, Field(pattern=r"^[^\s:/]{1,128}$")]
"""A user or a group as the operating system lists it; directories add ``@`` and ``\\``."""
Queue = Annotated[str, Field(min_length=1, max_length=128)]


class RoleSettings(ConfigTable):
    """Who may do what with recordings of which calls. Its name stands in rows."""

    name: Name
    users: tuple[AccountName, ...] = ()
    groups: tuple[AccountName, ...] = ()
    purposes: Annotated[tuple[Code, ...], Field(min_length=1)]
    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    queues: tuple[Queue, ...] = ()

    @model_validator(mode="after")
    def _is_for_somebody(self) -> Self:
        if not self.users and not self.groups:
            raise ValueError("users, groups: name at least one")
        return self

    @property
    def role(self) -> Role:
        return Role(**self.model_dump())


class UseSettings(ConfigTable):
    """What no notice tells (docs/use.md).

    ``accepted``: of whom a policy with ``on_join = "continue"`` takes in untold.
    """

    biometrics: Literal["off", "own-consent"] = "off"
    accepted: Literal["untold", "covered"] = "untold"


class PastCallsSettings(ConfigTable):
    """``shown``: on the channel of each call; ``days``: how far back, here and by command."""

    shown: bool = False
    days: Annotated[int, Field(ge=1, le=3_660)] = 365


def role_disagreements(tables: Mapping[str, Any]) -> Iterator[str]:
    """Purposes that there are not."""
    known = {*shipped_purposes(), *OWN_CODES}
    known |= {purpose.code for purpose in tables.get("purpose", {}).values()}
    for number, role in tables.get("role", {}).items():
        for code in role.purposes:
            if code not in known:
                yield f"role[{number}].purposes: there is no purpose {code}"
