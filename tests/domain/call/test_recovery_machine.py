"""Whenever the service dies: what the log knows is so, and nothing is kept of who is not covered.

The machine of every leg of a call, with one more thing that happens to it: the service dies, also
in the middle of what it does, people come and go, and another life goes on from the log.
"""

from __future__ import annotations

from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import replay as memory
from asterisk_compliance.domain.call.participants import Participant
from asterisk_compliance.domain.call.replay import Left
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.ids import ChannelId
from domain.call.test_legs_machine import AnyLegs
from domain.simulated_choices import Peril
from domain.simulated_death import Killed, Mortal, stricter

LASTING = sorted(
    set(Peril) - {Peril.STORE, Peril.SLOW, Peril.CONNECTION, Peril.LATE, Peril.OVERFLOW}
)
"""With a log that says nothing nobody can go on; a late segment has no place in it."""


class AnyDeath(AnyLegs):
    """A call whose service dies, and comes back."""

    def __init__(self) -> None:
        super().__init__()
        # Here a row is written when the domain hears of its fact.
        self.prompt_rows = mock.patch.object(memory, "ROW_LATE_MS", 0)
        self.prompt_rows.start()
        self.world: Mortal = Mortal()
        self.half_done = False
        self.known: dict[ChannelId, Participant] = {}

    def anybody(self) -> st.SearchStrategy[Participant]:
        """Nobody is another when he comes again."""
        return super().anybody().map(lambda peer: self.known.setdefault(peer.channel, peer))

    @initialize(data=st.data())
    def a_call_is_in_the_dialplan(self, data: st.DataObject) -> None:
        self.only = set(data.draw(st.sets(st.sampled_from(LASTING), max_size=3)))
        super().a_call_is_in_the_dialplan(data)

    # -- what happens to the service -----------------------------------------------------------

    @precondition(lambda self: self.live)
    @rule(data=st.data(), ms=st.sampled_from([0, 40, 700]))
    def the_service_dies_and_comes_back(self, data: st.DataObject, ms: int) -> None:
        self.it_dies(data, ms)

    @precondition(lambda self: self.live and self.world.inbox)
    @rule(data=st.data(), ms=st.sampled_from([0, 40, 700]), commands=st.integers(0, 4))
    def it_dies_in_what_it_does(self, data: st.DataObject, ms: int, commands: int) -> None:
        self.world.dies_in = commands
        try:
            self.world.tell_all()
        except Killed:
            self.half_done = True
        self.it_dies(data, ms)

    def it_dies(self, data: st.DataObject, ms: int) -> None:
        world, began = self.world, self.world.now_ms
        world.dies(segment_begins=data.draw(st.booleans()))
        self.somebody_moves(data, ms)
        if data.draw(st.sampled_from([False] * 9 + [True])):
            world.hang_up()
        known = {"same": world.policy, "other": stricter(world.policy), "gone": None}
        assert world.call is not None
        again = "gone" if world.call.policy is None else "same"
        which = data.draw(st.sampled_from([again, again, again, "other", "gone"]))
        world.comes_back(known["gone" if again == "gone" else which], world.now_ms - began)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), ms=st.sampled_from([0, 40, 700]))
    def nobody_looks_for_a_while(self, data: st.DataObject, ms: int) -> None:
        self.world.tell_all()
        began = self.world.now_ms
        self.somebody_moves(data, ms)
        self.world.looks_away(self.world.now_ms - began)

    def somebody_moves(self, data: st.DataObject, ms: int) -> None:
        """Whom we find as the first company counts as the first, whoever was there before."""
        met = self.world.met
        for _ in range(data.draw(st.integers(0, 2))):
            self.world.pass_time(ms)
            self.world.met = met
            peers = st.lists(self.anybody(), max_size=2, unique_by=lambda peer: peer.channel)
            self.world.company_becomes(*data.draw(peers))
        self.world.pass_time(ms)

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def no_rule_is_broken(self) -> None:
        kept = self.world.recorder.kept
        if (
            self.half_done
        ):  # a mute whose row died with it leaves no trace but in the row of who came
            kept = [one for one in kept if "is not covered" in one]
        assert kept == [], f"kept what must not be: {kept}"
        assert self.world.effects_without_row == [], "done without its row"
        if not self.half_done:
            assert self.world.begun_without_row == [], "captured without its row"
            assert self.world.wrong_rows == [], "said what is not so"

    @invariant()
    def what_the_log_says_is_so(self) -> None:
        """At rest. Where it cannot know, it says less."""
        call, world = self.world.call, self.world
        if call is None or world.inbox or self.half_done or call.phase is CallPhase.OVER:
            return
        known = world.remembered()
        assert known.channel == call.channel
        assert known.decision is not None
        assert call.decision is not None
        assert known.decision.purposes == call.decision.purposes
        assert known.withdrawn == call.consent.withdrawn
        assert known.erases == call.consent.deletes_recordings
        assert known.kept == call.recordings.vaulted
        if call.policy is None:
            return  # nobody looks any more who is there
        assert known.parties == call.participants.numbered
        assert known.covered <= call.participants.covered
        assert known.controller <= call.participants.controller
        open_ones = {one for one, left in known.recordings.items() if left is not Left.DEALT_WITH}
        if call.capture.is_open:
            assert known.running == call.recording
            assert (known.stopped_at_ms is not None) == call.capture.stopping
            assert call.capture.segment.others == (call.recording not in known.told_only)
            assert known.pauses == call.capture.pauses
            if (
                not call.capture.pauses
                and not call.capture.stopping
                and call.capture.requested_segment is None
            ):
                assert known.mute == call.capture.segment.mute or not call.capture.segment.began
        else:
            assert known.running is None or known.running in call.recordings.pending
        coming = (
            None
            if call.capture.requested_segment is None
            else call.capture.requested_segment.number
        )
        assert coming == (known.coming and int(known.coming.rpartition("-")[2]))
        live = {call.recording} if call.capture.is_open else set()
        assert open_ones - {known.coming} <= live | call.recordings.pending

    def teardown(self) -> None:
        try:
            self.it_is_over()
        finally:
            self.prompt_rows.stop()

    def it_is_over(self) -> None:
        world = self.world
        if world.call is None:
            return
        if not world.hung_up:
            world.hang_up()
        world.tell_all()
        self.no_rule_is_broken()
        assert world.call.phase is CallPhase.OVER, "a call that never ends"
        assert len(world.decisions()) == 1, "a call with another number of decisions than one"
        unjudged = world.recorder.files.keys() - set(world.recorder.judged)
        assert not unjudged, f"nobody judged {unjudged}"
        assert [r for r, f in world.recorder.files.items() if f.in_spool] == [], "left in the spool"
        ends = [row for row in world.store.rows if row.kind is Kind.CALL_ENDED]
        assert len(ends) == 1, "ended more than once"


AnyDeath.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestAnyDeath = AnyDeath.TestCase
