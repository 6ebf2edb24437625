"""Whatever happens to a running call, and whoever comes: nothing is kept that must not be.

The told party has heard its notice and is on its way; from here on others come and leave, people
pause and withdraw, recordings begin anew, and everything that can fail may. The machine knows what
really went into each file, and what of it was left when it was judged. Each rule is also seen to
fail: ``test_legs_mutants.py``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.commands import Forget
from asterisk_compliance.domain.call.events import (
    AskedBy,
    CallEvent,
    Deadline,
    DigitReceived,
    EventsOverflowed,
    FileGrew,
    PauseAsked,
    Reentered,
    ResumeAsked,
    ServiceStopping,
    StartAsked,
    StopAsked,
    TransferSeen,
    WithdrawalAsked,
)
from asterisk_compliance.domain.call.participants import Participant
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.domain.policy.notice import Policy
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason
from domain.simulated_choices import ACTORS, AFTER, REFUSABLE, After, Peril, anybody, policies
from domain.simulated_legs import Legs, in_dialplan
from domain.simulated_world import SLOWEST_MS

CONCLUSIONS = {
    Kind.RECORDING_CLOSED,
    Kind.RECORDING_EMPTY,
    Kind.RECORDING_MISSING,
    Kind.RECORDING_UNJUDGED,
}


class AnyLegs(RuleBasedStateMachine):
    """A call that may be recorded, in a world where everybody else does as they like."""

    policies: ClassVar[st.SearchStrategy[Policy]] = policies
    only: ClassVar[set[Peril] | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.world = Legs()
        self.perils: set[Peril] = set()

    @initialize(data=st.data())
    def a_call_is_in_the_dialplan(self, data: st.DataObject) -> None:
        some = st.sets(st.sampled_from(Peril), max_size=4)
        self.perils = data.draw(some) if self.only is None else set(self.only)
        self.world.staff_known = data.draw(st.booleans())
        self.world.segments = data.draw(st.sampled_from([True, True, True, False]))
        self.world.ami_lag_ms = data.draw(st.sampled_from([0, 30, SLOWEST_MS]))
        self.world.slow_ms = data.draw(st.sampled_from([0, 0, 25]))
        in_dialplan(self.world, data.draw(self.policies))
        if data.draw(st.booleans()):
            self.world.refuses = {REFUSABLE[peril] for peril in self.perils & REFUSABLE.keys()}
        first = data.draw(st.lists(self.anybody(), max_size=2, unique_by=lambda peer: peer.channel))
        if first:
            self.world.company_becomes(*first, two_party=len(first) == 1)
            self.then(data.draw(AFTER))
            self.world.post(StartAsked(self.world.now_ms))

    @property
    def live(self) -> bool:
        return self.world.call is not None and not self.world.hung_up

    def then(self, after: After) -> None:
        told, ms = after
        if told:
            self.world.tell_all()
        self.world.live_through(ms)

    # -- time, and what we are told ------------------------------------------------------

    @rule(ms=st.sampled_from([1, 15, 50, 130, 400]))
    def time_passes(self, ms: int) -> None:
        self.world.live_through(ms)

    @precondition(lambda self: self.world.inbox)
    @rule()
    def we_are_told(self) -> None:
        self.world.tell()

    @precondition(lambda self: self.world.inbox and Peril.STORE in self.perils)
    @rule()
    def we_are_told_while_the_store_fails(self) -> None:
        self.world.store.works = False
        self.world.tell()
        self.world.store.works = True

    @precondition(lambda self: self.live and self.waits)
    @rule(data=st.data(), after=AFTER)
    def a_wait_ends(self, data: st.DataObject, after: After) -> None:
        self.world.wait_ends(data.draw(st.sampled_from(self.waits)))
        self.then(after)

    @property
    def waits(self) -> list[Deadline]:
        return sorted(self.world.waits) if Peril.WAITS in self.perils else []

    # -- who comes and leaves ------------------------------------------------------------

    def anybody(self) -> st.SearchStrategy[Participant]:
        return anybody(staff_known=self.world.staff_known, refusal=Peril.REFUSAL in self.perils)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), two_party=st.sampled_from([True, True, False]), after=AFTER)
    def somebody_joins(self, data: st.DataObject, two_party: bool, after: After) -> None:
        newcomer = data.draw(self.anybody())
        others = [peer for peer in self.world.peers() if peer.channel != newcomer.channel]
        self.world.company_becomes(*others, newcomer, two_party=two_party)
        self.then(after)

    @precondition(lambda self: self.live and self.world.there)
    @rule(data=st.data(), after=AFTER)
    def somebody_takes_over(self, data: st.DataObject, after: After) -> None:
        self.world.company_becomes(data.draw(self.anybody()))
        self.then(after)

    @precondition(lambda self: self.live and self.world.there)
    @rule(data=st.data(), after=AFTER)
    def somebody_leaves(self, data: st.DataObject, after: After) -> None:
        leaver = data.draw(st.sampled_from(self.world.peers()))
        self.world.company_becomes(*[peer for peer in self.world.peers() if peer != leaver])
        self.then(after)

    @precondition(lambda self: self.live)
    @rule(after=AFTER)
    def a_transfer_begins(self, after: After) -> None:
        lag_ms = self.world.ami_lag_ms
        self.world.post(TransferSeen(self.world.now_ms + lag_ms), lag_ms=lag_ms)
        self.then(after)

    # -- whispers ------------------------------------------------------------------------

    @precondition(lambda self: self.world.telling)
    @rule(after=AFTER)
    def a_whisper_is_heard_to_the_end(self, after: After) -> None:
        self.world.whisper_is_over()
        self.then(after)

    @precondition(lambda self: self.world.telling and Peril.CUT in self.perils)
    @rule(missing=st.integers(60, 390), after=AFTER)
    def a_whisper_is_cut_short(self, missing: int, after: After) -> None:
        self.world.whisper_is_over(cut_short_ms=missing)
        self.then(after)

    @precondition(lambda self: self.world.telling and Peril.CUT in self.perils)
    @rule(after=AFTER)
    def a_whisper_fails(self, after: After) -> None:
        self.world.whisper_ends(done=False)
        self.then(after)

    # -- the recorder --------------------------------------------------------------------

    @precondition(lambda self: self.world.asked_to_begin and self.world.bridged)
    @rule(after=AFTER)
    def a_segment_begins(self, after: After) -> None:
        self.world.segment_begins()
        self.then(after)

    @precondition(lambda self: self.world.asked_to_begin and Peril.LATE in self.perils)
    @rule()
    def a_segment_will_be_late(self) -> None:
        self.world.routine_reads_the_wish()

    @precondition(lambda self: self.world.beginning and self.world.bridged)
    @rule(after=AFTER)
    def a_late_segment_begins(self, after: After) -> None:
        self.world.segment_begins()
        self.then(after)

    @precondition(lambda self: self.world.recorder.running)
    @rule(after=AFTER)
    def audio_reaches_the_disk(self, after: After) -> None:
        running = self.world.recorder.running
        assert running is not None
        self.world.post(FileGrew(running, self.world.now_ms))
        self.then(after)

    # -- what people ask for -------------------------------------------------------------

    def asked(self, event: CallEvent, after: After) -> None:
        self.world.post(event)
        self.then(after)

    @precondition(lambda self: self.live)
    @rule(actor=st.sampled_from(ACTORS), after=AFTER)
    def somebody_pauses(self, actor: Actor, after: After) -> None:
        self.asked(PauseAsked(PauseReason.CARD, self.world.now_ms, AskedBy(actor)), after)

    @precondition(lambda self: self.live and self.world.pausers)
    @rule(
        actor=st.sampled_from(ACTORS),
        everybody=st.sampled_from([False, False, True]),
        after=AFTER,
    )
    def somebody_resumes(self, actor: Actor, everybody: bool, after: After) -> None:
        self.asked(ResumeAsked(self.world.now_ms, AskedBy(actor), everybody), after)

    @precondition(lambda self: self.live and Peril.WITHDRAWAL in self.perils)
    @rule(actor=st.sampled_from(ACTORS), after=AFTER)
    def somebody_withdraws(self, actor: Actor, after: After) -> None:
        self.asked(WithdrawalAsked(self.world.now_ms, AskedBy(actor)), after)

    @precondition(lambda self: self.live and self.world.recorder.running is None)
    @rule(after=AFTER)
    def somebody_starts(self, after: After) -> None:
        self.asked(StartAsked(self.world.now_ms), after)

    @precondition(lambda self: self.live and Peril.STOPPED in self.perils)
    @rule(after=AFTER)
    def somebody_stops(self, after: After) -> None:
        self.asked(StopAsked(self.world.now_ms), after)

    # -- what can fail -------------------------------------------------------------------

    @precondition(lambda self: self.live and self.perils & REFUSABLE.keys())
    @rule(data=st.data())
    def asterisk_refuses_or_obeys(self, data: st.DataObject) -> None:
        peril = data.draw(st.sampled_from(sorted(self.perils & REFUSABLE.keys())))
        self.world.refuses ^= {REFUSABLE[peril]}

    @precondition(lambda self: Peril.CONNECTION in self.perils)
    @rule()
    def the_connection_drops_or_returns(self) -> None:
        self.world.reachable = not self.world.reachable

    @precondition(lambda self: Peril.STORE in self.perils)
    @rule()
    def the_store_fails_or_heals(self) -> None:
        self.world.store.works = not self.world.store.works

    @precondition(lambda self: Peril.SLOW in self.perils)
    @rule()
    def the_store_is_slow_or_quick(self) -> None:
        self.world.store.slow = not self.world.store.slow

    @precondition(lambda self: self.world.store.late)
    @rule()
    def what_was_late_is_stored_or_not(self) -> None:
        self.world.late_rows_settle()

    @precondition(lambda self: self.live and Peril.HANG_UP in self.perils)
    @rule(ami_first=st.booleans(), after=AFTER)
    def the_caller_hangs_up(self, ami_first: bool, after: After) -> None:
        self.world.hang_up(ami_first=ami_first)
        self.then(after)

    @precondition(lambda self: self.live and Peril.OVERFLOW in self.perils)
    @rule()
    def events_overflow(self) -> None:
        self.world.post(EventsOverflowed())

    @precondition(lambda self: self.live)
    @rule(event=st.sampled_from([Reentered(), ServiceStopping(), DigitReceived("9", 0)]))
    def anything_else(self, event: CallEvent) -> None:
        self.world.post(event)

    # -- what must hold ------------------------------------------------------------------

    @invariant()
    def no_rule_is_broken(self) -> None:
        kept = self.world.recorder.kept
        assert kept == [], f"kept what must not be: {kept}"
        assert self.world.begun_without_row == [], "captured without its row"
        assert self.world.effects_without_row == [], "done without its row"
        assert self.world.wrong_rows == [], "said what is not so"
        assert self.world.not_stopped == [], "not stopped at once"
        assert self.world.begun_too_early == [], "begun anew while it must be muted"
        assert self.world.begun_after_withdrawal == [], "recorded again after a withdrawal"

    @invariant()
    def what_we_believe_of_the_mute_is_so(self) -> None:
        """At rest, where nothing was refused."""
        call, recorder = self.world.call, self.world.recorder
        if call is None or self.world.inbox or self.perils & {Peril.MUTE, Peril.CONNECTION}:
            return
        if call.capture.runs and recorder.running == call.recording:
            assert recorder.wished is call.capture.segment.mute, (
                "what is muted is not what we believe"
            )

    def teardown(self) -> None:
        world = self.world
        if world.call is None:
            return
        if not world.hung_up:
            world.hang_up(ami_first=bool(len(world.done) % 2))
        while world.inbox or world.store.late:
            world.tell_all()
            world.late_rows_settle()
        self.no_rule_is_broken()
        assert world.call.phase is CallPhase.OVER, "a call that never ends"
        assert world.done.count(Forget()) == 1, "forgotten twice"
        assert len(world.decisions()) == 1, "a call with another number of decisions than one"
        judged = world.recorder.judged
        assert len(judged) == len(set(judged)), "judged twice"
        unjudged = world.recorder.files.keys() - set(world.recorder.judged)
        assert not unjudged, f"nobody judged {unjudged}"
        self.every_request_has_one_conclusion()

    def every_request_has_one_conclusion(self) -> None:
        """One that was missed and begins late is concluded again, behind the row that it began."""
        world = self.world
        said: dict[object, list[Kind]] = defaultdict(list)
        for row in world.store.attempted:
            recording = row.detail.get("recording")
            if row.kind is Kind.RECORDING_STARTED and said[recording] == [Kind.RECORDING_MISSING]:
                said[recording].clear()
            if row.kind in CONCLUSIONS:
                said[recording].append(row.kind)
        for row in world.store.rows:
            if row.kind is Kind.RECORDING_REQUESTED:
                concluded = said[row.detail["recording"]]
                assert len(concluded) == 1, f"{row.detail['recording']}: {concluded}"
        left = [r for r, files in world.recorder.files.items() if files.in_spool]
        assert world.store.lost or not left, "files that nobody accounts for"


AnyLegs.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestAnyLegs = AnyLegs.TestCase
