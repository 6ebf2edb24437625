"""Which extension a number reaches (``main/pbx.c``, ``ext_cmp`` and ``pbx_find_extension``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from asterisk_compliance.domain.dialplan.model import Context, Dialplan, Exten, Priority

SPECIAL: Final = frozenset({"s", "i", "t", "h", "T", "e", "a", "o", "failed", "fax"})
"""Extensions that Asterisk itself chooses, never somebody's keys."""

_SETS: Final = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_KEYS = re.compile(r"[0-9*#A-D+]+")
_MANY, _ANY = 1_000, 2_000
_HIGHEST_KEY: Final = 0xFF
"""Asterisk's patterns are of bytes."""
_MOST_CONTEXTS: Final = 128
"""``AST_PBX_MAX_STACK`` of ``main/pbx.c``: Asterisk looks no further."""


@lru_cache(maxsize=1 << 17)
def _elements(pattern: str) -> tuple[str, ...]:
    """The characters that each position of a pattern takes; ``.`` and ``!`` as they are."""
    found: list[str] = []
    at = 1
    while at < len(pattern):
        one = pattern[at]
        if one == "[" and "]" in pattern[at:]:
            end = pattern.index("]", at)
            found.append(_spread(pattern[at + 1 : end]))
            at = end
        elif one != "-":
            found.append(_SETS.get(one.upper(), one))
        at += 1
    return tuple(found)


def _spread(written: str) -> str:
    """``1-3a`` as ``123a``."""

    def chars(found: re.Match[str]) -> str:
        last = min(ord(found[2]), _HIGHEST_KEY)
        return "".join(map(chr, range(ord(found[1]), last + 1)))

    return re.sub(r"(.)-(.)", chars, written)


def matches(name: str, number: str) -> bool:
    """Whether an extension, a pattern or not, takes a number."""
    if not name.startswith("_"):
        return name == number
    elements = _elements(name)
    for at, taken in enumerate(elements):
        if taken == "!":
            return True
        if taken == ".":
            return len(number) > at
        if at >= len(number) or number[at] not in taken:
            return False
    return len(number) == len(elements)


def is_open(name: str) -> bool:
    """Whether a pattern takes characters of any kind: it ends in ``.`` or ``!``."""
    return name.startswith("_") and bool({".", "!"} & set(_elements(name)))


def can_be_dialled(name: str) -> bool:
    """Whether keys can choose it."""
    return name.startswith("_") or _KEYS.fullmatch(name) is not None


def shortest(name: str) -> int:
    """The length of the shortest number that it takes."""
    return len([one for one in _elements(name) if one != "!"]) if name[:1] == "_" else len(name)


def _rank(exten: Exten) -> tuple[object, ...]:
    """The more exact first: a name before a pattern, a few digits before many."""
    weights = {".": _MANY, "!": _ANY}
    elements = _elements(exten.name) if exten.name.startswith("_") else ()
    sizes = tuple((weights.get(one, len(one)), one[:1]) for one in elements)
    return (exten.name.startswith("_"), sizes, exten.cid is None, exten.name)


def reached(plan: Dialplan, name: str, number: str) -> Iterator[Exten]:
    """Every extension of a context and of what it includes that takes a number, the best first."""
    for context in within(plan, name):
        yield from taking(context, number)


def taking(context: Context, number: str) -> list[Exten]:
    """The extensions of one context that take a number, the best first."""
    found = [one for one in context.patterns if matches(one.name, number)]
    return sorted([*context.named.get(number, ()), *found], key=_rank)


def within(plan: Dialplan, name: str) -> Iterator[Context]:
    """A context and all that it includes, in the order in which Asterisk looks."""
    seen: set[str] = set()
    waiting = [name]
    while waiting and len(seen) < _MOST_CONTEXTS:
        one = waiting.pop()
        context = plan.contexts.get(one)
        if context is not None and one not in seen:
            seen.add(one)
            yield context
            waiting += reversed(context.includes)


def steps_of(plan: Dialplan, extens: Iterable[Exten], written: str) -> list[Priority]:
    """Where a jump to a priority or label of these extensions can lead; they are sorted best first.

    Several are found only where one of them is for some callers alone.
    """
    found: list[Priority] = []
    for exten in extens:
        step = priority_in(plan, exten, written)
        if step is not None:
            found.append(step)
            if exten.cid is None:
                break
    return found


def priority_in(plan: Dialplan, exten: Exten, written: str) -> Priority | None:
    """The priority or label of an extension."""
    if re.fullmatch(r"[0-9]{1,9}", written):
        return exten.steps.get(int(written))
    if step := exten.labels.get(written):
        return step
    first = exten.steps.get(1)
    return None if plan.exact_labels or first is None or first.label else first
