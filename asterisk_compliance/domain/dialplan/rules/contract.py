"""Rules about how our routines are called (``docs/dialplan.md``), and emergency numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from asterisk_compliance.domain.dialplan.actions import assignments
from asterisk_compliance.domain.dialplan.config_lines import ConfigLine
from asterisk_compliance.domain.dialplan.control_flow import Edge, Move
from asterisk_compliance.domain.dialplan.expectations import (
    CALLEE,
    NOTICES,
    OURS,
    OURS_ALONE,
    ROUTINES,
)
from asterisk_compliance.domain.dialplan.extension_matching import within
from asterisk_compliance.domain.dialplan.findings import DialplanFinding, DialplanFindingId, at
from asterisk_compliance.domain.dialplan.jump_targets import leading_to
from asterisk_compliance.domain.dialplan.model import Context, Dialplan, Exten, Priority
from asterisk_compliance.domain.dialplan.rules.paths import Ways
from asterisk_compliance.domain.dialplan.rules.recording import starts_recording

SITE_VARIABLES: Final = frozenset({"COMPLIANCE_CDR", "COMPLIANCE_SHOW_NAME"})
"""Global variables of ours that a site sets."""
_DIRECTIONS: Final = {
    **dict.fromkeys(NOTICES, (2, frozenset({"inbound", "internal"}))),
    CALLEE: (1, frozenset({"outbound", "callback", "internal"})),
}
_TELLING: Final = frozenset({CALLEE, *NOTICES})
_FEATURE: Final = "compliancesegment"


def contract_findings(ways: Ways) -> Iterator[DialplanFinding]:
    """What is wrong with the contract, on whatever way a call comes there."""
    yield from _routines(ways)
    yield from _features(ways)
    for step in ways.plan.steps():
        if step.context not in OURS:
            for edge in ways.targets.edges(step):
                yield from _called(ways, step, edge)
            yield from _variables(ways, step)
    for name in ways.plan.constants:
        if name.startswith("COMPLIANCE_") and name not in SITE_VARIABLES:
            yield DialplanFinding(
                DialplanFindingId.VARIABLE_SET, ways.plan.constants_at[name], "", _ours(name)
            )
    yield from _emergencies(ways)


def _ours(name: str) -> str:
    return f"{name} is ours: our routines and the service believe what it holds"


def _variables(ways: Ways, step: Priority) -> Iterator[DialplanFinding]:
    for act in ways.targets.acts(step):
        for name, _ in assignments(act):
            bare = re.sub(r"^(?:GLOBAL|SHARED)\(([^,)]*).*", r"\1", name).lstrip("_")
            if bare.startswith("COMPLIANCE_") and bare not in SITE_VARIABLES:
                yield at(step, DialplanFindingId.VARIABLE_SET, _ours(bare))


# -- how our routines are called ---------------------------------------------------------------


def _called(ways: Ways, step: Priority, edge: Edge) -> Iterator[DialplanFinding]:
    target = edge.target
    if target is None or target.context not in OURS:
        return
    if target.context in OURS_ALONE:
        what = f"{target.context} is called by our routines alone, and may change"
        yield at(step, DialplanFindingId.ROUTINE_NOT_YOURS, what)
        return
    routine = ROUTINES[target.context]
    if edge.move is Move.GO:
        return  # a Goto() into a routine has a finding of its own
    if (target.exten or "s") not in routine.extens or target.priority != "1":
        what = f"{target.context} begins at {' or '.join(sorted(routine.extens))},1"
        yield at(step, DialplanFindingId.ROUTINE_ARGUMENTS, what)
    if not routine.least <= len(edge.arguments) <= routine.most or (
        routine.least and not edge.arguments[0]
    ):
        counts = " to ".join(map(str, sorted({routine.least, routine.most})))
        what = f"{target.context} takes {counts} arguments, and gets {len(edge.arguments)}"
        yield at(step, DialplanFindingId.ROUTINE_ARGUMENTS, what)
    elif target.context in _DIRECTIONS:
        yield from _policy(ways, step, edge.arguments[0])
        number, words = _DIRECTIONS[target.context]
        for direction in edge.arguments[number : number + 1]:
            if direction and "$" not in direction and direction not in words:
                what = f"a direction is {', '.join(sorted(words))}, and not what stands there"
                yield at(step, DialplanFindingId.ROUTINE_ARGUMENTS, what)


def _policy(ways: Ways, step: Priority, name: str) -> Iterator[DialplanFinding]:
    if "$" in name:
        what = f"which policy {name} names is only known in the call"
        yield at(step, DialplanFindingId.NOT_FOLLOWED, what)
    elif ways.site.policies is not None and name not in ways.site.policies:
        what = f"there is no policy {name}: its calls are POLICY_UNKNOWN, and never recorded"
        yield at(step, DialplanFindingId.POLICY_UNKNOWN, what)


# -- what must be there ------------------------------------------------------------------------


def _routines(ways: Ways) -> Iterator[DialplanFinding]:
    needed = _needed(ways)
    missing = [name for name in needed if name not in ways.plan.contexts]
    for name in missing:
        what = f"{name} is not in the dialplan: who is sent there is hung up"
        yield at(needed[name], DialplanFindingId.ROUTINE_MISSING, what)
    if not OURS & set(ways.plan.contexts):
        what = "none of our routines is in the dialplan"
        yield DialplanFinding(DialplanFindingId.ROUTINE_MISSING, _anywhere(ways.plan), "", what)
        return
    for name, now in ways.site.rendered.contexts.items() if ways.site.policies else ():
        there = ways.plan.contexts.get(name, Context(name))
        if name not in missing and _text(there) != _text(now):
            first = next((s for e in there.extens.values() for s in e.steps.values()), None)
            place = first.place if first else _anywhere(ways.plan)
            what = f"{name} is not what dialplan render makes now"
            yield DialplanFinding(DialplanFindingId.ROUTINE_OLD, place, name, what)


def _needed(ways: Ways) -> dict[str, Priority]:
    """Our routines that the site calls, each with a priority that does."""
    return {
        edge.target.context: step
        for step in ways.plan.steps()
        if step.context not in OURS
        for edge in ways.targets.edges(step)
        if edge.target is not None and edge.target.context in OURS
    }


def _text(context: Context) -> dict[tuple[str, int], tuple[str, str]]:
    """All that it does."""
    return {
        (exten.name, number): (step.app, step.data)
        for exten in context.extens.values()
        for number, step in exten.steps.items()
    }


def _anywhere(plan: Dialplan) -> ConfigLine:
    first = next(plan.steps(), None)
    return first.place if first else ConfigLine("extensions.conf", 0)


def _features(ways: Ways) -> Iterator[DialplanFinding]:
    known = ways.site.features
    if ways.site.segments and known is not None and _FEATURE not in known:
        what = "no feature of ours is in [applicationmap]: no pause, no withdrawal, no new segment"
        yield DialplanFinding(
            DialplanFindingId.FEATURES_MISSING, ConfigLine("features.conf", 0), "", what
        )
    everywhere = ways.plan.constants.get("DYNAMIC_FEATURES", "")
    if feature := starts_recording(everywhere, ways.site):
        what = f"the feature {feature} records whoever has heard no notice"
        place = ways.plan.constants_at["DYNAMIC_FEATURES"]
        yield DialplanFinding(DialplanFindingId.RECORDED_UNTOLD, place, "", what)


# -- emergency numbers -------------------------------------------------------------------------


def _emergencies(ways: Ways) -> Iterator[DialplanFinding]:
    tells = [step for step in ways.plan.steps() if _calls(ways, step, _TELLING)]
    telling = leading_to(ways.targets, tells)
    by_pattern: dict[Priority, list[str]] = {}
    told: set[Priority] = set()
    for exten, number in _emergency_extensions(ways):
        if exten.name.startswith("_"):
            steps = (
                step for step in exten.steps.values() if _calls(ways, step, frozenset({CALLEE}))
            )
            if (step := next(steps, None)) is not None:
                by_pattern.setdefault(step, []).append(number)
        elif (step := telling.get(exten.steps[1])) is not None and step not in told:
            told.add(step)
            what = f"who dials {number} is told, or waits for us, before he gets help"
            yield at(step, DialplanFindingId.EMERGENCY_TOLD, what)
    for step, numbers in by_pattern.items():
        which = ", ".join(dict.fromkeys(numbers))
        what = f"the pattern also takes {which}, and tells who answers there"
        yield at(step, DialplanFindingId.EMERGENCY_BY_PATTERN, what)


def _emergency_extensions(ways: Ways) -> Iterator[tuple[Exten, str]]:
    """What each emergency number reaches in each context of the site."""
    for name in ways.plan.contexts:
        for number in sorted(ways.site.emergency) if name not in OURS else ():
            extens = (
                exten
                for context in within(ways.plan, name)
                for exten in ways.targets.taking(context, number)[:1]
            )
            exten = next(extens, None)
            if exten is not None and 1 in exten.steps:
                yield exten, number


def _calls(ways: Ways, step: Priority, routines: frozenset[str]) -> bool:
    """Whether a priority calls a routine that tells somebody.

    Of a pattern only the leg that it calls counts: our notice lets emergency numbers pass.
    """
    return step.context not in OURS and any(
        edge.target is not None and edge.target.context in routines
        for edge in ways.targets.edges(step)
    )
