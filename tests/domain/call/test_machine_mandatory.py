"""A call that must be recorded does not go on without, whoever ends the recording."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.call.commands import Deadline, StopCapture, Whisper
from asterisk_compliance.domain.call.events import DeadlinePassed, StopAsked
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.state import AfterWhisper
from asterisk_compliance.domain.call.transitions.participants import LEFT_MS
from asterisk_compliance.domain.policy.notice import OnJoin, OnProblem, RecordingDuty
from domain.leg_traces import LISTED, OTHER, company, with_agent
from domain.traces import anomaly, told

MUST = {"duty": RecordingDuty.MANDATORY, "on_recording_failure": OnProblem.END}


def said_why(commands):
    return any(isinstance(one, Whisper) and one.media.endswith("required") for one in commands)


@pytest.mark.parametrize("cover", [CoverageBasis.UNKNOWN, CoverageBasis.REFUSED])
def test_who_may_not_be_kept_ends_the_call(cover):
    call, _ = with_agent(on_join=OnJoin.STOP, **MUST)
    ended, commands = told(call, company(5_000, Participant(OTHER.channel, cover)))
    assert any(isinstance(one, StopCapture) for one in commands)
    assert said_why(commands)
    assert ended.whispering.then is AfterWhisper.HANG_UP


def test_who_could_not_be_told_ends_the_call():
    call, _ = with_agent(**MUST)
    late = DeadlinePassed(Deadline.WHISPER, 5_000 + LEFT_MS)
    ended, commands = told(call, company(5_000, Participant(OTHER.channel)), late)
    assert said_why(commands)
    assert ended.whispering.then is AfterWhisper.HANG_UP


def test_where_it_is_no_duty_the_call_goes_on():
    call, _ = with_agent(on_join=OnJoin.STOP, on_recording_failure=OnProblem.END)
    ended, commands = told(call, company(5_000, Participant(OTHER.channel)))
    assert not said_why(commands)
    assert ended.whispering is None


def test_a_call_of_others_is_not_ours_to_end():
    call, _ = with_agent(wiring=LISTED, **MUST)  # an agent who is not in the list
    assert call.capture.stopping or not call.capture.is_open
    assert call.whispering is None


def test_nobody_stops_it_by_asking():
    call, _ = with_agent(**MUST)
    after, commands = told(call, StopAsked(5_000))
    assert (after, commands) == (call, (anomaly("STOP_REFUSED"),))
