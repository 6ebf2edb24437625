"""Which priorities a jump can lead to, where calls begin, and from where a priority is reached.

Everything is looked up once: a dialplan of a hundred thousand priorities is checked in seconds.
:func:`leading_to` reads the edges backwards. It ignores what is known on the way, so one pass over
all edges answers for every priority.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from asterisk_compliance.domain.dialplan.actions import Act, acts, assignments
from asterisk_compliance.domain.dialplan.control_flow import (
    LOOP_END,
    MENU,
    RETURN,
    Edge,
    Move,
    Target,
    edges,
    local_target,
)
from asterisk_compliance.domain.dialplan.expectations import OURS
from asterisk_compliance.domain.dialplan.expressions import references
from asterisk_compliance.domain.dialplan.extension_matching import (
    SPECIAL,
    can_be_dialled,
    priority_in,
    shortest,
    steps_of,
    taking,
    within,
)
from asterisk_compliance.domain.dialplan.model import Context, Dialplan, Exten, Priority

_ALWAYS = ("h", "T", "e")
"""Where a channel goes from everywhere: its end, its time limit, an error."""
_FROM_MENU = ("i", "t")
_MENU_DIGITS = 4
"""A longer number is no choice in a menu: somebody outside dials it."""


class JumpResolution(NamedTuple):
    """Attributes:
    unknown: What of the target cannot be known; there may be steps all the same.
    written: The target; empty where the way just ends.
    """

    steps: list[Priority]
    unknown: str
    written: str


class Targets:
    """The jumps of one dialplan.

    Args:
        plan: The dialplan.
        members: Of each queue, whom it rings.
        entries: Contexts that channels enter, as their own files say.
    """

    def __init__(
        self,
        plan: Dialplan,
        members: Mapping[str, tuple[str, ...]],
        entries: frozenset[str] = frozenset(),
    ) -> None:
        self.plan = plan
        self._entries = entries
        self._members = {
            queue: [one for one in map(local_target, named) if one is not None]
            for queue, named in members.items()
        }
        self._homes = {
            step: exten
            for context in plan.contexts.values()
            for exten in context.extens.values()
            for step in exten.steps.values()
        }
        self._acts: dict[Priority, list[Act]] = {}
        self._edges: dict[Priority, list[Edge]] = {}
        self._found: dict[tuple[str, str, Target], JumpResolution] = {}
        self._taking: dict[tuple[str, str], list[Exten]] = {}
        self._scopes: dict[str, list[Context]] = {}
        self._always: dict[str, list[Priority]] = {}
        self._by_keys: dict[str, list[Priority]] = {}
        self._loops: dict[int, dict[int, int]] = {}

    @cached_property
    def constants(self) -> Mapping[str, str]:
        """Global variables that nothing in the dialplan sets."""
        changed = {
            re.sub(r"^GLOBAL\((.*)\)$", r"\1", one.name)
            for step in self.plan.steps()
            for act in acts(step, {})
            for one in assignments(act)
        }
        return {name: value for name, value in self.plan.constants.items() if name not in changed}

    def acts(self, step: Priority) -> list[Act]:
        """What a priority executes, with the values of constants."""
        if step not in self._acts:
            self._acts[step] = acts(step, self.constants)
        return self._acts[step]

    def edges(self, step: Priority) -> list[Edge]:
        """Every way on from a priority."""
        if step not in self._edges:
            self._edges[step] = edges(self.acts(step))
        return self._edges[step]

    def members(self, step: Priority) -> list[Target]:
        """Where the members of a queue execute the dialplan."""
        queues = (act.argument(0) for act in self.acts(step) if act.app == "queue")
        return [one for queue in queues for one in self._members.get(queue, ())]

    def behind(self, step: Priority) -> Priority | None:
        """The next priority: of a number that has none, that of a pattern which takes it too."""
        number = step.priority + 1
        found = self._homes[step].steps.get(number)
        if found is None and step.exten[:1] != "_":
            scope = within(self.plan, step.context)
            others = (one for context in scope for one in self.taking(context, step.exten))
            found = next((one.steps[number] for one in others if number in one.steps), None)
        return found

    # -- where a jump leads --------------------------------------------------------------------

    def find(self, step: Priority, target: Target) -> JumpResolution:
        """Where a jump from a priority leads; what is equal is one object."""
        if target == LOOP_END.target:
            return self._behind_loop(step)
        written = ",".join(part for part in target[:3] if part)
        written += f"+{target.shift}" if target.shift else ""
        context = target.context.replace("${CONTEXT}", step.context)
        for part in (context, target.priority):
            if "$" in part:
                return JumpResolution([], part, written)
        exten = target.exten or "${EXTEN}"
        if exten == "${EXTEN}" and not target.context:
            own = priority_in(self.plan, self._homes[step], target.priority)
            return JumpResolution(
                self._shifted([] if own is None else [own], target.shift), "", written
            )
        number = exten if step.exten[:1] == "_" else exten.replace("${EXTEN}", step.exten)
        key = (context or step.context, number, target)
        if key not in self._found:
            scope = list(within(self.plan, context)) if context else self._scope(step.context)
            steps, unknown = self._numbers(scope, number, target.priority)
            self._found[key] = JumpResolution(self._shifted(steps, target.shift), unknown, written)
        return self._found[key]

    def _numbers(
        self, scope: Iterable[Context], number: str, written: str
    ) -> tuple[list[Priority], str]:
        if "$" not in number:
            return self._first(scope, number, written), ""
        known = {one.name for one in references(number)} <= {"EXTEN"}
        every = [
            one
            for exten in _choices(scope)
            if (one := priority_in(self.plan, exten, written)) is not None
        ]
        return every, "" if known and every else number

    def _shifted(self, steps: Iterable[Priority], shift: int) -> list[Priority]:
        found = (self._homes[one].steps.get(one.priority + shift) for one in steps)
        return [one for one in found if one is not None]

    def taking(self, context: Context, number: str) -> list[Exten]:
        """The extensions of one context that take a number, the best first."""
        key = (context.name, number)
        if key not in self._taking:
            self._taking[key] = taking(context, number)
        return self._taking[key]

    def _first(self, scope: Iterable[Context], number: str, written: str) -> list[Priority]:
        extens = (one for context in scope for one in self.taking(context, number))
        return steps_of(self.plan, extens, written)

    def _scope(self, name: str) -> list[Context]:
        """Where a jump without a context is looked up: here, and where this is included."""
        if name not in self._scopes:
            names = [name, *self._includers.get(name, ())]
            contexts = (one for name in names for one in within(self.plan, name))
            self._scopes[name] = list({one.name: one for one in contexts}.values())
        return self._scopes[name]

    @cached_property
    def _includers(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.plan.contexts:
            for inner in within(self.plan, name):
                if inner.name != name:
                    found[inner.name].append(name)
        return found

    def by_keys(self, step: Priority) -> list[Priority]:
        """Where a caller can go by keys, and where he goes if he presses nothing or nonsense."""
        if step.context not in self._by_keys:
            scope = self._scope(step.context)
            chosen = [one.steps[1] for one in _choices(scope) if 1 in one.steps]
            others = [one for name in _FROM_MENU for one in self._first(scope, name, "1")]
            self._by_keys[step.context] = [*chosen, *others]
        return self._by_keys[step.context]

    def always(self, step: Priority) -> list[Priority]:
        """Where a channel can go from every priority of a context."""
        if step.exten in _ALWAYS:
            return []
        if step.context not in self._always:
            scope = self._scope(step.context)
            self._always[step.context] = [
                one for name in _ALWAYS for one in self._first(scope, name, "1")
            ]
        return self._always[step.context]

    def _behind_loop(self, step: Priority) -> JumpResolution:
        home = self._homes[step]
        if id(home) not in self._loops:
            self._loops[id(home)] = _loop_ends(home)
        end = self._loops[id(home)].get(step.priority)
        if end is None:
            return JumpResolution([], "", "end of the loop")
        behind = home.steps.get(end + 1)
        return JumpResolution([behind] if behind is not None else [], "", "")

    # -- where calls begin ---------------------------------------------------------------------

    def beginnings(self) -> Iterator[Priority]:
        """The first priorities that somebody reaches from outside of the dialplan.

        Of contexts to which nothing else leads, and of those that channels enter: their ``s``,
        and numbers too long for a menu; where there is no ``s``, every extension.
        """
        done: set[tuple[str, bool]] = set()
        for name in self.plan.contexts:
            if (name in self._entries or name not in self.led_to) and name not in OURS:
                scope = list(within(self.plan, name))
                has_menu = any("s" in one.named for one in scope)
                for context in scope:
                    if (context.name, has_menu) not in done:
                        done.add((context.name, has_menu))
                        yield from _beginnings_of(context, has_menu=has_menu)

    @cached_property
    def led_to(self) -> frozenset[str]:
        """Contexts that other ones jump to, call or include."""
        found = {inner for context in self.plan.contexts.values() for inner in context.includes}
        found |= {target.context for targets in self._members.values() for target in targets}
        for step in self.plan.steps():
            for edge in self.edges(step):
                target = edge.target
                if target and target.context and target.context != step.context:
                    found.add(target.context)
        return frozenset(found)

    def firsts(self) -> Iterator[Priority]:
        """First priorities of the site that somebody may come to, known beginnings or not."""
        for name, context in self.plan.contexts.items():
            for exten in context.extens.values() if name not in OURS else ():
                if 1 in exten.steps and exten.name not in SPECIAL - {"s"}:
                    yield exten.steps[1]


def _choices(scope: Iterable[Context]) -> Iterator[Exten]:
    """What keys can choose."""
    for context in scope:
        for exten in context.extens.values():
            if can_be_dialled(exten.name):
                yield exten


def _beginnings_of(context: Context, *, has_menu: bool) -> Iterator[Priority]:
    for one in context.extens.values():
        is_menu_choice = has_menu and one.name != "s" and shortest(one.name) <= _MENU_DIGITS
        if 1 in one.steps and not is_menu_choice and one.name not in SPECIAL - {"s"}:
            yield one.steps[1]


def _loop_ends(exten: Exten) -> dict[int, int]:
    """The priority of the ``EndWhile()`` that each priority inside of a loop belongs to."""
    ends: dict[int, int] = {}
    inside: list[tuple[int, int | None]] = []
    loops: list[int] = []
    for number in sorted(exten.steps):
        app = exten.steps[number].app.lower()
        if app == "while":
            loops.append(number)
        inside.append((number, loops[-1] if loops else None))
        if app == "endwhile" and loops:
            ends[loops.pop()] = number
    return {number: ends[loop] for number, loop in inside if loop in ends}


ONE_FRAME: Final = frozenset({Move.GO})
"""Jumps: what is left without a ``Return()``."""
EVERY_MOVE: Final = frozenset(Move)

_PathNode: TypeAlias = Priority | int
"""A number stands for all that one jump can lead to."""


def leading_to(
    targets: Targets, wanted: Iterable[Priority], moves: frozenset[Move] = EVERY_MOVE
) -> dict[Priority, Priority]:
    """Every priority from which a call can come to a wanted one, with that one."""
    before: dict[_PathNode, list[_PathNode]] = defaultdict(list)
    fans: set[int] = set()
    for step in targets.plan.steps():
        if step.context not in OURS:
            for steps in _following(targets, step, moves):
                _join(before, fans, step, steps)
    found: dict[_PathNode, Priority] = {step: step for step in wanted}
    waiting = deque(found)
    while waiting:
        node = waiting.popleft()
        for one in before[node]:
            if one not in found:
                found[one] = found[node]
                waiting.append(one)
    return {step: goal for step, goal in found.items() if isinstance(step, Priority)}


def _join(
    before: dict[_PathNode, list[_PathNode]], fans: set[int], step: Priority, steps: list[Priority]
) -> None:
    if len(steps) == 1:
        before[steps[0]].append(step)
    elif steps:
        fan = id(steps)
        before[fan].append(step)
        if fan not in fans:
            fans.add(fan)
            for one in steps:
                before[one].append(fan)


def _following(
    targets: Targets, step: Priority, moves: frozenset[Move]
) -> Iterator[list[Priority]]:
    for edge in targets.edges(step):
        ours = edge.target is not None and edge.target.context in OURS
        passed = edge.move is Move.CALL or (edge.move is Move.GO and (ours or not edge.target))
        behind = targets.behind(step) if passed else None
        if behind is not None:
            yield [behind]
        if edge == MENU:
            yield targets.by_keys(step)
        elif edge.target is not None and not ours and edge != RETURN and edge.move in moves:
            yield targets.find(step, edge.target).steps
    if moves == EVERY_MOVE:
        yield targets.always(step)
        for member in targets.members(step):
            yield targets.find(step, member).steps
