"""Everything that a call can say is said by some story, and every event is possible at any time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asterisk_compliance.domain import call as rules
from asterisk_compliance.domain.call_state import Phase
from asterisk_compliance.domain.commands import (
    AppendRow,
    Command,
    Forget,
)
from asterisk_compliance.domain.decision import Reason
from asterisk_compliance.domain.events import (
    Bridged,
    CaptureGoesOn,
    ChannelGone,
    CommandFailed,
    Continued,
    DeadlinePassed,
    DigitReceived,
    Entry,
    Event,
    EventsOverflowed,
    FileAppeared,
    FileGrew,
    HangupRequested,
    Judged,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
    Reentered,
    RowsRefused,
    ServiceStopping,
    SpoolKept,
    SpoolRemoved,
    Unbridged,
)
from asterisk_compliance.domain.names import Deadline, Step
from asterisk_compliance.domain.notice import CaptureFrom, Consent, OnProblem
from asterisk_compliance.domain.recording import Length, Outcome, Verdict
from asterisk_compliance.domain.rows import Kind
from asterisk_compliance.ids import playback_id

from .simulator import CALL, LIMITS, arrival, policy
from .traces import (
    ASKED,
    CLOSING,
    CONTINUED,
    CUT,
    EMPTY,
    FAILED,
    GONE,
    GRACE_IS_OVER,
    GROWTH_IS_LATE,
    IN_DIALPLAN,
    MISSING,
    NOTICE_IS_LATE,
    PLAYBACK,
    RECORDED,
    STARTED,
    STOP_IS_LATE,
    TELL_IS_LATE,
    TOLD,
    UNJUDGED,
    WHOLE,
    arrived,
    key,
    told,
)


@dataclass(frozen=True)
class Story:
    events: tuple[Event, ...]
    given: dict[str, object] = field(default_factory=dict)

    def rows(self) -> list[AppendRow]:
        call, commands = rules.arrive(CALL, arrival(**self.given), LIMITS)
        rows = [command for command in commands if isinstance(command, AppendRow)]
        for event in self.events:
            call, commands = rules.step(call, event)
            rows += [command for command in commands if isinstance(command, AppendRow)]
        return rows


STORIES = {
    "recorded": Story((*CLOSING, JUDGED, SpoolRemoved(RECORDING, 2))),
    "gave up in the queue": Story(
        (*IN_DIALPLAN, GONE, Judged(RECORDING, EMPTY), SpoolKept(RECORDING))
    ),
    "nothing on disk": Story(
        (*IN_DIALPLAN, Bridged(2_000), GROWTH_IS_LATE, GONE, Judged(RECORDING, MISSING))
    ),
    "unreadable": Story((*CLOSING, Judged(RECORDING, UNJUDGED))),
    "came again": Story((*IN_DIALPLAN, Reentered(), GONE)),
    "prompt missing": Story((STARTED, FAILED, CONTINUED, GONE)),
    "cut short": Story((STARTED, CUT, CommandFailed(Step.CONTINUE), GONE)),
    "timed out": Story((STARTED, NOTICE_IS_LATE)),
    "hung up": Story((STARTED, HangupRequested(), LeftStasis(), GONE)),
    "taken back": Story((Reentered(), LeftStasis())),
    "no policy": Story((), {"policy": Reason.POLICY_MISSING}),
    "unknown policy": Story((), {"policy": Reason.POLICY_UNKNOWN}),
    "rules conflict": Story((), {"policy": Reason.RULES_CONFLICT}),
    "garbled": Story((), {"policy": Reason.ARGUMENTS_INVALID}),
    "stranded": Story((), {"policy": Reason.SERVICE_RESTARTED}),
    "refused": Story((CommandFailed(Step.PLAY),)),
    "lost": Story((CommandFailed(Step.PLAY, reachable=False),)),
    "stopping": Story((ServiceStopping(), STOP_IS_LATE)),
    "store failed": Story((RowsRefused(),)),
    "overflowed": Story((EventsOverflowed(),)),
    "said no": Story((STARTED, key("9")), {"policy": policy(consent=Consent.OPT_OUT)}),
    "said nothing": Story((*ASKED, GRACE_IS_OVER), {"policy": policy(consent=Consent.OPT_OUT)}),
    "said yes": Story((*ASKED, key("1", 1_100)), {"policy": policy(consent=Consent.OPT_IN)}),
    "did not say yes": Story((*ASKED, GRACE_IS_OVER), {"policy": policy(consent=Consent.OPT_IN)}),
    "cannot be asked": Story((), {"policy": policy(consent=Consent.OPT_IN), "entry": Entry.AGI}),
    "was told": Story(
        (STARTED, key("#"), key("9"), TELL_IS_LATE, CONTINUED, GONE),
        {"policy": policy(consent=Consent.OPT_IN, on_problem=OnProblem.END)},
    ),
    "cannot be stopped": Story((*RECORDED, RowsRefused(), CaptureGoesOn(RECORDING))),
}

NOT_OF_A_CALL = {
    Kind.SERVICE_STARTED,
    Kind.SERVICE_STOPPED,
    Kind.CONFIG_LOADED,
    Kind.CONFIG_REFUSED,
    Kind.NOTICE_REGISTERED,
    Kind.ASTERISK_CONNECTED,
    Kind.ASTERISK_DISCONNECTED,
    Kind.EVENT_MALFORMED,
    Kind.MARK,
}


def test_every_kind_of_row_of_a_call_is_told_by_some_story() -> None:
    seen = {row.kind for story in STORIES.values() for row in story.rows()}
    assert seen == set(Kind) - NOT_OF_A_CALL


def test_every_reason_is_the_end_of_some_story() -> None:
    rows = [row for story in STORIES.values() for row in story.rows()]
    seen = {row.detail["reason"] for row in rows if row.kind is Kind.DECISION}
    assert seen == set(Reason)


@pytest.mark.parametrize("story", STORIES)
def test_no_story_tells_a_digit(story: str) -> None:
    """Which key was pressed is nobody's business: what it meant is enough."""
    written = re.findall(r"'([^']*)'", repr([row.detail for row in STORIES[story].rows()]))
    assert not set(written) & set("0123456789*#")


@pytest.mark.parametrize("story", STORIES)
def test_every_story_has_one_decision(story: str) -> None:
    kinds = [row.kind for row in STORIES[story].rows()]
    assert kinds.count(Kind.DECISION) == 1


times = st.integers(0, 100_000)
playbacks = st.sampled_from([PLAYBACK, playback_id(CALL, 2), playback_id(CALL, 3)])
verdicts = st.builds(
    Verdict, st.sampled_from(Outcome), st.none() | times, times, st.sampled_from(Length)
)
events = st.one_of(
    *(
        st.builds(kind)
        for kind in (
            Reentered,
            HangupRequested,
            LeftStasis,
            ServiceStopping,
            EventsOverflowed,
            MixMonitorStarted,
            FileAppeared,
            FileGrew,
            SpoolKept,
            CaptureGoesOn,
        )
    ),
    *(st.builds(kind, times) for kind in (Continued, Bridged, Unbridged, ChannelGone)),
    st.builds(PlaybackStarted, playbacks, times, st.none() | times),
    st.builds(PlaybackFinished, playbacks, st.booleans(), times, st.none() | times),
    st.builds(CommandFailed, st.sampled_from(Step), st.booleans()),
    st.builds(RowsRefused, st.booleans()),
    st.builds(DeadlinePassed, st.sampled_from(Deadline), times),
    st.builds(DigitReceived, st.sampled_from("159*#"), times),
    st.builds(Judged, verdicts),
    st.builds(SpoolRemoved, st.integers(0, 2)),
)
PREFIXES = {
    Phase.NOTICE: (STARTED,),
    Phase.ASKING: ASKED,
    Phase.TELLING: (STARTED, key("9")),
    Phase.CONTINUING: TOLD,
    Phase.DIALPLAN: RECORDED,
    Phase.CLOSING: CLOSING,
    Phase.OVER: (*CLOSING, Judged(RECORDING, MISSING)),
}
CONSENTS = {
    Phase.NOTICE: list(Consent),
    Phase.ASKING: [Consent.OPT_OUT, Consent.OPT_IN],
    Phase.TELLING: [Consent.OPT_OUT, Consent.OPT_IN],
}
"""Which policies lead to a phase by its prefix; the others do it by notice alone."""


def test_every_event_is_among_those_that_may_come() -> None:
    examples: set[type] = set()

    @settings(max_examples=500, database=None, derandomize=True)
    @given(events)
    def draw(event: Event) -> None:
        examples.add(type(event))

    draw()
    assert examples == set(get_args(Event))


@pytest.mark.parametrize("phase", Phase)
def test_the_phases_are_reached(phase: Phase) -> None:
    for consent in CONSENTS.get(phase, [Consent.NOTICE]):
        asked = policy(consent=consent, on_problem=OnProblem.TELL)
        assert told(arrived(policy=asked), *PREFIXES[phase])[0].phase is phase


@pytest.mark.parametrize("phase", Phase)
@given(
    coming=st.lists(events, max_size=12),
    capture=st.sampled_from(CaptureFrom),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_every_event_is_possible_in_every_phase(
    phase: Phase, coming: list[Event], capture: CaptureFrom, data: st.DataObject
) -> None:
    consent = data.draw(st.sampled_from(CONSENTS.get(phase, [Consent.NOTICE])))
    on_problem = OnProblem.TELL if phase is Phase.TELLING else data.draw(st.sampled_from(OnProblem))
    asked = policy(capture, consent, on_problem)
    call, _ = told(arrived(policy=asked), *PREFIXES[phase])
    for event in coming:
        was_over = call.phase is Phase.OVER
        call, commands = rules.step(call, event)
        assert all(isinstance(command, get_args(Command)) for command in commands)
        assert (Forget() in commands) == (call.phase is Phase.OVER and not was_over)
        assert call.undecided == (call.decision is None)
        assert not (was_over and commands)
