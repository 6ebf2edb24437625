"""Roles: who may use which recordings for which purposes; nobody else may."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.access.purpose_limitation import Action, Use
from asterisk_compliance.domain.access.roles import Asker, Role, queues_for, role_for
from values import replace

ROLE = Role(
    "supervisors",
    users=("tanaka",),
    groups=("quality",),
    purposes=("QUALITY", "TRAINING"),
    actions=(Action.LISTEN,),
    queues=("support", "sales"),
)
USE = Use(Action.LISTEN, "QUALITY", "REVIEW")
TANAKA = Asker("tanaka")


@pytest.mark.parametrize(
    ("asker", "use", "queue", "permitted"),
    [
        (TANAKA, USE, "support", True),
        (TANAKA, USE, "sales", True),
        (Asker("sato", frozenset({"users", "quality"})), USE, "support", True),
        (Asker("sato", frozenset({"users"})), USE, "support", False),
        (Asker("quality"), USE, "support", False),
        (Asker("sato", frozenset({"tanaka"})), USE, "support", False),
        (TANAKA, replace(USE, purpose="TRAINING"), "support", True),
        (TANAKA, replace(USE, purpose="DISPUTE"), "support", False),
        (TANAKA, replace(USE, action=Action.EXPORT), "support", False),
        (TANAKA, USE, "complaints", False),
        (TANAKA, USE, "", False),
        (TANAKA, USE, None, False),
    ],
)
def test_a_role_permits_what_it_names_to_whom_it_names(asker, use, queue, permitted):
    assert ROLE.permits(asker, use, queue) is permitted


@pytest.mark.parametrize("queue", ["support", "", None])
def test_a_role_that_names_no_queue_is_for_every_call(queue):
    assert replace(ROLE, queues=()).permits(TANAKA, USE, queue)


def test_the_first_role_that_permits_it_is_named():
    listens = replace(ROLE, queues=())
    exports = replace(ROLE, name="officers", actions=(Action.LISTEN, Action.EXPORT))
    assert role_for([exports, listens], TANAKA, USE, "") == "supervisors"
    assert role_for([exports, listens], TANAKA, USE, "sales") == "officers"
    assert role_for([exports, listens], Asker("sato"), USE, "sales") is None
    assert role_for([], TANAKA, USE, "sales") is None


def test_the_queues_of_all_roles_that_permit_it_together():
    sales = replace(ROLE, name="sales", queues=("sales", "orders"))
    assert queues_for([ROLE], TANAKA, USE) == {"support", "sales"}
    assert queues_for([ROLE, sales], TANAKA, USE) == {"support", "sales", "orders"}
    assert queues_for([ROLE, replace(ROLE, queues=())], TANAKA, USE) is None
    other = replace(ROLE, queues=(), users=("sato",))
    assert queues_for([ROLE, other], TANAKA, USE) == {"support", "sales"}
    assert queues_for([ROLE, other], Asker("mori"), USE) == frozenset()
    assert queues_for([ROLE], TANAKA, replace(USE, purpose="DISPUTE")) == frozenset()
