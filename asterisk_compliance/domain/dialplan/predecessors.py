"""From where something can be reached: the ways of a dialplan, read backwards.

What is known on the way does not count here, so one pass over all of them answers for every
priority.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from asterisk_compliance.domain.dialplan.control_flow import MENU, RETURN, Move
from asterisk_compliance.domain.dialplan.expectations import OURS
from asterisk_compliance.domain.dialplan.jump_targets import Targets
from asterisk_compliance.domain.dialplan.model import Priority

ONE_FRAME: Final = frozenset({Move.GO})
"""Jumps: what is left without a ``Return()``."""
ALL: Final = frozenset(Move)

_Node: TypeAlias = Priority | int
"""A number stands for all that one jump can lead to."""


def leading_to(
    targets: Targets, wanted: Iterable[Priority], moves: frozenset[Move] = ALL
) -> dict[Priority, Priority]:
    """Every priority from which a call can come to a wanted one, with that one."""
    before: dict[_Node, list[_Node]] = defaultdict(list)
    fans: set[int] = set()
    for step in targets.plan.steps():
        if step.context not in OURS:
            for steps in _following(targets, step, moves):
                _join(before, fans, step, steps)
    found: dict[_Node, Priority] = {step: step for step in wanted}
    waiting = deque(found)
    while waiting:
        node = waiting.popleft()
        for one in before[node]:
            if one not in found:
                found[one] = found[node]
                waiting.append(one)
    return {step: goal for step, goal in found.items() if isinstance(step, Priority)}


def _join(
    before: dict[_Node, list[_Node]], fans: set[int], step: Priority, steps: list[Priority]
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
    if moves == ALL:
        yield targets.always(step)
        for member in targets.members(step):
            yield targets.find(step, member).steps
