"""Runs all rules on a dialplan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from asterisk_compliance.domain.dialplan.config_lines import ConfigLine
from asterisk_compliance.domain.dialplan.expectations import DialplanExpectations
from asterisk_compliance.domain.dialplan.findings import DialplanFinding, DialplanFindingId
from asterisk_compliance.domain.dialplan.jump_targets import Targets
from asterisk_compliance.domain.dialplan.model import Dialplan
from asterisk_compliance.domain.dialplan.path_walker import Walk, Walker
from asterisk_compliance.domain.dialplan.rules.caller_data import caller_data_findings
from asterisk_compliance.domain.dialplan.rules.contract import contract_findings
from asterisk_compliance.domain.dialplan.rules.paths import Ways, way_findings
from asterisk_compliance.domain.dialplan.rules.pitfalls import TRAP_RULES
from asterisk_compliance.domain.dialplan.rules.recording import RECORDING_RULES

_GRAVITY: Final = ("error", "warning", "note")
_NOT_READ: Final = frozenset({"pbx_ael", "pbx_lua"})


def check(plan: Dialplan, site: DialplanExpectations) -> list[DialplanFinding]:
    """What is to be known about a dialplan, the gravest first, then by place."""
    ways = Ways(plan, site, *_walked(plan, site))
    found = [
        *_unread(plan),
        *way_findings(ways, (*RECORDING_RULES, *TRAP_RULES)),
        *contract_findings(ways),
        *caller_data_findings(plan, ways.targets),
    ]
    return by_gravity(found)


def by_gravity(found: Iterable[DialplanFinding]) -> list[DialplanFinding]:
    """Each finding once, the gravest first, then by place."""
    once = dict.fromkeys(found)
    return sorted(once, key=lambda one: (_GRAVITY.index(one.severity), one.place, one.address))


def _walked(plan: Dialplan, site: DialplanExpectations) -> tuple[Targets, Walk]:
    targets = Targets(plan, site.queue_members, site.entries)
    return targets, Walker(site, targets).walk_everywhere()


def _unread(plan: Dialplan) -> Iterator[DialplanFinding]:
    for place, why in plan.odd:
        yield DialplanFinding(DialplanFindingId.LINE_IGNORED, place, "", why)
    for context in plan.contexts.values():
        for name, place in context.switches.items():
            what = f"what the switch {name} adds is known to it alone"
            yield DialplanFinding(DialplanFindingId.NOT_FOLLOWED, place, context.name, what)
        for name, place in context.includes.items():
            if name not in plan.contexts:
                what = f"there is no context {name} to include"
                yield DialplanFinding(DialplanFindingId.TARGET_MISSING, place, context.name, what)
    for name, registrar in plan.registrars.items():
        if registrar in _NOT_READ:
            what = f"it was written for {registrar}; what it prints of it is followed"
            yield DialplanFinding(DialplanFindingId.NOT_READ, ConfigLine(registrar, 0), name, what)
