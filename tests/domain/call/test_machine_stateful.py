"""Whatever happens, in whatever order: G1 (no notice, no recording) and G2 (one decision).

Each rule is also seen to fail: a mutant without it must be found by the same machine.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    Announce,
    CommitCommand,
    Forget,
    HandOver,
    SetDeadline,
    StopCapture,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    Deadline,
    EventsOverflowed,
    FileAppeared,
    FileGrew,
    MixMonitorStarted,
    Reentered,
    ServiceStopping,
    Unbridged,
)
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.domain.call.transitions import decision as call_decision
from asterisk_compliance.domain.call.transitions import notice
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent, OnProblem, ToldBy
from asterisk_compliance.ids import recording_id
from domain.simulated_world import World
from domain.simulator import CALL, arrival, policy
from values import replace


class Peril(StrEnum):
    """What can end a call early. A run has only some of them: with all, hardly any is decided."""

    HANG_UP = "hang-up"
    TAKEN_BACK = "taken back"
    CUT_SHORT = "cut short"
    LATE = "late"
    STORE = "store"
    SLOW = "slow store"
    CONNECTION = "connection"
    OVERFLOW = "overflow"
    STOP = "stop"


FIRST = recording_id(CALL, 1)
LETHAL_WAITS = {Deadline.NOTICE, Deadline.STOP}
PERILS = {EventsOverflowed(): Peril.OVERFLOW, ServiceStopping(): Peril.STOP}


class AnyCall(RuleBasedStateMachine):
    """One call in a world where the caller, the disk, the store and Asterisk do as they like."""

    consents: ClassVar[list[Consent]] = list(Consent)
    only: ClassVar[set[Peril] | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.store_stays_broken = False
        self.perils: set[Peril] = set()
        self.purposes_untold = False

    @initialize(
        store_stays_broken=st.booleans(),
        prompt_exists=st.booleans() | st.just(value=True),
        capture=st.sampled_from(CaptureFrom),
        data=st.data(),
        on_problem=st.sampled_from(OnProblem),
        unknown=st.sampled_from([False, False, False, True]),
        stopping=st.sampled_from([False, False, False, True]),
        perils=st.sets(st.sampled_from(Peril)),
        pages=st.sampled_from([(ToldBy.NOTICE, False), *product(ToldBy, (True, False))]),
    )
    def a_call_arrives(
        self,
        *,
        store_stays_broken: bool,
        prompt_exists: bool,
        capture: CaptureFrom,
        data: st.DataObject,
        on_problem: OnProblem,
        unknown: bool,
        stopping: bool,
        perils: set[Peril],
        pages: tuple[ToldBy, bool],
    ) -> None:
        self.perils = perils if self.only is None else set(self.only)
        self.store_stays_broken = store_stays_broken
        self.world.prompt_exists = prompt_exists
        consent = data.draw(st.sampled_from(self.consents))
        terms = policy(capture, consent, on_problem)
        told_by, published = pages
        self.purposes_untold = told_by is ToldBy.PUBLICATION and not published
        terms = replace(terms, notice=replace(terms.notice, told_by=told_by))
        asked = Reason.POLICY_UNKNOWN if unknown else terms
        stops = stopping and Peril.STOP in perils
        self.world.arrive(arrival(policy=asked, stopping=stops, published=published))

    @property
    def live(self) -> bool:
        return self.world.call is not None and not self.world.hung_up

    @precondition(lambda self: self.world.inbox)
    @rule()
    def we_are_told(self) -> None:
        self.world.tell()

    @precondition(lambda self: self.world.inbox)
    @rule()
    def we_are_told_all(self) -> None:
        self.world.tell_all()

    @precondition(lambda self: self.world.inbox and Peril.STORE in self.perils)
    @rule()
    def we_are_told_while_the_store_fails(self) -> None:
        self.world.store.works = False
        self.world.tell()
        self.world.store.works = True

    @precondition(lambda self: Peril.SLOW in self.perils)
    @rule()
    def the_store_is_slow_or_quick(self) -> None:
        self.world.store.slow = not self.world.store.slow

    @precondition(lambda self: self.world.store.late)
    @rule()
    def what_was_late_is_stored_or_not(self) -> None:
        self.world.late_rows_settle()

    @rule(ms=st.integers(1, 300))
    def time_passes(self, ms: int) -> None:
        self.world.pass_time(ms)

    @precondition(lambda self: self.world.playing_since is not None)
    @rule(told=st.booleans())
    def the_prompt_is_heard_to_the_end(self, *, told: bool) -> None:
        self.world.playback_is_over()
        if told:
            self.world.tell_all()

    @precondition(
        lambda self: self.world.playing_since is not None and Peril.CUT_SHORT in self.perils
    )
    @rule(missing=st.integers(60, 999))
    def the_prompt_is_cut_short(self, missing: int) -> None:
        self.world.playback_is_over(cut_short_ms=missing)

    @precondition(
        lambda self: self.live and self.world.in_stasis and Peril.TAKEN_BACK in self.perils
    )
    @rule()
    def the_dialplan_takes_the_call_back(self) -> None:
        self.world.dialplan_takes_back()

    @precondition(lambda self: self.live and Peril.HANG_UP in self.perils)
    @rule()
    def the_caller_hangs_up(self) -> None:
        self.world.hang_up()

    @precondition(lambda self: Peril.STORE in self.perils)
    @rule()
    def the_store_fails_or_heals(self) -> None:
        self.world.store.works = not self.world.store.works

    @precondition(lambda self: Peril.CONNECTION in self.perils)
    @rule()
    def the_connection_drops_or_returns(self) -> None:
        self.world.reachable = not self.world.reachable

    @precondition(lambda self: self.live and self.world.in_stasis)
    @rule(digit=st.sampled_from("19*#"), told=st.booleans())
    def a_key_is_pressed(self, digit: str, *, told: bool) -> None:
        self.world.press(digit)
        if told:
            self.world.tell_all()

    @property
    def waits(self) -> list[Deadline]:
        """Those that may end in this run."""
        late = Peril.LATE in self.perils
        return sorted(self.world.waits if late else self.world.waits - LETHAL_WAITS)

    @precondition(lambda self: self.live and self.waits)
    @rule(data=st.data(), told=st.booleans())
    def a_wait_ends(self, data: st.DataObject, *, told: bool) -> None:
        self.world.wait_ends(data.draw(st.sampled_from(self.waits)))
        if told:
            self.world.tell_all()

    @precondition(lambda self: self.live)
    @rule(
        event=st.sampled_from(
            [
                Reentered(),
                ServiceStopping(),
                EventsOverflowed(),
                MixMonitorStarted(),
                FileAppeared(FIRST),
            ]
        )
    )
    def anything_else(self, event: CallEvent) -> None:
        if PERILS.get(event) in {None, *self.perils}:
            self.world.feed(event)

    @precondition(lambda self: self.live)
    @rule(enter=st.booleans())
    def a_bridge_changes(self, *, enter: bool) -> None:
        now = self.world.now_ms
        self.world.bridged = enter
        self.world.feed(Bridged(now) if enter else Unbridged(now))

    @precondition(lambda self: self.live and self.world.recorder.running)
    @rule()
    def audio_reaches_the_disk(self) -> None:
        self.world.feed(FileGrew(FIRST))

    @invariant()
    def nothing_is_kept_that_was_not_announced_to_the_end(self) -> None:
        assert not self.world.captured_unheard

    @invariant()
    def nothing_is_kept_for_purposes_that_nobody_told(self) -> None:
        started = [c for c in self.world.done if isinstance(c, HandOver) and c.start]
        assert not (self.purposes_untold and started)

    @invariant()
    def nothing_is_kept_against_what_the_caller_said(self) -> None:
        assert not self.world.captured_against_consent

    @invariant()
    def no_effect_comes_before_its_row(self) -> None:
        assert self.world.effects_without_row == []

    @invariant()
    def there_is_at_most_one_decision(self) -> None:
        assert len(self.world.decisions()) <= 1

    @invariant()
    def nothing_is_called_a_recording_after_it_was_stopped(self) -> None:
        done = self.world.done
        if StopCapture(FIRST) in done:
            assert Announce(Status.RECORDING) not in done[done.index(StopCapture(FIRST)) :]

    @invariant()
    def a_result_that_starts_a_recording_follows_a_commit(self) -> None:
        done = self.world.done
        starts = [i for i, c in enumerate(done) if isinstance(c, HandOver) and c.start]
        assert all(CommitCommand() in done[:i] for i in starts)

    @invariant()
    def a_waiting_notice_has_an_end(self) -> None:
        call = self.world.call
        if call is not None and call.phase is CallPhase.NOTICE:
            assert any(isinstance(command, SetDeadline) for command in self.world.done)

    def teardown(self) -> None:
        world = self.world
        if world.call is None:
            return
        world.store.works |= not self.store_stays_broken
        world.reachable = True
        if not world.hung_up:
            world.hang_up()
        while world.inbox or world.store.late:
            world.tell_all()
            world.late_rows_settle()
        assert world.call.phase is CallPhase.OVER
        assert world.done.count(Forget()) == 1
        if not world.store.lost:
            assert len(world.decisions()) == 1, "a call without a decision"
            left = [name for name, files in world.recorder.files.items() if files.in_spool]
            assert not left, "files that nobody accounts for"


AnyCall.TestCase.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
TestAnyCall = AnyCall.TestCase


def _without_length(call, stage, finished):
    return None if finished.done else Reason.NOTICE_FAILED


def _without_commit(original):
    def decide(*args, **kwargs):
        call, commands = original(*args, **kwargs)
        return call, tuple(c for c in commands if not isinstance(c, CommitCommand))

    return decide


def _blind_to_what_was_refused(original):
    def refused(call, event):
        handed = rules.result(call, call.stage) if call.decision else None
        return original(call, replace(event, undone=(handed, *event.undone) if handed else ()))

    return refused


def _deaf_to(digit):
    def deaf(original):
        def hear(call, stage, event):
            return (call, ()) if event.digit == digit else original(call, stage, event)

        return hear

    return deaf


MUTANTS = {
    "every playback counts as heard": (
        notice,
        "incompleteness",
        lambda _: lambda *_: None,
        {Peril.CUT_SHORT},
    ),
    "'done' counts as heard": (
        notice,
        "incompleteness",
        lambda _: _without_length,
        {Peril.CUT_SHORT},
    ),
    "no commit before the effect": (call_decision, "_allow", _without_commit, set()),
    "a page that is not published tells too": (
        rules,
        "_purposes_are_told",
        lambda _: lambda arrival, terms: True,
        set(),
    ),
    "any refused row decides anew": (
        rules,
        "rows_refused",
        _blind_to_what_was_refused,
        {Peril.STORE},
    ),
    "silence consents": (
        notice,
        "_grace_is_over",
        lambda _: notice._given,
        set(),
        Consent.OPT_IN,
    ),
    "a refusal is not heard": (notice, "_digit", _deaf_to("9"), set(), Consent.OPT_OUT),
    "no key is needed": (notice, "_heard", lambda _: notice._given, set(), Consent.OPT_IN),
}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_machine_finds_a_call_without_the_rule(monkeypatch, mutant):
    module, name, make, perils, *consents = MUTANTS[mutant]
    monkeypatch.setattr(AnyCall, "only", perils)
    monkeypatch.setattr(AnyCall, "consents", consents or [Consent.NOTICE])
    monkeypatch.setattr(module, name, make(getattr(module, name)))
    thorough = settings(
        max_examples=5_000,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[HypothesisPhase.generate],  # a call is enough, it need not be the shortest
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(AnyCall, settings=thorough)
