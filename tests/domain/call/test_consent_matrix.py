"""Policy x answer x moment: a capture is asked for exactly where the table says, and nowhere else.

The table is written by hand from what a policy promises, not from the code: ``notice`` records who
stays on the line, ``opt-out`` who does not refuse until the grace is over, ``opt-in`` who accepts
until then. A refusal wins over everything while it counts; a key that comes after the decision is a
key in the call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    Command,
    CommitCommand,
    Deadline,
    HandOver,
    Play,
    StartSegment,
)
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    Continued,
    DeadlinePassed,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
)
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent
from domain.leg_traces import MET
from domain.simulator import CALL, LIMITS, NOTICE_MS, arrival, policy
from domain.traces import key
from values import replace

YES, NO, AGAIN, LANGUAGE, OTHER_KEY = "1", "9", "*", "#", "5"
ANSWERS = {
    "nothing": "",
    "accept": YES,
    "refuse": NO,
    "accept, refuse": YES + NO,
    "refuse, accept": NO + YES,
    "accept twice": YES + YES,
    "refuse twice": NO + NO,
    "repeat": AGAIN,
    "repeat, accept": AGAIN + YES,
    "repeat, refuse": AGAIN + NO,
    "accept, repeat": YES + AGAIN,
    "language": LANGUAGE,
    "language, accept": LANGUAGE + YES,
    "accept, language": YES + LANGUAGE,
    "another key": OTHER_KEY,
    "all at once": OTHER_KEY + AGAIN + LANGUAGE + YES + NO,
}
DURING, GRACE, AFTER, MID_CALL = "during the prompt", "in the grace", "after it", "in the call"

# Recorded? One column a moment: during the prompt, in the grace, after the decision, in the call.
ALWAYS, NEVER = "yes yes yes yes", "no no no no"
TABLE = {
    Consent.NOTICE: dict.fromkeys(ANSWERS, ALWAYS),
    Consent.OPT_OUT: {
        "nothing": ALWAYS,
        "accept": ALWAYS,
        "refuse": "no no yes yes",
        "accept, refuse": "no no yes yes",
        "refuse, accept": "no no yes yes",
        "accept twice": ALWAYS,
        "refuse twice": "no no yes yes",
        "repeat": ALWAYS,
        "repeat, accept": ALWAYS,
        "repeat, refuse": "no no yes yes",
        "accept, repeat": ALWAYS,
        "language": ALWAYS,
        "language, accept": ALWAYS,
        "accept, language": ALWAYS,
        "another key": ALWAYS,
        "all at once": "no no yes yes",
    },
    Consent.OPT_IN: {
        "nothing": NEVER,
        "accept": "yes yes no no",
        "refuse": NEVER,
        "accept, refuse": "no yes no no",  # in the grace the yes decides at once
        "refuse, accept": NEVER,
        "accept twice": "yes yes no no",
        "refuse twice": NEVER,
        "repeat": NEVER,
        "repeat, accept": "yes yes no no",
        "repeat, refuse": NEVER,
        "accept, repeat": "no yes no no",  # who wants to hear it again has not agreed yet
        "language": NEVER,
        "language, accept": "yes yes no no",
        "accept, language": "no yes no no",
        "another key": NEVER,
        "all at once": "no yes no no",
    },
}
MOMENTS = (DURING, GRACE, AFTER, MID_CALL)


@dataclass
class Trace:
    """A caller, a prompt of a second, and a dialplan that does what it is told."""

    call: Call
    now_ms: int = 0
    done: list[Command] = field(default_factory=list)

    @classmethod
    def of(cls, consent: Consent, capture: CaptureFrom) -> Trace:
        terms = policy(capture, consent)
        call, commands = rules.arrive(CALL, arrival(policy=terms), LONG_ENOUGH)
        return cls(call, done=list(commands))

    def see(self, *events: CallEvent) -> None:
        for event in events:
            self.call, commands = rules.step(self.call, event)
            self.done += commands

    def press(self, keys: str) -> None:
        for digit in keys:
            self.now_ms += 20
            self.see(key(digit, self.now_ms))

    def prompt_begins(self) -> None:
        self.see(PlaybackStarted(self.call.playback, self.now_ms, self.now_ms))

    def prompt_ends(self) -> None:
        self.now_ms += NOTICE_MS
        self.see(PlaybackFinished(self.call.playback, True, self.now_ms, self.now_ms))

    def plays(self) -> int:
        return len([command for command in self.done if isinstance(command, Play)])

    def hears_what_was_begun_again(self, before: int) -> None:
        if self.plays() > before and self.call.undecided:
            self.prompt_begins()

    def grace_ends(self) -> None:
        self.now_ms += 200
        self.see(DeadlinePassed(Deadline.GRACE, self.now_ms))

    def goes_on(self) -> None:
        self.see(Continued(self.now_ms), LeftStasis())
        if any(isinstance(command, HandOver) and command.start for command in self.done):
            self.see(MixMonitorStarted(self.now_ms))
        self.see(Bridged(self.now_ms), replace(MET, at_ms=self.now_ms))

    def captures(self) -> bool:
        return any(
            (isinstance(command, HandOver) and command.start) or isinstance(command, StartSegment)
            for command in self.done
        )


LONG_ENOUGH = replace(LIMITS, dialplan_ms=30_000)


def answered(consent: Consent, capture: CaptureFrom, keys: str, moment: str) -> Trace:
    trace = Trace.of(consent, capture)
    trace.prompt_begins()
    if moment == DURING:
        played = 1
        for digit in keys:
            trace.press(digit)
            trace.hears_what_was_begun_again(played)
            played = trace.plays()
    if trace.call.undecided:
        trace.prompt_ends()
    if moment == GRACE:
        played = trace.plays()
        for digit in keys:
            trace.press(digit)
            if trace.plays() > played and trace.call.undecided:
                trace.prompt_begins()
                trace.prompt_ends()
                played = trace.plays()
    if trace.call.undecided:
        trace.grace_ends()
    if moment == AFTER:
        trace.press(keys)
    trace.goes_on()
    if moment == MID_CALL:
        trace.press(keys)
    return trace


CASES = [
    pytest.param(consent, answer, moment, expected == "yes", id=f"{consent}-{answer}-{moment}")
    for consent, answers in TABLE.items()
    for answer, columns in answers.items()
    for moment, expected in zip(MOMENTS, columns.split(), strict=True)
]


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(Consent)
    assert all(set(answers) == set(ANSWERS) for answers in TABLE.values())


@pytest.mark.parametrize("capture", CaptureFrom)
@pytest.mark.parametrize(("consent", "answer", "moment", "recorded"), CASES)
def test_a_capture_is_asked_for_exactly_where_it_may_be(
    consent: Consent, answer: str, moment: str, recorded: bool, capture: CaptureFrom
) -> None:
    trace = answered(consent, capture, ANSWERS[answer], moment)
    assert trace.call.decision is not None
    assert trace.call.decision.allowed == recorded
    assert trace.captures() == (recorded and capture is not CaptureFrom.ON_DEMAND)


@pytest.mark.parametrize(("consent", "answer", "moment", "recorded"), CASES)
def test_there_is_one_decision_and_no_capture_before_its_row(
    consent: Consent, answer: str, moment: str, recorded: bool
) -> None:
    done = answered(consent, CaptureFrom.BRIDGED, ANSWERS[answer], moment).done
    rows = [command.kind for command in done if isinstance(command, AppendRow)]
    assert rows.count(Kind.DECISION) == 1
    assert rows.count(Kind.NOTICE_COMPLETED) >= recorded
    starts = [at for at, command in enumerate(done) if isinstance(command, HandOver)]
    assert len(starts) == 1
    if recorded:
        before = done[: starts[0]]
        assert before[-1] == CommitCommand()
        kinds = [command.kind for command in before if isinstance(command, AppendRow)]
        assert kinds[-2:] == [Kind.DECISION, Kind.RECORDING_REQUESTED]
