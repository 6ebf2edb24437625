"""The edges of the control flow: where a call can continue after a priority."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from asterisk_compliance.domain.dialplan.actions import (
    Act,
    AnswerApplication,
    answers,
    branches,
    destinations,
    dial_options,
)
from asterisk_compliance.domain.dialplan.expressions import separated


class Move(StrEnum):
    """How a call comes to the next priority."""

    GO = "go"
    CALL = "call"
    """A subroutine: it comes back behind its ``Return()``."""
    CALLED_LEG = "called_leg"
    """A subroutine on the leg of who is called, before he can talk."""
    LEG = "leg"
    """Another channel goes on there."""


class Target(NamedTuple):
    """Where to, as written; empty parts are those of the channel.

    Attributes:
        shift: Priorities further on than written.
    """

    context: str
    exten: str
    priority: str
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """Attributes:
    target: ``None`` is the next priority.
    answer: What the condition says about our decision.
    arguments: Of a subroutine.
    is_macro: Of a subroutine: ``LOCAL()`` has no variables of its own there.
    """

    move: Move
    target: Target | None = None
    answer: AnswerApplication = AnswerApplication.NOTHING
    arguments: tuple[str, ...] = ()
    is_macro: bool = False


NEXT: Final = Edge(Move.GO)
RETURN: Final = Edge(Move.GO, Target("", "", "<return>"))
"""Back to where the subroutine was called."""
MENU: Final = Edge(Move.GO, Target("", "", "<keys>"))
"""To whatever the caller chooses by keys."""
LOOP_END: Final = Edge(Move.GO, Target("", "", "<loop>"))
"""Behind the end of the loop."""

_ENDS: Final = frozenset({"hangup", "busy", "congestion"})
_PRIORITY_WITH_ARGUMENTS = re.compile(r"([^(]*)\((.*)\)\s*", re.DOTALL)


def edges(executed: Iterable[Act]) -> list[Edge]:
    """Every way on from a priority that executes this."""
    found: list[Edge] = []
    ended = False
    for act in executed:
        ways = list(_ways(act))
        found += [edge for edge in ways if edge is not NEXT]
        ended = ended or (NEXT not in ways and not act.sometimes)
    return found if ended else [*found, NEXT]


def _ways(act: Act) -> Iterator[Edge]:
    match act.app:
        case "goto":
            yield Edge(Move.GO, target_of(act.data), act.answer)
        case "gotoif" | "gotoiftime":
            yield from _conditional(act, Move.GO)
        case "gosub":
            yield _subroutine(act.data, act.answer)
        case "gosubif":
            yield from _conditional(act, Move.CALL)
        case "macro":
            name, *arguments = act.arguments
            target = Target(f"macro-{name}", "s", "1")
            yield Edge(Move.CALL, target, act.answer, tuple(arguments), is_macro=True)
        case "return" | "macroexit":
            yield RETURN
        case app if app not in _ENDS:
            yield from _aside(act)
            yield NEXT
        case _:
            pass


def _aside(act: Act) -> Iterator[Edge]:
    """Where an application can lead that also goes on behind itself."""
    match act.app:
        case "while" | "exitwhile" | "continuewhile":
            yield LOOP_END
        case "background" | "waitexten":
            yield MENU
        case "dial" | "queue":
            yield from _dialled(act)
        case "originate" if act.argument(1).lower() == "exten":
            where = Target(act.argument(2), act.argument(3) or "s", act.argument(4) or "1")
            yield Edge(Move.LEG, where)
        case _:
            pass


def _conditional(act: Act, move: Move) -> Iterator[Edge]:
    condition, *ways = branches(act.data)
    for text, answer in zip(ways, answers(condition), strict=True):
        if text and move is Move.CALL:
            yield _subroutine(text, answer)
        elif text:
            yield Edge(Move.GO, target_of(text), answer)
        else:
            yield Edge(Move.GO, None, answer)


def target_of(text: str) -> Target:
    """``context,extension,priority``, the first ones of which may be left out."""
    parts = [part.strip() for part in separated(text.strip())][:3]
    context, exten, priority = [*[""] * (3 - len(parts)), *parts]
    return Target(context, exten, priority)


def _subroutine(text: str, answer: AnswerApplication) -> Edge:
    target, arguments = routine_of(text)
    return Edge(Move.CALL, target, answer, arguments)


def routine_of(text: str) -> tuple[Target, tuple[str, ...]]:
    """``context,extension,priority(arguments)``."""
    *before, last = separated(text)
    given: tuple[str, ...] = ()
    if found := _PRIORITY_WITH_ARGUMENTS.fullmatch(last.strip()):
        last, given = found[1], _given(found[2])
    return target_of(",".join([*before, last])), given


def _given(text: str, mark: str = ",") -> tuple[str, ...]:
    return tuple(one.strip() for one in separated(text, mark)) if text.strip() else ()


def _dialled(act: Act) -> Iterator[Edge]:
    for option in dial_options(act):
        yield from _by_option(option.letter, option.argument)
    for one in destinations(act):
        if local := local_target(one):
            yield Edge(Move.LEG, local)
    if act.app == "queue":
        for at in (6, 7):
            name, *given = separated(act.argument(at), "^")
            if name and not name.isdigit():
                target, arguments = routine_of(name)
                where = target if target.context else Target(name, "s", "1")
                yield Edge(Move.CALLED_LEG, where, arguments=arguments or tuple(given))


def _by_option(letter: str, argument: str) -> Iterator[Edge]:
    parts = separated(argument, "^")
    match letter:
        case "U" if argument:
            yield Edge(Move.CALLED_LEG, Target(parts[0], "s", "1"), arguments=tuple(parts[1:]))
        case "M" if argument:
            target = Target(f"macro-{parts[0]}", "s", "1")
            yield Edge(Move.CALLED_LEG, target, arguments=tuple(parts[1:]), is_macro=True)
        case "b" | "B" if argument:
            where, _, given = argument.partition("(")
            arguments = _given(given.removesuffix(")"), "^")
            move = Move.CALLED_LEG if letter == "b" else Move.CALL
            yield Edge(move, target_of(where.replace("^", ",")), arguments=arguments)
        case "G" if argument:
            target = target_of(argument.replace("^", ","))
            yield Edge(Move.GO, target)
            yield Edge(Move.LEG, target._replace(shift=1))
        case "F" if argument:
            yield Edge(Move.LEG, target_of(argument.replace("^", ",")))
        case _:
            pass


def local_target(destination: str) -> Target | None:
    """Where a ``Local/extension@context/n`` executes the dialplan."""
    technology, _, rest = destination.partition("/")
    if technology.lower() != "local":
        return None
    exten, *context = separated(rest, "@", 1)
    where = separated(context[0], "/")[0] if context else "default"
    return Target(where, exten.strip(), "1")
