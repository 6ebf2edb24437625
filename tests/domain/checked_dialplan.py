"""A site's dialplan in a test: a few lines, our routines beside them, and what is found."""

from __future__ import annotations

from functools import cache
from typing import Any

from asterisk_compliance.app.dialplan.rendering import render_default
from asterisk_compliance.domain.dialplan.checker import check
from asterisk_compliance.domain.dialplan.config_lines import ConfigStatement, statements
from asterisk_compliance.domain.dialplan.expectations import DialplanExpectations
from asterisk_compliance.domain.dialplan.findings import DialplanFinding
from asterisk_compliance.domain.dialplan.model import Dialplan, plan_of
from values import replace

POLICIES = frozenset({"inbound", "direct", "sales", "callback"})
RECORD = "MixMonitor(a.wav)"
TOLD = "Gosub(compliance-notice,s,1(inbound))"


@cache
def _ours() -> list[ConfigStatement]:
    return statements(render_default(), "compliance.conf")


@cache
def rendered() -> Dialplan:
    return plan_of(_ours())


def site(**said: Any) -> DialplanExpectations:
    usual = DialplanExpectations(
        rendered(),
        POLICIES,
        staff=("PJSIP/1*",),
        emergency=frozenset({"110", "119"}),
        features={"compliancesegment": "D,self,Gosub"},
    )
    return replace(usual, **said)


def plan(text: str, *, routines: bool = True) -> Dialplan:
    read = statements(text, "extensions.conf")
    return plan_of([*read, *_ours()] if routines else read)


def found(text: str, *, routines: bool = True, **said: Any) -> list[DialplanFinding]:
    return check(plan(text, routines=routines), site(**said))


def ids(text: str, **said: Any) -> set[str]:
    """The ids of what is found, without their common beginning."""
    return {one.id.removeprefix("DIALPLAN_") for one in found(text, **said)}


def call(*applications: str, exten: str = "0312345678") -> str:
    """An extension that executes these, one after the other, for callers from outside."""
    lines = [f"exten => {exten},1,{applications[0]}"]
    return "\n".join(["[from-trunk]", *lines, *(f" same => n,{one}" for one in applications[1:])])


def brief(findings: list[DialplanFinding]) -> list[tuple[str, str]]:
    return [(one.id.removeprefix("DIALPLAN_"), one.address) for one in findings]


def recorded(text: str, **said: Any) -> list[tuple[str, str]]:
    """What is said of recordings, and of what could not be followed."""
    wanted = {
        "RECORDED_UNTOLD",
        "DECISION_NOT_ASKED",
        "RECORDED_TWICE",
        "NOT_FOLLOWED",
        "TARGET_MISSING",
    }
    return [one for one in brief(found(text, **said)) if one[0] in wanted]


def context(name: str, *lines: str) -> str:
    return "\n".join([f"\n[{name}]", *lines])
