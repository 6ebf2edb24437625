"""What a priority does: the applications that it executes, some of them conditionally.

``ExecIf()``, ``Exec()`` and similar applications execute another one, and that one counts.
:func:`acts` reads this from a dialplan, :func:`executed` from the AMI event of a running one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from asterisk_compliance.domain.dialplan.expressions import (
    Option,
    called,
    options,
    separated,
    shallow,
    with_constants,
)
from asterisk_compliance.domain.dialplan.model import Priority


class AnswerApplication(StrEnum):
    """What is known of the decision where a condition has been looked at."""

    NOTHING = "nothing"
    ALLOWED = "allowed"
    """It asked for our status, and this is the way of who may be recorded."""


@dataclass(frozen=True, slots=True)
class Act:
    """One application, executed at a priority.

    Attributes:
        app: In lower case, if it is a name and not computed.
        data: With the values of constants.
        sometimes: It depends on a condition.
        answer: What that condition says about our decision.
    """

    app: str
    data: str
    sometimes: bool = False
    answer: AnswerApplication = AnswerApplication.NOTHING

    @property
    def arguments(self) -> list[str]:
        """Separated by commas, without spaces around them."""
        return [piece.strip() for piece in separated(self.data)]

    def argument(self, number: int) -> str:
        """The argument of that number, from 0 on; empty if there is none."""
        found = self.arguments
        return found[number] if number < len(found) else ""


_DEEPEST = 4
_ASKED = re.compile(r"COMPLIANCE_(?:STATUS|RECORDING_ID)|GOSUB_RETVAL")
_STATUS = re.compile(
    r"""\s*"?\$\{(?:COMPLIANCE_STATUS|GOSUB_RETVAL)\}"?\s*(?P<how>!=|==?)\s*"?(?P<what>\w*)"?\s*"""
)
_ID = re.compile(r"""\s*"?\$\{COMPLIANCE_RECORDING_ID\}"?\s*(?P<how>!=|==?)\s*(?P<what>"")\s*""")
_MAY = frozenset({"ALLOWED", "RECORDING"})


def acts(step: Priority, constants: Mapping[str, str]) -> list[Act]:
    """Every application that a priority can execute, in order."""
    app = with_constants(step.app, constants)
    data = shallow(with_constants(step.data, constants))
    return _acts(Act(_name(app), data), _DEEPEST)


def _name(app: str) -> str:
    return app if "$" in app else app.lower()


def _acts(act: Act, depth: int) -> list[Act]:
    inner: Iterable[Act]
    match act.app:
        case "execif" if depth:
            inner = _of_execif(act)
        case "exec" | "tryexec" if depth:
            inner = [_act(act.data, act)]
        case "retrydial":
            inner = [Act("dial", ",".join(separated(act.data)[3:]), act.sometimes, act.answer)]
        case _:
            return [act]
    return [one for made in inner for one in _acts(made, depth - 1)]


def _of_execif(act: Act) -> Iterator[Act]:
    condition, then, other = branches(act.data)
    for text, answer in zip((then, other), answers(condition), strict=True):
        if text:
            yield _act(text, Act("", "", sometimes=True, answer=answer))


def _act(text: str, how: Act) -> Act:
    app, data = called(text)
    return Act(_name(app), data, how.sometimes, how.answer)


def branches(data: str) -> tuple[str, str, str]:
    """``condition?then:otherwise`` taken apart."""
    condition, *rest = separated(data, "?", 1)
    then, *other = separated(rest[0] if rest else "", ":", 1)
    return condition.strip(), then.strip(), other[0].strip() if other else ""


_Answers: TypeAlias = tuple[AnswerApplication, AnswerApplication]
_NEITHER: Final = (AnswerApplication.NOTHING, AnswerApplication.NOTHING)
_BOTH: Final = (AnswerApplication.ALLOWED, AnswerApplication.ALLOWED)


def answers(condition: str) -> _Answers:
    """What is known where a condition holds, and where it does not.

    Only ALLOWED and RECORDING say that somebody may be recorded: who has not refused may have heard
    no notice. Both ways of a question about our decision that is not understood are believed.
    """
    if not _ASKED.search(condition):
        return _NEITHER
    if condition == "${COMPLIANCE_RECORDING_ID}":
        return AnswerApplication.ALLOWED, AnswerApplication.NOTHING
    if condition.startswith("$[") and condition.endswith("]"):
        return _expressed(condition[2:-1])
    return _BOTH


def _expressed(text: str) -> _Answers:
    """Of ``a | b``, ``a & b`` or one comparison."""
    for mark, joined in (("|", _either), ("&", _all)):
        parts = separated(text, mark)
        if len(parts) > 1:
            return joined([_expressed(part) for part in parts])
    if not _ASKED.search(text):
        return _NEITHER
    if found := _STATUS.fullmatch(text):
        equal = (
            (AnswerApplication.ALLOWED, AnswerApplication.NOTHING)
            if found["what"] in _MAY
            else _NEITHER
        )
    elif found := _ID.fullmatch(text):
        equal = (AnswerApplication.NOTHING, AnswerApplication.ALLOWED)
    else:
        return _BOTH
    return equal[::-1] if found["how"] == "!=" else equal


def _either(parts: list[_Answers]) -> _Answers:
    """Where one of them holds, and where none does."""
    holds, fails = zip(*parts, strict=True)
    return _of_all(holds), _of_any(fails)


def _all(parts: list[_Answers]) -> _Answers:
    """Where all of them hold, and where one does not."""
    holds, fails = zip(*parts, strict=True)
    return _of_any(holds), _of_all(fails)


def _of_all(known: tuple[AnswerApplication, ...]) -> AnswerApplication:
    return (
        AnswerApplication.NOTHING
        if AnswerApplication.NOTHING in known
        else AnswerApplication.ALLOWED
    )


def _of_any(known: tuple[AnswerApplication, ...]) -> AnswerApplication:
    return (
        AnswerApplication.ALLOWED
        if AnswerApplication.ALLOWED in known
        else AnswerApplication.NOTHING
    )


class Assignment(NamedTuple):
    """``name``: of a variable without its ``_``, or of a function with its arguments."""

    name: str
    value: str


def assignments(act: Act) -> list[Assignment]:
    """What ``Set()``, ``MSet()`` or ``Read()`` give a value; a list for ``ARRAY()``."""
    return [Assignment(_in_local(name) or name, value) for name, value in _written(act)]


def local_names(act: Act) -> list[str]:
    """The variables that it sets by ``LOCAL()``."""
    return [name for one, _ in _written(act) if (name := _in_local(one))]


def _in_local(name: str) -> str:
    """The variable inside of ``LOCAL()``; empty for whatever is none."""
    function, inner = called(name)
    return inner.strip() if function.upper() == "LOCAL" else ""


def _written(act: Act) -> list[Assignment]:
    """As :func:`assignments`, ``LOCAL()`` as it stands there."""
    match act.app:
        case "set":
            return list(_assigned(act.data))
        case "mset":
            return [one for pair in separated(act.data) for one in _assigned(pair)]
        case "read" | "readexten":
            return [Assignment(act.argument(0), "")]
        case _:
            return []


def _assigned(pair: str) -> Iterator[Assignment]:
    name, *value = separated(pair, "=", 1)
    name = name.strip().lstrip("_")
    function, inner = called(name)
    names = separated(inner) if function.upper() in {"ARRAY", "HASH"} else [name]
    for one in names:
        yield Assignment(one.strip(), "".join(value))


def dial_options(act: Act) -> list[Option]:
    """The options of ``Dial()`` or ``Queue()``; none for other applications."""
    match act.app:
        case "dial":
            return options(act.argument(2))
        case "queue":
            return options(act.argument(1))
        case _:
            return []


def destinations(act: Act) -> list[str]:
    """Whom ``Dial()`` rings: ``PJSIP/1001``, one after the other."""
    return [one.strip() for one in separated(act.argument(0), "&")] if act.app == "dial" else []


_NUMBER = re.compile(r"\s*[+-]?[0-9]+")
_DEEPEST_EXEC: Final = 4
"""``ExecIf()`` inside of each other."""


def executed(application: str, data: str) -> tuple[str, str]:
    """What really runs, in lower case, and its arguments: ``ExecIf()`` and its like run another."""
    app, text = application.lower(), shallow(data)
    for _ in range(_DEEPEST_EXEC):
        match app:
            case "execif":
                condition, then, other = branches(text)
                text = then if _holds(condition) else other
            case "exec" | "tryexec":
                pass
            case _:
                break
        app, text = called(text)
        app = app.lower()
    return app, text


def _holds(condition: str) -> bool:
    """As Asterisk sees it (main/pbx.c, ``pbx_checkcondition``): a number, or any other text."""
    number = _NUMBER.match(condition)
    return int(number[0][:20]) != 0 if number else bool(condition)
