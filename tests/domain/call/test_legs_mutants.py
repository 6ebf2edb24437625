"""The machine of ``test_legs_machine.py`` finds a call without the rule, for each of its rules."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import CommitCommand
from asterisk_compliance.domain.call.participants import Participant, Participants
from asterisk_compliance.domain.call.transitions import capture
from asterisk_compliance.domain.call.transitions import participants as company
from asterisk_compliance.domain.call.transitions import recording_control as asked
from asterisk_compliance.domain.policy.notice import AgentConsent, OnJoin
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason, StopReason
from domain.call.test_legs_machine import AnyLegs
from domain.simulated_choices import Peril
from domain.simulator import policy
from values import replace

pytestmark = pytest.mark.slow


def _except_for(nothing_for):
    """A reason is never seen."""

    def blind(original):
        def why(*given):
            found = original(*given)
            return None if found is nothing_for else found

        return why

    return blind


def _told_at_its_start(original):
    def started(call, whisper, event):
        begun, _ = original(call, whisper, event)
        if begun.whispering.wording is None:
            return begun, ()
        peer = Participant(begun.whispering.channel)
        told = begun.participants.accept(peer, as_controller=not begun.wiring.staff_known)
        return company.apply_participants(
            replace(begun, participants=told), begun.stage, event.at_ms
        )

    return started


def _without_blanks(original):
    return lambda *given: replace(original(*given), blanks=())


def _for_everybody(original):
    return lambda call, decided, event: original(call, decided, replace(event, everybody=True))


def _deaf_to_withdrawal(original):
    def stop(call, reason, *rows, at_ms=None):
        if reason is StopReason.WITHDRAWN:
            return call, rows
        return original(call, reason, *rows, at_ms=at_ms)

    return stop


def _until_it_stops(original):
    def stop(call, reason, *rows, at_ms=None):
        return original(call, reason, *rows, at_ms=None)

    return stop


def _anew_while(must_wait):
    def hasty(original):
        def settle(call, at_ms, *, said=False):
            can = call.capture.runs and call.capture.requested_segment is None
            if can and capture._must_begin_anew(call) and must_wait(call):
                return capture.begin_segment(call, call.stage.policy)
            return original(call, at_ms, said=said)

        return settle

    return hasty


def _without_pauses(original):
    def started(call, at_ms, evidence):
        pauses = call.capture.pauses
        forgetful = replace(call, capture=replace(call.capture, pauses=frozenset()))
        begun, commands = original(forgetful, at_ms, evidence)
        return replace(begun, capture=replace(begun.capture, pauses=pauses)), commands

    return started


def _without_commit(original):
    def hasty(*args, **kwargs):
        call, commands = original(*args, **kwargs)
        return call, tuple(
            command for command in commands if not isinstance(command, CommitCommand)
        )

    return hasty


def _forgetting_withdrawal(original):
    return lambda call: original(replace(call, consent=replace(call.consent, withdrawn=False)))


def _nothing(_):
    return lambda call, *_: (call, ())


def _same(_):
    return lambda call, *_: call


MUTANTS = {
    "a newcomer is not muted": (
        capture,
        "why_not_others",
        _except_for(PauseReason.JOINED),
        set(),
    ),
    "told as soon as the whisper begins": (company, "whisper_started", _told_at_its_start, set()),
    "'done' counts as a whole whisper": (
        company,
        "lasted_ms",
        lambda _: lambda *_: 10_000,
        {Peril.CUT},
    ),
    "what slipped in is not blanked": (capture, "_expected", _without_blanks, set()),
    "a blank begins when we are told": (capture, "SLIP_BEFORE_MS", lambda _: 0, set()),
    "a blank ends with the answer": (capture, "SLIP_AFTER_MS", lambda _: 0, set()),
    "who resumes does so for all": (asked, "_resume", _for_everybody, set()),
    "a withdrawal does not stop": (asked, "stop", _deaf_to_withdrawal, {Peril.WITHDRAWAL}),
    "who withdrew is recorded again": (
        asked,
        "_is_barred",
        _forgetting_withdrawal,
        {Peril.WITHDRAWAL},
    ),
    "a recording begins anew in a pause": (
        company,
        "align_capture",
        _anew_while(lambda call: call.capture.pauses),
        set(),
    ),
    "a recording begins anew before all are told": (
        company,
        "align_capture",
        _anew_while(lambda call: call.participants.uncovered),
        set(),
    ),
    "a new segment forgets the pause": (capture, "started", _without_pauses, set()),
    "a segment is asked for before its row": (capture, "begin_segment", _without_commit, set()),
    "a pause ends before its row": (asked, "_goes_on", _without_commit, set()),
    "nobody of the controller is needed": (
        company,
        "stop_reason",
        _except_for(StopReason.CONTROLLER_LEFT),
        set(),
    ),
    "another party's refusal is ignored": (
        company,
        "stop_reason",
        _except_for(StopReason.PARTY_REFUSED),
        {Peril.REFUSAL},
    ),
    "a late segment is nobody's": (
        rules,
        "began_late",
        _nothing,
        {Peril.LATE, Peril.WAITS},
    ),
    "AMI may tell a beginning twice": (rules, "_expects_a_start", _same, set()),
    "a refused stop is believed": (asked, "stop", _until_it_stops, {Peril.STOP, Peril.WITHDRAWAL}),
    "who comes after a refused stop is kept": (
        capture,
        "_noted",
        _same,
        {Peril.STOP, Peril.OVERFLOW},
    ),
    "no agent is asked": (Participants, "may_keep_others", lambda _: lambda *_: True, set()),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_machine_finds_a_call_without_the_rule(monkeypatch, mutant):
    module, name, make, perils = MUTANTS[mutant]
    consent = AgentConsent.REQUIRED if module is Participants else AgentConsent.NONE
    told = replace(policy(), agent_consent=consent)
    applied = st.sampled_from([told, replace(told, on_join=OnJoin.CONTINUE)])
    monkeypatch.setattr(AnyLegs, "policies", applied)
    monkeypatch.setattr(AnyLegs, "only", perils)
    monkeypatch.setattr(module, name, make(getattr(module, name)))
    thorough = settings(
        max_examples=5_000,
        stateful_step_count=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[HypothesisPhase.generate],  # a call is enough, it need not be the shortest
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(AnyLegs, settings=thorough)
