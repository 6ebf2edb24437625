"""Rules about paths: what is known of a channel where an application runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from asterisk_compliance.domain.dialplan.actions import Act
from asterisk_compliance.domain.dialplan.control_flow import Move
from asterisk_compliance.domain.dialplan.expectations import CALLEE, OURS, DialplanExpectations
from asterisk_compliance.domain.dialplan.extension_matching import can_be_dialled
from asterisk_compliance.domain.dialplan.findings import DialplanFinding, DialplanFindingId, at
from asterisk_compliance.domain.dialplan.jump_targets import ONE_FRAME, Targets, leading_to
from asterisk_compliance.domain.dialplan.model import Dialplan, Priority
from asterisk_compliance.domain.dialplan.path_walker import Visit, Walk

_RETURNS: Final = frozenset({"return", "macroexit"})
_TALKS: Final = frozenset({"confbridge", "dial", "queue"})


@dataclass(frozen=True)
class Ways:
    """A dialplan, what it is held to, and every way through it."""

    plan: Dialplan
    site: DialplanExpectations
    targets: Targets
    walk: Walk

    @cached_property
    def coming_back(self) -> Mapping[Priority, Priority]:
        """From where jumps lead to the end of a subroutine."""
        ends = (step for step in self.plan.steps() if step.app.lower() in _RETURNS)
        return leading_to(self.targets, ends, ONE_FRAME)

    def is_entered(self, begin: Priority) -> bool:
        """Whether a call begins there, and not a subroutine that something unseen calls.

        A number in a context that channels enter is a call. Elsewhere, what can come back may be a
        subroutine, unless it is a number that has to jump to another context for it; and so may a
        macro, which needs nothing to come back.
        """
        is_number = can_be_dialled(begin.exten)
        if begin.context in self.site.entries and (is_number or begin.exten == "s"):
            return True
        back = self.coming_back.get(begin)
        if back is None:
            return not begin.context.startswith("macro-")
        return is_number and back.context != begin.context

    @cached_property
    def talking(self) -> Mapping[Priority, Priority]:
        """From where jumps lead to where people talk."""
        talks = (step for step in self.plan.steps() if step.app.lower() in _TALKS)
        return leading_to(self.targets, talks, ONE_FRAME)

    @cached_property
    def telling_the_callee(self) -> frozenset[str]:
        """Subroutines for a leg that come to our routine for it."""
        callers: dict[str, set[str]] = defaultdict(set)
        for step in self.plan.steps():
            for edge in self.targets.edges(step):
                if edge.target is not None and edge.move in {Move.GO, Move.CALL}:
                    callers[edge.target.context].add(step.context)
        found, waiting = {CALLEE}, [CALLEE]
        while waiting:
            fresh = callers[waiting.pop()] - found
            found |= fresh
            waiting += fresh
        return frozenset(found)


_GRAVER: Final[Mapping[DialplanFindingId, tuple[DialplanFindingId, ...]]] = {
    DialplanFindingId.DECISION_NOT_ASKED: (DialplanFindingId.RECORDED_UNTOLD,),
    DialplanFindingId.RECORDED_TWICE: (
        DialplanFindingId.RECORDED_UNTOLD,
        DialplanFindingId.DECISION_NOT_ASKED,
    ),
}
"""What says more about the same priority, on another way to it."""

PathRule: TypeAlias = Callable[[Ways, Visit, Act], Iterator[DialplanFinding]]


def way_findings(ways: Ways, rules: Iterable[PathRule]) -> Iterator[DialplanFinding]:
    """What is wrong on some way through the site's own dialplan, once for each priority."""
    found: dict[tuple[Priority, DialplanFindingId], DialplanFinding] = {}
    rules = tuple(rules)
    for visit in ways.walk.origins:
        for act in () if visit.step.context in OURS else ways.targets.acts(visit.step):
            for finding in (one for rule in rules for one in rule(ways, visit, act)):
                found.setdefault((visit.step, finding.id), finding)
    for (step, which), finding in found.items():
        if not any((step, graver) in found for graver in _GRAVER.get(which, ())):
            yield finding
    for step, what in ways.walk.unknown:
        yield at(
            step, DialplanFindingId.NOT_FOLLOWED, f"where {what} leads is only known in the call"
        )
    for step, what in ways.walk.missing:
        yield at(step, DialplanFindingId.TARGET_MISSING, f"there is no {what}")
