"""Rules about data that a caller controls, and where it must not arrive unescaped.

A variable that holds caller data anywhere in the dialplan is assumed to hold it everywhere. So the
order of statements cannot hide a finding.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from asterisk_compliance.domain.dialplan.actions import Act, assignments, destinations, dial_options
from asterisk_compliance.domain.dialplan.control_flow import Move
from asterisk_compliance.domain.dialplan.expectations import CALLEE, NOTICES
from asterisk_compliance.domain.dialplan.expressions import Reference, called, references, separated
from asterisk_compliance.domain.dialplan.extension_matching import is_open
from asterisk_compliance.domain.dialplan.findings import DialplanFinding, DialplanFindingId, at
from asterisk_compliance.domain.dialplan.jump_targets import Targets
from asterisk_compliance.domain.dialplan.model import Dialplan, Priority

_FUNCTIONS: Final = frozenset(
    {"CALLERID", "CDR", "CONNECTEDLINE", "PJSIP_HEADER", "REDIRECTING", "SIP_HEADER"}
)
_VARIABLES: Final = frozenset(
    {"CALLERIDNAME", "CALLERIDNUM", "INVALID_EXTEN", "MACRO_EXTEN", "SIPDOMAIN", "SIPURI"}
)
_SAFE: Final = frozenset(
    """
    BASE64_ENCODE DIALPLAN_EXISTS EXISTS FIELDNUM FIELDQTY FILTER ISNULL LEN MATH MD5 REGEX SHA1
    STRFTIME STRPTIME URIENCODE VALID_EXTEN
    """.split()  # noqa: SIM905 - easier to read
)
"""What they return is a number, a digest, or made of harmless characters.

``QUOTE()`` is none of them: a shell executes ``$(…)`` inside of double quotes.
"""
_BY_NAME: Final = frozenset(
    """
    CUT GLOBAL LISTFILTER MASTER_CHANNEL PASSTHRU POP REPLACE SHARED SHIFT STRREPLACE
    """.split()  # noqa: SIM905 - easier to read
)
"""Functions whose first argument is the name of a variable."""
_KEYS: Final = "${CALLERID(dnid)}"
"""What somebody has pressed is as much his as what he has dialled."""
_WORD: Final = re.compile(r"\w+")
_EXECUTING: Final = frozenset({"EVAL", "SHELL"})
_PATHS: Final = frozenset({"FILE", "STAT"})
_PROGRAMS: Final = frozenset({"mixmonitor", "monitor", "system", "trysystem"})
_NAMED_FIRST: Final = frozenset({"agi", "deadagi", "eagi", "externalivr", "record"})
"""Applications whose first argument is a program or a file."""


def caller_data_findings(plan: Dialplan, targets: Targets) -> Iterator[DialplanFinding]:
    """Where what a caller controls is executed, names a file, or is passed on as it is."""
    taint = _Taint(plan, targets)
    for step in plan.steps():
        for act in targets.acts(step):
            yield from _of(taint, step, act)


def _of(taint: _Taint, step: Priority, act: Act) -> Iterator[DialplanFinding]:
    executed = next(_executed(taint, step, act), "")
    if executed:
        what = f"a caller can write what stands in {executed}"
        yield at(step, DialplanFindingId.CALLER_DATA_EXECUTED, what)
    elif act.app in {"agi", "deadagi", "eagi"} and taint.reaches(act.data, step):
        what = f"a caller can add to the arguments of {act.app}()"
        yield at(step, DialplanFindingId.CALLER_DATA_PASSED, what)
    elif act.app == "dial" and taint.reaches(_dialled(act), step):
        what = "a caller can add to whom is dialled, and to the options"
        yield at(step, DialplanFindingId.CALLER_DATA_PASSED, what)
    elif any(taint.reaches(name, step) for name in _policies(taint, step)):
        what = "a caller can choose the policy by which he is recorded"
        yield at(step, DialplanFindingId.CALLER_DATA_PASSED, what)


def _policies(taint: _Taint, step: Priority) -> list[str]:
    return [
        edge.arguments[0]
        for edge in taint.targets.edges(step)
        if edge.arguments and edge.target and edge.target.context in {*NOTICES, CALLEE}
    ]


def _dialled(act: Act) -> str:
    return ",".join([*destinations(act), *(one.argument for one in dial_options(act))])


def _executed(taint: _Taint, step: Priority, act: Act) -> Iterator[str]:
    """What executes caller data, or opens a file by it, in words."""
    if taint.reaches(act.app, step):
        yield "the name of an application"
    if act.app in _PROGRAMS and taint.reaches(act.data, step):
        yield f"{act.app}()"
    remote = act.data.startswith(("agi://", "hagi://"))
    if act.app in _NAMED_FIRST and not remote and taint.reaches(act.argument(0), step):
        yield f"the name that {act.app}() is given"
    for name, _ in assignments(act):
        function, inner = called(name)
        if function.upper() in _PATHS and taint.reaches(inner, step):
            yield f"the path that {function}() writes"
    for one in references(act.data, nested=True):
        name, text = one.name.upper(), one.arguments
        if name in _PATHS:
            text = separated(text)[0]
        if one.is_function and name in {*_EXECUTING, *_PATHS} and taint.reaches(text, step):
            yield f"the argument of {name}()"


class _Flow(NamedTuple):
    """What a variable, or an argument of a subroutine in a context, is given at a priority."""

    context: str
    name: str
    given: str
    step: Priority


class _Taint:
    """Which variables hold caller data, and which arguments of subroutines."""

    def __init__(self, plan: Dialplan, targets: Targets) -> None:
        self.targets = targets
        self._names: set[str] = set(_VARIABLES)
        self._arguments: set[tuple[str, str]] = set()
        self._spread([flow for step in plan.steps() for flow in self._flows(step)])

    def _spread(self, flows: list[_Flow]) -> None:
        """Follow it to where nothing new is reached, each flow once for what it mentions."""
        mentioning: dict[tuple[str, str], list[_Flow]] = defaultdict(list)
        for flow in flows:
            for word in set(_WORD.findall(flow.given)):
                mentioning[_key(word, flow.step.context)].append(flow)
        waiting = flows
        while waiting:
            flow = waiting.pop()
            known = (flow.context, flow.name) in self._arguments or flow.name in self._names
            if not known and self.reaches(flow.given, flow.step):
                if flow.context:
                    self._arguments.add((flow.context, flow.name))
                else:
                    self._names.add(flow.name)
                waiting += mentioning[_key(flow.name, flow.context)]

    def _flows(self, step: Priority) -> Iterator[_Flow]:
        for act in self.targets.acts(step):
            for name, value in assignments(act):
                function, inner = called(name)
                bare = separated(inner)[0].strip() if function.upper() in _BY_NAME else name
                given = _KEYS if act.app.startswith("read") else value
                yield _Flow(step.context if bare.startswith("ARG") else "", bare, given, step)
        for edge in self.targets.edges(step):
            if edge.target is not None and edge.move in {Move.CALL, Move.CALLED_LEG}:
                context = edge.target.context or step.context
                for number, given in enumerate(edge.arguments, 1):
                    yield _Flow(context, f"ARG{number}", given, step)

    def reaches(self, text: str, step: Priority) -> bool:
        """Whether caller data can stand in a text as they came."""
        return any(self._is_dirty(one, step) for one in references(text))

    def _is_dirty(self, one: Reference, step: Priority) -> bool:
        name = one.name.upper()
        if not one.is_function:
            return (
                one.name in self._names
                or (step.context, name) in self._arguments
                or (name == "EXTEN" and is_open(step.exten))
                or (not name and self.reaches(one.arguments, step))
            )
        if name in _SAFE:
            return False
        if name in _BY_NAME:
            variable = Reference(separated(one.arguments)[0].strip(), "", is_function=False)
            if self._is_dirty(variable, step):
                return True
        return name in _FUNCTIONS or self.reaches(one.arguments, step)


def _key(word: str, context: str) -> tuple[str, str]:
    """By which a variable is looked for: arguments are those of one context."""
    return (word, context) if word.startswith("ARG") else (word, "")
