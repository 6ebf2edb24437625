"""What the rows of a call say of it, kind by kind."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Actor, Detail, Kind
from asterisk_compliance.domain.call.commands import AppendRow, Mute
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.events import EntryWire, Leg
from asterisk_compliance.domain.call.replay import ROW_LATE_MS, Left, ReplayedCall, replay_call
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.ids import ChannelId, party_id, recording_id
from domain.simulated_death import UNIX_MS, stored
from domain.simulator import CALL, CHANNEL
from values import replace

ONE, TWO, THREE = (recording_id(CALL, number) for number in (1, 2, 3))
AGENT, FRIEND = ChannelId("1700000001.1"), ChannelId("1700000001.2")


def row(kind: Kind, actor: str = Actor.SERVICE, **detail: Detail) -> AppendRow:
    return AppendRow(kind, detail, actor)


ARRIVED = row(
    Kind.CALL_ARRIVED,
    channel=CHANNEL,
    entry="ari",
    leg="callee",
    linkedid="1700000000.0",
    policy="inbound",
    policy_digest="d" * 64,
)
DECIDED = row(
    Kind.DECISION,
    status="ALLOWED",
    reason="NOTICE_COMPLETED",
    purposes=("SERVICE",),
    notice="standard/1/ja",
)
ASKED = row(Kind.RECORDING_REQUESTED, recording=ONE, capture="bridged", others=True)
STARTED = row(Kind.RECORDING_STARTED, recording=ONE, evidence="file")
ASKED_AGAIN = row(Kind.RECORDING_REQUESTED, recording=TWO, capture="bridged", others=False)
STARTED_AGAIN = row(Kind.RECORDING_STARTED, recording=TWO, evidence="file")
RUNS = (ARRIVED, DECIDED, ASKED, STARTED)
PAUSED = row(Kind.CAPTURE_PAUSED, Actor.AGENT, recording=ONE, reason="CARD", mute="all")


def joined(channel: ChannelId, cover: str, **detail: Detail) -> AppendRow:
    return row(Kind.PARTY_JOINED, channel=channel, cover=cover, party=party_id(CALL, 2), **detail)


def muted(reason: str) -> AppendRow:
    return row(Kind.CAPTURE_PAUSED, recording=ONE, reason=reason, mute="others")


def resumed(mute: Mute, actor: str = Actor.SERVICE) -> AppendRow:
    return row(Kind.CAPTURE_RESUMED, actor, recording=ONE, mute=mute)


def known(*rows: AppendRow) -> ReplayedCall:
    """Row n was written n seconds after the first."""
    found = replay_call(stored(one, 1_000 * seq, seq) for seq, one in enumerate(rows))
    assert found is not None
    return found


def at(seq: int) -> int:
    return UNIX_MS + 1_000 * seq


def since(seq: int) -> int:
    """From when on a recording is tainted by row ``seq``."""
    return at(seq) - ROW_LATE_MS


# -- who it is ---------------------------------------------------------------------------------


def test_an_arrival_says_who_it_is() -> None:
    call = known(ARRIVED)
    assert (call.id, call.channel, call.entry, call.leg) == (
        CALL,
        CHANNEL,
        EntryWire.ARI,
        Leg.CALLEE,
    )
    assert (call.linkedid, call.policy, call.policy_digest) == (
        "1700000000.0",
        "inbound",
        "d" * 64,
    )
    assert (call.decision, call.language, call.last_number) == (None, "", 0)


@pytest.mark.parametrize(
    ("detail", "erases"), [({}, False), ({"synthetic": False}, False), ({"synthetic": True}, True)]
)
def test_what_a_synthetic_call_left_goes(detail: dict[str, Detail], erases: bool) -> None:
    assert known(replace(ARRIVED, detail={**ARRIVED.detail, **detail})).erases is erases


@pytest.mark.parametrize("without", [{"channel": ""}, {"entry": "carrier pigeon"}])
def test_without_its_arrival_nothing_is_known(without: dict[str, str]) -> None:
    strange = replace(ARRIVED, detail={**ARRIVED.detail, **without})
    assert replay_call([]) is None
    assert replay_call([stored(DECIDED, 0, 0)]) is None
    assert replay_call([stored(strange, 0, 0), stored(DECIDED, 0, 1)]) is None


def test_a_decision_is_known_with_what_it_binds() -> None:
    call = known(ARRIVED, DECIDED)
    assert call.decision == Decision(
        Status.ALLOWED, Reason.NOTICE_COMPLETED, (PurposeCode("SERVICE"),), "standard/1/ja"
    )
    assert call.language == "ja"


def test_what_says_nothing_of_the_state_changes_nothing() -> None:
    assert known(*RUNS, row(Kind.CALL_CONTINUED), row(Kind.AUDIO_LOST)) == known(*RUNS)


def test_an_end_and_lives_are_counted() -> None:
    followed = row(Kind.CALL_FOLLOWED, unseen_ms=3)
    assert known(ARRIVED, followed, followed).lives == 2
    assert known(ARRIVED, row(Kind.CALL_ENDED, bridged_ms=3)).ended


# -- recordings --------------------------------------------------------------------------------


def test_the_first_recording_is_the_routine_s_to_begin() -> None:
    call = known(ARRIVED, DECIDED, ASKED)
    assert (call.running, call.coming) == (ONE, None)
    assert call.recordings == {ONE: Left.REQUESTED}


def test_a_recording_on_demand_comes() -> None:
    asked = replace(ASKED, detail={**ASKED.detail, "capture": "on-demand"})
    call = known(ARRIVED, DECIDED, asked)
    assert (call.running, call.coming) == (None, ONE)


@pytest.mark.parametrize(
    "kind", [Kind.RECORDING_STARTED, Kind.RECORDING_GROWING, Kind.RECORDING_STALLED]
)
def test_a_recording_runs(kind: Kind) -> None:
    assert known(ARRIVED, ASKED, row(kind, recording=ONE)).recordings == {ONE: Left.RUNNING}


def test_a_new_segment_takes_the_place_of_the_old_one() -> None:
    call = known(*RUNS, muted("JOINED"), ASKED_AGAIN)
    assert (call.running, call.coming, call.mute) == (ONE, TWO, Mute.OTHERS)
    assert call.told_only == {TWO}
    call = known(*RUNS, muted("JOINED"), ASKED_AGAIN, STARTED_AGAIN)
    assert (call.running, call.coming, call.mute) == (TWO, None, Mute.NONE)
    assert call.recordings == {ONE: Left.RUNNING, TWO: Left.RUNNING}
    assert call.last_number == 2


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (Kind.RECORDING_CLOSED, Left.JUDGED),
        (Kind.RECORDING_EMPTY, Left.JUDGED),
        (Kind.RECORDING_MISSING, Left.DEALT_WITH),
        (Kind.RECORDING_UNJUDGED, Left.DEALT_WITH),
        (Kind.SPOOL_REMOVED, Left.DEALT_WITH),
    ],
)
def test_a_recording_is_concluded(kind: Kind, left: Left) -> None:
    call = known(*RUNS, PAUSED, muted("JOINED"), row(kind, recording=ONE))
    assert (call.recordings, call.running) == ({ONE: left}, None)
    assert (call.pauses, call.mute) == (frozenset(), Mute.NONE)
    assert call.kept == ({ONE} if kind is Kind.RECORDING_CLOSED else set())


def test_what_is_removed_is_not_kept() -> None:
    closed = row(Kind.RECORDING_CLOSED, recording=ONE)
    assert known(*RUNS, closed, row(Kind.RECORDING_REMOVED, recording=ONE)).kept == frozenset()


def test_the_end_of_one_recording_is_not_that_of_another() -> None:
    closed = row(Kind.RECORDING_CLOSED, recording=ONE)
    call = known(*RUNS, PAUSED, ASKED_AGAIN, closed)
    assert (call.coming, call.pauses) == (TWO, {"agent"})
    call = known(*RUNS, ASKED_AGAIN, STARTED_AGAIN, PAUSED, closed)
    assert (call.running, call.pauses) == (TWO, {"agent"})
    missing = row(Kind.RECORDING_MISSING, recording=TWO, expected_ms=0)
    call = known(*RUNS, PAUSED, ASKED_AGAIN, missing)
    assert (call.running, call.coming, call.pauses) == (ONE, None, {"agent"})


def test_one_that_was_given_up_and_runs_all_the_same_is_told_to_stop() -> None:
    missing = row(Kind.RECORDING_MISSING, recording=TWO, expected_ms=0)
    closed = row(Kind.RECORDING_CLOSED, recording=ONE)
    call = known(*RUNS, ASKED_AGAIN, closed, missing, STARTED_AGAIN)
    assert (call.running, call.stopped_at_ms) == (TWO, at(7))
    call = known(*RUNS, ASKED_AGAIN, missing, STARTED_AGAIN)
    assert (call.running, call.stopped_at_ms) == (TWO, None), "it took the place of another"


def test_a_stop_is_known_until_the_next_recording() -> None:
    stop = row(Kind.CAPTURE_STOPPED, recording=ONE, reason="ASKED")
    call = known(*RUNS, PAUSED, stop)
    assert (call.stopped_at_ms, call.stopped_for, call.pauses) == (at(5), "ASKED", frozenset())
    call = known(*RUNS, stop, row(Kind.RECORDING_CLOSED, recording=ONE))
    assert (call.stopped_at_ms, call.stopped_for) == (None, "ASKED")
    call = known(*RUNS, stop, ASKED_AGAIN)
    assert (call.stopped_at_ms, call.stopped_for) == (None, "")


# -- what is muted -----------------------------------------------------------------------------


def test_each_who_paused_resumes_for_himself() -> None:
    staff, other = party_id(CALL, 7), party_id(CALL, 8)
    by_staff = replace(PAUSED, actor=staff)
    assert known(*RUNS, PAUSED, by_staff).pauses == {"agent", "staff"}
    by_another = resumed(Mute.ALL, other)
    assert known(*RUNS, PAUSED, by_staff, by_another).pauses == {"agent"}


@pytest.mark.parametrize("mute", [Mute.NONE, Mute.OTHERS])
def test_a_resume_says_what_stays_muted(mute: Mute) -> None:
    call = known(*RUNS, PAUSED, resumed(mute))
    assert (call.pauses, call.mute) == (frozenset(), mute)


@pytest.mark.parametrize(("earlier", "erases"), [("delete", True), ("keep", False)])
def test_a_withdrawal(earlier: str, erases: bool) -> None:
    withdrawn = row(Kind.CONSENT, Actor.CALLER, state="withdrawn", earlier=earlier)
    call = known(*RUNS, withdrawn)
    assert (call.withdrawn, call.erases) == (True, erases)
    assert not known(ARRIVED, row(Kind.CONSENT, Actor.CALLER, state="given")).withdrawn


# -- who is there ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cover", "covered", "controller"),
    [
        ("staff", True, True),
        ("assumed", True, True),
        ("told", True, False),
        ("accepted", True, False),
        ("unknown", False, False),
        ("refused", False, False),
    ],
)
def test_who_joined(cover: str, covered: bool, controller: bool) -> None:
    call = known(*RUNS, joined(AGENT, cover))
    assert call.covered == ({AGENT} if covered else set())
    assert call.controller == ({AGENT} if controller else set())
    assert call.tainted == ({} if covered else {ONE: since(4)})
    assert call.parties == 2


def test_who_was_told_is_covered_and_what_ran_before_is_tainted() -> None:
    call = known(*RUNS, joined(AGENT, "unknown"), row(Kind.PARTY_TOLD, channel=AGENT))
    assert call.covered == {AGENT}
    assert call.tainted == {ONE: since(4)}


def test_what_comes_is_tainted_with_what_runs_and_the_earliest_counts() -> None:
    call = known(*RUNS, ASKED_AGAIN, joined(AGENT, "unknown"), joined(FRIEND, "unknown"))
    assert call.tainted == {ONE: since(5), TWO: since(5)}
    call = known(*RUNS, joined(AGENT, "unknown"), joined(FRIEND, "unknown", unseen_ms=9_000))
    assert call.tainted == {ONE: since(5) - 9_000}


@pytest.mark.parametrize(
    ("reason", "tainted"), [("AGENT_CONSENT", True), ("JOINED", True), ("TRANSFER", False)]
)
def test_a_suspicion_taints_nothing(reason: str, tainted: bool) -> None:
    assert known(*RUNS, muted(reason)).tainted == ({ONE: since(4)} if tainted else {})


def test_a_company_that_changes_under_a_recording_is_known() -> None:
    assert known(*RUNS, joined(AGENT, "assumed")).changed_at_ms is None, "the first company"
    both = (joined(AGENT, "assumed"), joined(FRIEND, "told"))
    assert known(*RUNS, *both).changed_at_ms == at(5)
    assert known(*RUNS, *both, joined(FRIEND, "told")).changed_at_ms == at(5)
    assert known(*RUNS, *both, ASKED_AGAIN).changed_at_ms is None
    assert known(ARRIVED, DECIDED, *both).changed_at_ms is None, "nothing runs"
