"""Orders of events that the machine found, told as stories of the same simulated world."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.call.commands import StopCapture
from asterisk_compliance.domain.call.events import EventsOverflowed, PauseAsked, WithdrawalAsked
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.policy.notice import OnJoin
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason
from asterisk_compliance.ids import ChannelId, recording_id
from domain.simulated_legs import Legs, in_dialplan
from domain.simulated_world import SLOWEST_MS
from domain.simulator import CALL, policy
from values import replace

ONE, TWO, THREE = (
    Participant(ChannelId(f"1700000000.{n}"), CoverageBasis.UNKNOWN, consenting=True)
    for n in (2, 3, 4)
)


def test_a_beginning_that_ami_tells_after_the_disk_is_not_taken_for_the_next_one() -> None:
    """AMI names no recording; the company changed once more before the new segment began."""
    world = Legs(ami_lag_ms=20)
    in_dialplan(world, replace(policy(), on_join=OnJoin.CONTINUE))
    for newcomer in (ONE, TWO, THREE):
        world.company_becomes(newcomer)
        world.tell_all()
    world.segment_begins()
    world.tell()  # the file of the second recording; AMI's word is still on its way
    assert world.call is not None
    assert world.call.capture.requested_segment is not None, "the third is asked for at once"
    world.tell_all()
    assert world.recorder.running == world.call.recording == recording_id(CALL, 2)
    assert world.call.capture.requested_segment is not None, "nobody said that the third began"


@pytest.mark.parametrize("lag_ms", [0, SLOWEST_MS])
def test_what_is_blanked_holds_where_the_end_of_the_file_is_seen_late(lag_ms: int) -> None:
    """Blanks are measured back from the end: they must not end before the mute took hold."""
    world = Legs(ami_lag_ms=lag_ms)
    in_dialplan(world, policy())
    world.company_becomes(ONE)
    world.tell_all()
    world.live_through(1_000)
    world.post(PauseAsked(PauseReason.CARD, world.now_ms))
    world.tell_all()
    world.live_through(1_000)
    world.hang_up(ami_first=True)
    world.tell_all()
    assert world.recorder.files[recording_id(CALL, 1)].stretches, "a frame came in after the pause"
    assert world.recorder.kept == []


def test_what_a_recording_that_never_stops_holds_behind_a_withdrawal_is_blanked() -> None:
    world = Legs(refuses={StopCapture})
    in_dialplan(world, policy())
    world.company_becomes(ONE)
    world.tell_all()
    for event in (EventsOverflowed(), WithdrawalAsked(world.now_ms)):
        world.post(event)
        world.tell_all()
        world.live_through(1_000)
    world.hang_up()
    world.tell_all()
    assert world.recorder.files[recording_id(CALL, 1)].stretches, "it went on"
    assert world.recorder.kept == []
