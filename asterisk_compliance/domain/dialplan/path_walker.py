"""Every way that a call can take through a dialplan, and what it knows at each priority.

Subroutines are followed with what the caller knows, and come back with what they know, each once
(T. Reps, S. Horwitz, M. Sagiv, "Precise interprocedural dataflow analysis via graph reachability",
POPL 1995). So it ends for every dialplan, also for one that calls itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from asterisk_compliance.domain.dialplan.actions import (
    Act,
    AnswerApplication,
    assignments,
    destinations,
)
from asterisk_compliance.domain.dialplan.control_flow import (
    MENU,
    RETURN,
    Edge,
    Move,
)
from asterisk_compliance.domain.dialplan.expectations import (
    CALLEE,
    NOTICES,
    OURS,
    DialplanExpectations,
)
from asterisk_compliance.domain.dialplan.jump_targets import Targets
from asterisk_compliance.domain.dialplan.model import Priority


class InformedLevel(IntEnum):
    """What happened to the party of a channel, from worst to best."""

    UNTOLD = 0
    TOLD = 1
    ALLOWED = 2
    """It was told, and this way is only for whom the decision lets be recorded."""


class ChannelState(NamedTuple):
    """What is known of a channel.

    Attributes:
        on_leg: It is in a subroutine of ``Dial()`` or ``Queue()``, on the leg of who is called.
        agi_exits: ``AGIEXITONHANGUP`` is set.
    """

    level: InformedLevel = InformedLevel.UNTOLD
    on_leg: bool = False
    agi_exits: bool = False


FRESH: Final = ChannelState()
"""A channel of which nothing is known."""


class SubroutineEntry(NamedTuple):
    """Where a subroutine was entered that comes back.

    Attributes:
        in_gosub: A ``Gosub()`` was, by now: it holds the variables of ``LOCAL()``.
    """

    step: Priority
    state: ChannelState
    in_gosub: bool


class Visit(NamedTuple):
    """Attributes:
    entry: Of the subroutine that the call is in, if it is in one.
    """

    entry: SubroutineEntry | None
    step: Priority
    state: ChannelState

    @property
    def in_gosub(self) -> bool:
        return self.entry is not None and self.entry.in_gosub


@dataclass(slots=True)
class Walk:
    """Attributes:
    origins: Every visit, and where the way began that led there first.
    unknown, missing: Where a way could not be followed, or leads nowhere, and what it was.
    """

    origins: dict[Visit, Priority] = field(default_factory=dict)
    unknown: dict[tuple[Priority, str], None] = field(default_factory=dict)
    missing: dict[tuple[Priority, str], None] = field(default_factory=dict)


def is_notice(act: Act, site: DialplanExpectations) -> bool:
    """Whether an application is our notice, entered past our routine."""
    if act.app in {"agi", "eagi"}:
        return act.data.startswith(("agi://", "hagi://")) and "/notice" in act.argument(0)
    return act.app == "stasis" and act.argument(0) == site.application and "policy=" in act.data


@dataclass(slots=True)
class Walker:
    """Follows ways; :meth:`walk` may be called again with more beginnings.

    A jump that can lead to many places leads to all of them at once, the first time only.
    """

    site: DialplanExpectations
    targets: Targets
    done: Walk = field(default_factory=Walk)
    _steps: set[Priority] = field(default_factory=set)
    _contexts: set[str] = field(default_factory=set)
    _fans: set[tuple[SubroutineEntry | None, int, ChannelState]] = field(default_factory=set)
    _waiting: list[Visit] = field(default_factory=list)
    _callers: dict[SubroutineEntry, list[tuple[Visit, Priority]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _exits: dict[SubroutineEntry, dict[ChannelState, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def walk(self, beginnings: Iterable[Priority]) -> Walk:
        """Follow every way from some priorities on."""
        for step in beginnings:
            self._go(Visit(None, step, FRESH), None)
        while self._waiting:
            self._follow(self._waiting.pop())
        return self.done

    def walk_everywhere(self) -> Walk:
        """Follow every way of the dialplan, from its beginnings and from what they do not reach."""
        self.walk(self.targets.beginnings())
        for step in self.targets.firsts():
            known = step.context in self._contexts and step.context in self.targets.led_to
            if step not in self._steps and not known:
                self.walk([step])
        return self.done

    def _go(self, visit: Visit, cause: Visit | None) -> None:
        if visit not in self.done.origins:
            origin = visit.step if cause is None else self.done.origins[cause]
            self.done.origins[visit] = origin
            self._steps.add(visit.step)
            self._contexts.add(visit.step.context)
            self._waiting.append(visit)

    def _fan_out(self, visit: Visit, steps: list[Priority], state: ChannelState) -> None:
        fan = (visit.entry, id(steps), state)
        if len(steps) == 1 or fan not in self._fans:
            self._fans.add(fan)
            for step in steps:
                self._go(Visit(visit.entry, step, state), visit)

    def _follow(self, visit: Visit) -> None:
        step = visit.step
        for state in self._after(step, visit.state):
            for edge in self.targets.edges(step):
                self._take(visit, edge, _told(state, edge.answer))
        for member in self.targets.members(step):
            self._take(visit, Edge(Move.LEG, member), visit.state)
        for special in self.targets.always(step):
            self._go(visit._replace(step=special), visit)

    def _after(self, step: Priority, state: ChannelState) -> list[ChannelState]:
        """What can be known behind the applications of a priority, subroutines apart."""
        states = [state]
        for act in self.targets.acts(step):
            changed = state
            if is_notice(act, self.site):
                changed = state._replace(level=max(state.level, InformedLevel.TOLD))
            elif any(name == "AGIEXITONHANGUP" for name, _ in assignments(act)):
                changed = state._replace(agi_exits=True)
            if changed != state:
                states = [*states, changed] if act.sometimes else [changed]
        return states

    def _take(self, visit: Visit, edge: Edge, state: ChannelState) -> None:
        step = visit.step
        if edge == RETURN or edge.target is None:
            self._pass(visit, edge, state)
        elif edge == MENU:
            self._fan_out(visit, self.targets.by_keys(step), state)
        elif edge.target.context in OURS:
            self._pass(visit, edge, self._behind_ours(edge, state))
        else:
            found = self._found(step, edge)
            if edge.move is Move.CALL and not found:
                self._pass(visit, Edge(Move.GO), state)
            if edge.move is Move.GO:
                self._fan_out(visit, found, state)
                return
            for one in found:
                self._enter(visit, edge, one, state)

    def _pass(self, visit: Visit, edge: Edge, state: ChannelState) -> None:
        """On behind a priority, or back out of a subroutine."""
        if edge == RETURN:
            if visit.entry is not None and state not in self._exits[visit.entry]:
                self._exits[visit.entry][state] = None
                for caller, back in self._callers[visit.entry]:
                    self._go(Visit(caller.entry, back, state), caller)
            return
        behind = self.targets.behind(visit.step)
        if behind is not None and edge.move in {Move.GO, Move.CALL}:
            self._go(Visit(visit.entry, behind, state), visit)

    def _behind_ours(self, edge: Edge, state: ChannelState) -> ChannelState:
        assert edge.target is not None
        told = edge.target.context in {*NOTICES, CALLEE}
        return state._replace(level=max(state.level, InformedLevel.TOLD)) if told else state

    def _found(self, step: Priority, edge: Edge) -> list[Priority]:
        assert edge.target is not None
        found = self.targets.find(step, edge.target)
        if found.unknown:
            self.done.unknown[step, found.unknown] = None
        elif not found.steps and found.written:
            self.done.missing[step, found.written] = None
        return found.steps

    def _enter(self, visit: Visit, edge: Edge, step: Priority, state: ChannelState) -> None:
        if edge.move is Move.CALL:
            self._call(visit, edge, step, state)
        elif edge.move is Move.CALLED_LEG:
            outside = self._rings_outside(visit.step)
            leg = ChannelState(InformedLevel.UNTOLD if outside else state.level, on_leg=True)
            self._go(Visit(SubroutineEntry(step, leg, not edge.is_macro), step, leg), visit)
        else:
            self._go(Visit(None, step, ChannelState(state.level)), visit)

    def _call(self, visit: Visit, edge: Edge, step: Priority, state: ChannelState) -> None:
        entry = SubroutineEntry(step, state, visit.in_gosub or not edge.is_macro)
        behind = self.targets.behind(visit.step)
        if behind is not None:
            self._callers[entry].append((visit, behind))
            for known in list(self._exits[entry]):
                self._go(Visit(visit.entry, behind, known), visit)
        self._go(Visit(entry, step, state), visit)

    def _rings_outside(self, step: Priority) -> bool:
        return any(
            self.site.is_outside(one)
            for act in self.targets.acts(step)
            for one in destinations(act)
        )


def _told(state: ChannelState, answer: AnswerApplication) -> ChannelState:
    if answer is AnswerApplication.ALLOWED and state.level is InformedLevel.TOLD:
        return state._replace(level=InformedLevel.ALLOWED)
    return state
