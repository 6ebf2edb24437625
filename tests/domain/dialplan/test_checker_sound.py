"""Whatever a call does, the checker has said: random dialplans, and calls that go through them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from asterisk_compliance.domain.dialplan.checker import check
from asterisk_compliance.domain.dialplan.config_lines import statements
from asterisk_compliance.domain.dialplan.model import Dialplan, Priority, plan_of
from asterisk_compliance.domain.dialplan.show_output import shown_plan
from domain.checked_dialplan import TOLD, brief, plan, site

CONTEXTS = ("c0", "c1", "c2", "c3")
EXTENS = ("s", "1", "2", "i", "t", "h")
RECORD = "MixMonitor(a.wav)"
MAY = '$["${COMPLIANCE_STATUS}"="ALLOWED"]'
COMPARED = ('"${COMPLIANCE_STATUS}"="ALLOWED"', '"${COMPLIANCE_STATUS}"!="REFUSED"', '"${X}"="1"')
UNTOLD, NOT_ASKED, TWICE = "RECORDED_UNTOLD", "DECISION_NOT_ASKED", "RECORDED_TWICE"
LONGEST = 80


def step_of(rng: Random) -> str:
    """One application; a jump leads to the ``s`` of some context, or to an extension of its own."""
    joined = rng.choice("&|").join(f" {rng.choice(COMPARED)} " for _ in range(2))
    there = f"{rng.choice(CONTEXTS)},s,1"
    return rng.choice(
        [
            TOLD,
            RECORD,
            RECORD,
            f"ExecIf({MAY}?{RECORD})",
            f"ExecIf($[{joined}]?{RECORD}:NoOp())",
            f"ExecIf($[{joined}]?NoOp():{RECORD})",
            f"Goto({there})",
            f"GotoIf(${{X}}?{there})",
            f"GotoIf({MAY}?{there}:{rng.choice(EXTENS)},1)",
            f"Gosub({there})",
            f"GosubIf(${{X}}?{there})",
            f"Dial(PJSIP/1001,9,U({rng.choice(CONTEXTS)}))",
            "Return()",
            "WaitExten(5)",
            "NoOp()",
            "Hangup()",
        ]
    )


def dialplan(rng: Random) -> str:
    lines: list[str] = []
    for context in CONTEXTS:
        lines.append(f"[{context}]")
        for exten in ("s", *rng.sample(EXTENS[1:], rng.randint(0, 2))):
            first, *more = (step_of(rng) for _ in range(rng.randint(1, 5)))
            if context == CONTEXTS[0] and rng.random() < 0.6:
                first = TOLD
            lines += [f"exten => {exten},1,{first}", *(f" same => n,{one}" for one in more)]
    return "\n".join(lines)


@dataclass
class Call:
    """Executes a dialplan as Asterisk does; what only the call knows is drawn.

    Attributes:
        allowed: Who dialled this leg may be recorded; no variable of it says so.
        recorded: Each priority that recorded, and what must have been said of it.
    """

    made: Dialplan
    rng: Random
    depth: int = 0
    told: bool = False
    allowed: bool = False
    status: str = ""
    frames: list[Priority | None] = field(default_factory=list)
    recorded: set[tuple[Priority, str]] = field(default_factory=set)

    def at(self, context: str, exten: str, priority: int = 1) -> Priority | None:
        home = self.made.contexts[context].extens.get((exten, None))
        return home.steps.get(priority) if home else None

    def run(self, step: Priority | None) -> None:
        for _ in range(LONGEST):
            if step is None:
                return
            step = self.execute(step, step.app, step.data)

    def execute(self, step: Priority, app: str, data: str) -> Priority | None:
        """What a priority does; the next one."""
        behind = self.at(step.context, step.exten, step.priority + 1)
        if app in {"ExecIf", "GotoIf", "GosubIf"}:
            data = self.chosen(data)
            if not data:
                return behind
        match app:
            case "Goto" | "GotoIf":
                return self.jump(step, data)
            case "Gosub" | "GosubIf" if not data.startswith("compliance-"):
                return self.call(step, data, behind)
            case "Return":
                return self.frames.pop() if self.frames else None
            case "WaitExten":
                return self.at(step.context, self.rng.choice("12it"))
            case "Hangup":
                return None
        self.do(step, app, data)
        return behind

    def do(self, step: Priority, app: str, data: str) -> None:
        """What does not change where the call goes on."""
        match app:
            case "MixMonitor":
                self.record(step)
            case "ExecIf" if data == RECORD:
                self.record(step)
            case "Gosub":
                self.told = True
                self.status = self.status or self.rng.choice(["ALLOWED", "REFUSED", "NOT_RECORDED"])
            case "Dial":
                self.call_a_leg(data.partition("U(")[2].rstrip(")"))
            case _:
                pass

    def call(self, step: Priority, there: str, behind: Priority | None) -> Priority | None:
        """A subroutine; the call ends behind it where nothing follows."""
        self.frames.append(behind)
        return self.jump(step, there)

    def record(self, step: Priority) -> None:
        allowed = self.allowed or self.status == "ALLOWED"
        said = UNTOLD if not self.told else TWICE if allowed else NOT_ASKED
        self.recorded.add((step, said))

    def call_a_leg(self, context: str) -> None:
        """One of our own people: what the caller has heard, and decided, counts for him too."""
        if self.depth < 2:
            allowed = self.allowed or self.status == "ALLOWED"
            leg = Call(self.made, self.rng, self.depth + 1, self.told, allowed)
            leg.recorded = self.recorded
            leg.run(self.at(context, "s"))

    def jump(self, step: Priority, written: str) -> Priority | None:
        exten, *_ = parts = written.split(",")
        if len(parts) == 2:
            return self.at(step.context, exten)
        return self.at(parts[0], parts[1])

    def chosen(self, data: str) -> str:
        condition, _, ways = data.partition("?")
        then, _, other = ways.partition(":")
        return then if self.holds(condition) else other

    def holds(self, condition: str) -> bool:
        if condition == "${X}":
            return self.rng.random() < 0.5
        text = condition[2:-1]
        for mark, joined in (("|", any), ("&", all)):
            if mark in text:
                return joined([self.compared(one) for one in text.split(mark)])
        return self.compared(text)

    def compared(self, text: str) -> bool:
        if "X" in text:
            return self.rng.random() < 0.5
        if "!=" in text:
            return self.status != "REFUSED"
        return self.status == "ALLOWED"


GRAVER = {UNTOLD: (UNTOLD,), NOT_ASKED: (UNTOLD, NOT_ASKED), TWICE: (UNTOLD, NOT_ASKED, TWICE)}


@settings(deadline=None)
@given(st.integers(0, 2**64))
def test_no_call_is_recorded_where_the_checker_has_said_nothing_as_grave(seed: int) -> None:
    rng = Random(seed)
    text = dialplan(rng)
    made = plan(text, routines=False)
    found = set(brief(check(made, site(entries=frozenset({"c0"})))))
    for _ in range(30):
        call = Call(made, rng)
        call.run(call.at("c0", "s"))
        for step, least in call.recorded:
            if step.exten != "h":
                said = {(one, step.address) for one in GRAVER[least]}
                assert said & found, f"{least} {step.address}\n{text}"


PIECES = st.sampled_from(
    r"""
    [ ] ( ) { } $ ${ $[ , ; ;-- --; => = ? : & | ^ @ / \ " ' < > ! _ . + # exten same include
    switch #include n 1 s hint _X. _[1- a Goto Gosub( Dial( U( Set( ExecIf( While EndWhile Local/
    compliance-notice COMPLIANCE_STATUS EXTEN CALLERID(num) ARG1 globals general
    """.split()  # noqa: SIM905 - easier to read
)


@settings(deadline=None)
@given(st.lists(st.one_of(PIECES, st.just("\n"), st.text(max_size=3)), max_size=80))
def test_no_text_makes_it_fail(pieces: list[str]) -> None:
    text = "[a]\nexten => s,1," + "".join(pieces)
    for made in (
        plan_of(statements(text, "f")),
        shown_plan(f"[ Context 'a' created by 'x' ]\n  's' => 1. {text}"),
    ):
        for one in check(made, site()):
            assert one.what
            assert 0 <= one.place.line <= text.count("\n") + 1
