"""A dialplan as Asterisk holds it: contexts, extensions and their priorities.

Built from the statements of ``extensions.conf`` by the rules of ``pbx/pbx_config.c``; what
``dialplan show`` prints becomes the same (``show_output.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from asterisk_compliance.domain.dialplan.config_lines import (
    ConfigLine,
    ConfigSection,
    ConfigStatement,
    Directive,
    Garbled,
    Setting,
)

HINT: Final = -1
"""The priority of a hint: nothing is executed there."""

_NO_PRIORITY: Final = -2
_PRIORITY = re.compile(
    r"(?P<name>[^()+]*)(?:\+(?P<plus>[0-9]{1,9}))?[^(]*(?:\((?P<label>[^)]*))?.*"
)


@dataclass(frozen=True, slots=True, eq=False)
class Priority:
    """One priority of an extension. Two steps are the same only if they are the same object.

    Attributes:
        exten: A number, a name, or a pattern with its ``_``.
        data: What stands between the parentheses, as written.
    """

    context: str
    exten: str
    priority: int
    label: str
    app: str
    data: str
    place: ConfigLine

    @property
    def address(self) -> str:
        """``context,exten,priority``."""
        return f"{self.context},{self.exten},{self.priority}"


@dataclass(slots=True)
class Exten:
    """Attributes:
    cid: The caller's number for which alone it is, or ``None``.
    labels: The priority that each label names.
    """

    name: str
    cid: str | None
    steps: dict[int, Priority] = field(default_factory=dict)
    labels: dict[str, Priority] = field(default_factory=dict)

    def add(self, step: Priority) -> None:
        """Add a priority; the first one of a number stays, as in Asterisk."""
        if self.steps.setdefault(step.priority, step) is step and step.label:
            self.labels.setdefault(step.label, step)


@dataclass(slots=True)
class Context:
    """Attributes:
    named, patterns: The extensions, those of each name and those that are patterns.
    includes, switches: Names, without their times, and where each stands.
    """

    name: str
    extens: dict[tuple[str, str | None], Exten] = field(default_factory=dict)
    named: dict[str, list[Exten]] = field(default_factory=dict)
    patterns: list[Exten] = field(default_factory=list)
    includes: dict[str, ConfigLine] = field(default_factory=dict)
    switches: dict[str, ConfigLine] = field(default_factory=dict)

    def add(self, step: Priority, cid: str | None) -> None:
        """Add a priority to the extension of a name, for some callers or for all."""
        exten = self.extens.get((step.exten, cid))
        if exten is None:
            exten = self.extens[step.exten, cid] = Exten(step.exten, cid)
            if step.exten.startswith("_"):
                self.patterns.append(exten)
            else:
                self.named.setdefault(step.exten, []).append(exten)
        exten.add(step)


@dataclass(slots=True)
class Dialplan:
    """Attributes:
    constants, constants_at: Global variables, and where each stands.
    odd: Lines that Asterisk leaves out, each with the reason.
    exact_labels: ``dialplan show`` prints no label of a first priority.
    registrars: Who made contexts: ``pbx_config``, ``pbx_ael``, ``pbx_lua``, a module.
    """

    contexts: dict[str, Context] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    constants_at: dict[str, ConfigLine] = field(default_factory=dict)
    odd: list[tuple[ConfigLine, str]] = field(default_factory=list)
    exact_labels: bool = True
    registrars: dict[str, str] = field(default_factory=dict)

    def context(self, name: str) -> Context:
        """The context of that name, made if there is none."""
        return self.contexts.setdefault(name, Context(name))

    def steps(self) -> Iterator[Priority]:
        """Every priority that can be executed."""
        for context in self.contexts.values():
            for exten in context.extens.values():
                yield from (step for number, step in exten.steps.items() if number != HINT)


def plan_of(statements: Iterable[ConfigStatement]) -> Dialplan:
    """The dialplan that ``extensions.conf`` makes, with what it includes in place."""
    plan = Dialplan()
    for name, settings in categories(statements, plan.odd):
        if name == "globals":
            plan.constants.update((one.name, one.value) for one in settings)
            plan.constants_at.update((one.name, one.place) for one in settings)
        elif name != "general":
            _fill(plan.context(name), settings, plan)
    return plan


@dataclass(slots=True)
class _Category:
    name: str
    settings: list[Setting]
    is_template: bool


def categories(
    statements: Iterable[ConfigStatement], odd: list[tuple[ConfigLine, str]]
) -> list[tuple[str, list[Setting]]]:
    """The settings of every ``[category]`` that is no template, also of files of other kinds.

    ``odd`` gets the lines that are left out, each with the reason.
    """
    found: list[_Category] = []
    current: _Category | None = None
    for one in statements:
        match one:
            case ConfigSection():
                current = _opened(one, found, odd)
            case Garbled():
                odd.append((one.place, one.why))
            case Directive():
                odd.append((one.place, f"#{one.word} is not followed"))
            case _ if current is None:
                odd.append((one.place, "it stands before the first context"))
            case _:
                current.settings.append(one)
    return [(one.name, one.settings) for one in found if not one.is_template]


def _opened(
    section: ConfigSection, found: list[_Category], odd: list[tuple[ConfigLine, str]]
) -> _Category:
    known = {one.name: one for one in reversed(found)}
    if "+" in section.options and section.name in known:
        return known[section.name]
    made = _Category(section.name, [], "!" in section.options)
    for option in section.options:
        if option in known:
            made.settings.extend(known[option].settings)
        elif option not in {"!", "+"}:
            odd.append((section.place, f"there is no template {option}"))
    found.append(made)
    return made


def _fill(context: Context, settings: Iterable[Setting], plan: Dialplan) -> None:
    last, exten = _NO_PRIORITY, ""
    for one in settings:
        match one.name.lower():
            case "exten" | "same" as word:
                rest = one.value
                if word == "exten":
                    exten, _, rest = rest.partition(",")
                if not exten:
                    plan.odd.append((one.place, "no extension stands before it"))
                    continue
                last = _add(context, exten, rest, last, one.place, plan)
            case "include":
                context.includes.setdefault(one.value.partition(",")[0].strip(), one.place)
            case "switch" | "lswitch" | "eswitch":
                context.switches.setdefault(one.value, one.place)
            case "ignorepat" | "autohints":
                pass
            case other:
                plan.odd.append((one.place, f"{other} is nothing that a context has"))


def _add(
    context: Context, exten: str, rest: str, last: int, place: ConfigLine, plan: Dialplan
) -> int:
    """Add one priority; its number, or the last one where it has none."""
    written, _, call = rest.partition(",")
    parts = _PRIORITY.match(written)
    assert parts is not None, "the pattern takes every text"
    number = _number(parts["name"].strip().lower(), last)
    if number is None:
        plan.odd.append((place, "it has no priority"))
        return last
    name, slash, cid = exten.replace(" ", "").partition("/")
    number += int(parts["plus"] or 0)
    app, data = (call.strip(), "") if number == HINT else _called(call, place, plan)
    step = Priority(context.name, name, number, parts["label"] or "", app, data, place)
    context.add(step, cid if slash else None)
    return number


def _number(written: str, last: int) -> int | None:
    match written:
        case "hint":
            return HINT
        case "n" | "next":
            return last + 1 if last > _NO_PRIORITY else None
        case "s" | "same":
            return last if last > _NO_PRIORITY else None
        case _:
            return int(written) if re.fullmatch(r"[0-9]{1,9}", written) else None


def _called(call: str, place: ConfigLine, plan: Dialplan) -> tuple[str, str]:
    """An application and its arguments: up to the last parenthesis."""
    app, opened, rest = call.strip().partition("(")
    data, closed, _ = rest.rpartition(")")
    if opened and not closed:
        plan.odd.append((place, "a parenthesis is not closed"))
        data = rest
    return app.strip(), data
