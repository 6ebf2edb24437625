"""Recordings of others: what had been told when each began, rule by rule and for any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asterisk_compliance.domain.dialplan.actions import executed
from asterisk_compliance.domain.observation.tracker import (
    MOST_BRIDGES,
    MOST_RUNNING,
    TOLERANCE_MS,
    Observing,
)
from asterisk_compliance.domain.observation.values import (
    Began,
    End,
    Ended,
    Fact,
    InformedState,
    Recorder,
    Where,
)
from asterisk_compliance.ids import ChannelId

A, B, C = ChannelId("1796022110.0"), ChannelId("1796022111.1"), ChannelId("1796022112.2")
NOTICE, OTHER = "custom/notice", "custom/a&custom/b"
LENGTH_MS = 6_500
SPOOL = "/var/spool/asterisk/compliance"
MIX, CONF = Recorder.MIXMONITOR, Recorder.CONFBRIDGE


@dataclass
class Watch:
    """An observed Asterisk with a clock, and the facts so far."""

    known: Observing = field(
        default_factory=lambda: Observing({NOTICE: LENGTH_MS, OTHER: 1_000}, SPOOL)
    )
    now: int = 0
    facts: list[Fact] = field(default_factory=list)

    def call(self, *channels: ChannelId) -> None:
        """Channels of one call begin."""
        for one in channels:
            self.known.born(one, channels[0])

    def runs(self, channel: ChannelId, app: str, data: str = "", linkedid: str = A) -> None:
        self.known.executed(channel, linkedid, app, data, self.now)

    def plays(
        self,
        channel: ChannelId,
        lasts_ms: int = LENGTH_MS,
        status: str = "SUCCESS",
        linkedid: str = A,
    ) -> None:
        self.runs(channel, "Playback", NOTICE, linkedid)
        self.now += lasts_ms
        self.known.played(channel, linkedid, "PLAYBACKSTATUS", status, self.now)

    def mixes(self, channel: ChannelId, data: str = "/x.wav", linkedid: str = A) -> None:
        self.runs(channel, "MixMonitor", data, linkedid)
        self.facts += self.known.started(channel, linkedid, MIX, self.now)

    def enters(self, channel: ChannelId, bridge: str = "b1", linkedid: str = A) -> None:
        self.facts += self.known.entered(channel, linkedid, bridge, self.now)

    def hangs_up(self, channel: ChannelId) -> None:
        self.facts += self.known.gone(channel, self.now)

    @property
    def told(self) -> list[tuple[InformedState, Where | None, str]]:
        return [(one.told, one.where, one.notice) for one in self.facts if isinstance(one, Began)]

    @property
    def ended(self) -> list[tuple[End, int, int | None]]:
        ends = (one for one in self.facts if isinstance(one, Ended))
        return [(one.cause, one.ran_ms, one.told_after_ms) for one in ends]


@pytest.fixture
def watch() -> Watch:
    watch = Watch()
    watch.call(A)
    return watch


UNTOLD = (InformedState.UNTOLD, None, "")
UNKNOWN = (InformedState.UNKNOWN, None, "")


# -- O1, O2: the notice ------------------------------------------------------------------------


def test_a_recording_without_a_notice_is_untold(watch):
    watch.mixes(A)
    assert watch.facts == [
        Began(A, A, 1, MIX, bridged=False, told=InformedState.UNTOLD, where=None, notice="")
    ]


def test_one_after_the_notice_is_told(watch):
    watch.plays(A)
    watch.mixes(A)
    assert watch.told == [(InformedState.TOLD, Where.CHANNEL, NOTICE)]


@pytest.mark.parametrize(
    ("lasts_ms", "status"),
    [(LENGTH_MS - TOLERANCE_MS - 1, "SUCCESS"), (LENGTH_MS, "FAILED"), (LENGTH_MS, "")],
)
def test_a_notice_that_was_cut_short_or_failed_is_incomplete(watch, lasts_ms, status):
    watch.plays(A, lasts_ms, status)
    watch.mixes(A)
    assert watch.told == [(InformedState.INCOMPLETE, Where.CHANNEL, NOTICE)]


def test_the_length_has_a_tolerance(watch):
    watch.plays(A, LENGTH_MS - TOLERANCE_MS)
    watch.mixes(A)
    assert watch.told == [(InformedState.TOLD, Where.CHANNEL, NOTICE)]


def test_a_dialplan_that_goes_on_without_a_status_has_not_played_it(watch):
    watch.runs(A, "Playback", NOTICE)
    watch.now += 2 * LENGTH_MS
    watch.runs(A, "NoOp")
    watch.known.played(A, A, "PLAYBACKSTATUS", "SUCCESS", watch.now)
    watch.mixes(A)
    assert watch.told == [(InformedState.INCOMPLETE, Where.CHANNEL, NOTICE)]


def test_the_status_of_another_application_is_not_this_ones(watch):
    watch.runs(A, "BackGround", f"{NOTICE},m")
    watch.now += LENGTH_MS
    watch.known.played(A, A, "PLAYBACKSTATUS", "SUCCESS", watch.now)
    watch.facts += watch.known.started(A, A, MIX, watch.now)
    watch.known.played(A, A, "BACKGROUNDSTATUS", "SUCCESS", watch.now)
    watch.facts += watch.known.started(A, A, MIX, watch.now)
    assert watch.told == [
        (InformedState.DURING, Where.CHANNEL, NOTICE),
        (InformedState.TOLD, Where.CHANNEL, NOTICE),
    ]


@pytest.mark.parametrize(
    "data", ["custom/welcome", f"custom/welcome&{NOTICE}", f"{NOTICE}&custom/welcome", ""]
)
def test_only_exactly_the_sounds_of_a_notice_are_one(watch, data):
    watch.runs(A, "Playback", data)
    watch.now += 60_000
    watch.known.played(A, A, "PLAYBACKSTATUS", "SUCCESS", watch.now)
    watch.mixes(A)
    assert watch.told == [UNTOLD]


def test_a_list_of_sounds_is_a_notice_if_the_site_says_so(watch):
    watch.runs(A, "Playback", f" {OTHER} ,noanswer")
    watch.now += 1_000
    watch.known.played(A, A, "PLAYBACKSTATUS", "SUCCESS", watch.now)
    watch.mixes(A)
    assert watch.told == [(InformedState.TOLD, Where.CHANNEL, OTHER)]


def test_an_application_that_can_be_paused_proves_nothing(watch):
    watch.runs(A, "ControlPlayback", NOTICE)
    watch.now += 60_000
    watch.known.played(A, A, "PLAYBACKSTATUS", "SUCCESS", watch.now)
    watch.mixes(A)
    assert watch.told == [UNTOLD]


# -- O3: when a recording begins ---------------------------------------------------------------


def test_with_option_b_it_begins_in_the_bridge(watch):
    watch.mixes(A, "/x.wav,aW(2)bi(ID)")
    watch.plays(A)
    assert watch.facts == []
    watch.enters(A)
    assert watch.facts == [
        Began(
            A, A, 1, MIX, bridged=True, told=InformedState.TOLD, where=Where.CHANNEL, notice=NOTICE
        )
    ]
    watch.now += 10
    watch.known.left(A, watch.now)
    watch.enters(A, "b2")
    assert len(watch.facts) == 1
    watch.hangs_up(A)
    assert watch.ended == [(End.HANGUP, 10, None)]


def test_with_option_b_in_a_bridge_it_begins_at_once(watch):
    watch.enters(A)
    watch.enters(A)
    watch.mixes(A, "/x.wav,b")
    assert watch.told == [UNTOLD]


def test_one_that_waited_for_a_bridge_in_vain_is_none(watch):
    watch.mixes(A, "/x.wav,b")
    watch.hangs_up(A)
    assert watch.facts == []


def test_a_b_in_the_argument_of_another_option_is_none(watch):
    watch.mixes(A, "/x.wav,i(b)r(/b.wav)")
    assert len(watch.told) == 1


def test_monitor_says_itself_when_it_begins(watch):
    watch.runs(A, "Monitor", "wav,base,b")
    watch.facts += watch.known.started(A, A, Recorder.MONITOR, 5)
    watch.facts += watch.known.stopped(A, MIX, 6)
    watch.facts += watch.known.stopped(A, Recorder.MONITOR, 7)
    assert [one.by for one in watch.facts if isinstance(one, Began)] == [Recorder.MONITOR]
    assert watch.ended == [(End.STOPPED, 2, None)]


def test_options_are_those_of_the_recorder_that_starts_next(watch):
    """The first one failed, and somebody else started another one from outside."""
    watch.runs(A, "MixMonitor", ",b")
    watch.runs(A, "Wait", "5")
    watch.facts += watch.known.started(A, A, MIX, 0)
    watch.runs(A, "MixMonitor", "/x.wav,b")
    watch.facts += watch.known.started(A, A, Recorder.MONITOR, 0)
    assert [one.bridged for one in watch.facts if isinstance(one, Began)] == [False, False]


def test_a_conference_records_everybody_in_it_from_when_it_does_and_he_is(watch):
    watch.call(B)
    watch.call(C)
    for one in (A, B, C):
        watch.runs(one, "ConfBridge", "room", one)
    watch.enters(A, "room")
    watch.enters(C, "elsewhere", C)
    watch.facts += watch.known.conference_recorded("room", 0)
    watch.facts += watch.known.conference_recorded("room", 0)
    watch.enters(A, "room")  # said twice
    watch.now = 4
    watch.enters(B, "room", B)
    watch.facts += watch.known.left(A, 5)
    watch.now = 7
    watch.enters(C, "room", C)
    watch.facts += watch.known.conference_stopped("room", 9)
    began = [(one.channel, one.by) for one in watch.facts if isinstance(one, Began)]
    assert began == [(A, CONF), (B, CONF), (C, CONF)]
    assert watch.ended == [
        (End.LEFT, 5, None),
        (End.STOPPED, 5, None),
        (End.STOPPED, 2, None),
    ]


def test_a_conference_that_is_empty_is_recorded_no_more(watch):
    watch.facts += watch.known.conference_recorded("room", 0)
    watch.enters(A, "room")
    watch.known.left(A, 0)
    watch.known.left(A, 0)
    watch.enters(A, "room")
    assert len(watch.told) == 1


# -- O4: who was told --------------------------------------------------------------------------


def test_a_notice_on_another_channel_counts_for_the_call(watch):
    watch.call(A, B)
    watch.plays(B)
    watch.mixes(A)
    watch.mixes(B)
    assert watch.told == [
        (InformedState.TOLD, Where.CALL, NOTICE),
        (InformedState.TOLD, Where.CHANNEL, NOTICE),
    ]


def test_it_counts_when_that_channel_is_gone_or_comes_into_another_call(watch):
    watch.call(A, B)
    watch.call(C)
    watch.plays(B)
    watch.hangs_up(B)
    watch.plays(C, linkedid=C)
    watch.mixes(A)
    assert watch.told == [(InformedState.TOLD, Where.CALL, NOTICE)]
    moved = Watch()
    moved.call(A)
    moved.call(C)
    moved.plays(C, linkedid=C)
    moved.runs(A, "Dial")
    moved.enters(C)
    moved.mixes(A)
    assert moved.told == [(InformedState.TOLD, Where.CALL, NOTICE)]


def test_a_notice_of_another_call_counts_for_nobody_else(watch):
    watch.call(C)
    watch.plays(C, linkedid=C)
    watch.mixes(A)
    assert watch.told == [UNTOLD]


def test_while_it_plays_on_another_channel_of_the_call_it_is_during(watch):
    watch.call(A, B)
    watch.runs(A, "Dial")
    watch.runs(B, "Playback", NOTICE)
    watch.mixes(A)
    watch.known.played(B, A, "PLAYBACKSTATUS", "SUCCESS", 10)
    watch.mixes(A)
    assert watch.told == [
        (InformedState.DURING, Where.CALL, NOTICE),
        (InformedState.INCOMPLETE, Where.CALL, NOTICE),
    ]


def test_in_a_conference_everybody_must_hear_it_himself(watch):
    watch.call(A, B)
    watch.facts += watch.known.conference_recorded("room", 0)
    watch.plays(B)
    watch.runs(A, "ConfBridge")
    for one in (A, B):
        watch.enters(one, "room")
    assert watch.told == [UNTOLD, (InformedState.TOLD, Where.CHANNEL, NOTICE)]


def test_a_notice_that_comes_later_is_said_at_the_end(watch):
    watch.call(A, B)
    watch.mixes(A)
    watch.mixes(A, "/x.wav,b")
    watch.facts += watch.known.conference_recorded("room", 0)
    watch.enters(B, "room")
    watch.plays(B)
    watch.mixes(A)
    watch.plays(B)
    watch.now += 10
    for one in (A, B):
        watch.hangs_up(one)
    whole = 2 * LENGTH_MS + 10
    assert watch.ended == [
        (End.HANGUP, whole, LENGTH_MS),
        (End.HANGUP, LENGTH_MS + 10, None),  # told before
        (End.HANGUP, whole, LENGTH_MS),
    ]


def test_a_notice_of_another_member_comes_late_for_no_one_in_a_conference(watch):
    watch.call(A, B)
    watch.facts += watch.known.conference_recorded("room", 0)
    watch.enters(A, "room")
    watch.plays(B)
    watch.hangs_up(A)
    assert watch.ended == [(End.HANGUP, LENGTH_MS, None)]


# -- O5: what nobody saw -----------------------------------------------------------------------


def test_what_began_before_we_looked_is_unknown(watch):
    watch.known.forget()
    watch.mixes(A)
    assert watch.told == [UNKNOWN]
    watch.plays(A)
    watch.mixes(A)
    assert watch.told[1:] == [(InformedState.TOLD, Where.CHANNEL, NOTICE)]


def test_a_call_whose_first_channel_nobody_saw_is_unknown(watch):
    watch.known.forget()
    watch.known.born(B, A)
    watch.mixes(B)
    assert watch.told == [UNKNOWN]


def test_a_call_of_whose_dialplan_nothing_is_told_is_unknown(watch):
    """The user may not read the class dialplan, or the filter holds it back."""
    watch.facts += watch.known.started(A, A, MIX, 0)
    watch.facts += watch.known.conference_recorded("room", 0)
    watch.enters(A, "room")
    assert watch.told == [UNKNOWN, UNKNOWN]


def test_an_event_of_a_channel_that_nobody_knows_begins_nothing(watch):
    assert watch.known.stopped(B, MIX, 0) == []
    assert watch.known.left(B, 0) == []
    assert watch.known.gone(B, 0) == []
    watch.known.played(A, A, "PLAYBACKSTATUS", "SUCCESS", 0)
    assert watch.known.conference_stopped("room", 0) == []


@pytest.mark.parametrize("channel", ["", "a b", "1\r\nEvent: x", "x" * 151, "1796022110.0;3"])
def test_what_no_channel_can_be_called_is_ignored(channel):
    known = Observing({}, SPOOL)
    for one, linkedid in ((channel, A), (A, channel)):
        known.born(ChannelId(one), linkedid)
        known.executed(ChannelId(one), linkedid, "Playback", NOTICE, 0)
        known.played(ChannelId(one), linkedid, "PLAYBACKSTATUS", "SUCCESS", 0)
        assert known.started(ChannelId(one), linkedid, MIX, 0) == []
        assert known.entered(ChannelId(one), linkedid, "b", 0) == []
    assert len(known) == 0


# -- whose it is -------------------------------------------------------------------------------


def test_what_is_written_to_our_spool_is_ours(watch):
    watch.mixes(A, f",r({SPOOL}/r-1-rx.wav)")
    watch.facts += watch.known.stopped(A, MIX, 0)
    watch.mixes(A, f",r({SPOOL}-else/x.wav)")
    assert len(watch.told) == 1
    watch.facts += watch.known.stopped(A, MIX, 0)
    assert watch.ended == [(End.STOPPED, 0, None)]


def test_where_nobody_saw_what_was_run_one_can_be_ours(watch):
    watch.facts += watch.known.started(A, A, MIX, 0, perhaps_ours=True)
    assert watch.facts == []
    watch.mixes(A)
    watch.facts += watch.known.stopped(A, MIX, 0)
    assert watch.ended == []  # nobody says which
    assert len(watch.told) == 1


def test_of_several_nobody_knows_which_was_stopped(watch):
    watch.mixes(A)
    watch.mixes(A)
    watch.facts += watch.known.stopped(A, MIX, 1)
    watch.now = 2
    watch.hangs_up(A)
    assert watch.ended == [(End.HANGUP, 2, None)] * 2


# -- ExecIf() and its like ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("application", "data", "runs"),
    [
        ("Playback", "a,skip", ("playback", "a,skip")),
        ("ExecIf", "1?Playback(a):NoOp(b)", ("playback", "a")),
        ("ExecIf", "0?Playback(a):NoOp(b)", ("noop", "b")),
        ("ExecIf", "?Playback(a)", ("", "")),
        ("ExecIf", "-2?Playback(a)", ("playback", "a")),
        ("ExecIf", "yes?Playback(a)", ("playback", "a")),
        ("TryExec", "ExecIf(1?Exec(MixMonitor(a,b)))", ("mixmonitor", "a,b")),
        ("Exec", "Exec(Exec(Exec(Exec(Playback(a)))))", ("exec", "Playback(a)")),
    ],
)
def test_what_is_really_executed(application, data, runs):
    assert executed(application, data) == runs


@given(st.text(max_size=12), st.text(max_size=200))
def test_nothing_that_an_application_is_given_fails(application, data):
    executed(application, data)
    known = Observing({NOTICE: 1}, SPOOL)
    for name in (application, "ExecIf", "Playback", "MixMonitor", "Monitor"):
        known.executed(A, A, name, data, 0)


# -- bounds ------------------------------------------------------------------------------------


def test_what_is_remembered_is_bounded():
    known = Observing({}, SPOOL, most=10)
    for number in range(100):
        channel = ChannelId(f"1796022110.{number}")
        known.born(channel, channel)
        known.entered(channel, channel, f"b{number}", 0)
    assert len(known) == 30
    assert known.gone(ChannelId("1796022110.0"), 0) == []
    for number in range(2 * MOST_BRIDGES):
        known.conference_recorded(f"none{number}", 0)
    assert len(known) == 30 + MOST_BRIDGES


def test_so_many_recordings_of_a_channel_are_followed(watch):
    for _ in range(MOST_RUNNING + 5):
        watch.mixes(A)
    watch.hangs_up(A)
    assert len(watch.told) == MOST_RUNNING + 5
    assert len(watch.ended) == MOST_RUNNING
    assert len(watch.known) == 0


# -- any order ---------------------------------------------------------------------------------

CHANNELS = st.sampled_from((A, B, C))
BRIDGES = st.sampled_from(("b1", "b2"))
STEPS = st.one_of(
    st.tuples(st.just("born"), CHANNELS, CHANNELS),
    st.tuples(st.just("executed"), CHANNELS, CHANNELS, st.sampled_from(("Playback", "NoOp"))),
    st.tuples(st.just("played"), CHANNELS, CHANNELS, st.sampled_from(("SUCCESS", "FAILED"))),
    st.tuples(st.just("mixed"), CHANNELS, CHANNELS, st.sampled_from(("/x", "/x,b"))),
    st.tuples(st.just("stopped"), CHANNELS),
    st.tuples(st.just("entered"), CHANNELS, CHANNELS, BRIDGES),
    st.tuples(st.just("left"), CHANNELS),
    st.tuples(st.just("conference_recorded"), BRIDGES),
    st.tuples(st.just("conference_stopped"), BRIDGES),
    st.tuples(st.just("gone"), CHANNELS),
    st.tuples(st.just("forget")),
)


class Plain:
    """What is plain to see: was a notice ever completed, was it born, does it run?"""

    def __init__(self) -> None:
        self.known = Observing({NOTICE: LENGTH_MS}, SPOOL)
        self.now = 0
        self.playing: dict[ChannelId, int] = {}
        self.completed: set[ChannelId] = set()
        self.born: set[ChannelId] = set()
        self.running: dict[tuple[ChannelId, int], int] = {}

    def step(self, name: str, *values: Any) -> None:
        before = getattr(self, f"before_{name}", None)
        if before is not None:
            before(*values)
        act = getattr(self, f"do_{name}", None)
        timed = name not in {"born", "forget"}
        method = act or getattr(self.known, name)
        for fact in method(*values, *([self.now] if timed and act is None else [])) or ():
            self.check(fact)
        if name == "gone":
            self.playing.pop(values[0], None)
            self.born.discard(values[0])
            assert not [key for key in self.running if key[0] == values[0]]

    def before_born(self, channel: ChannelId, _linkedid: str) -> None:
        self.born.add(channel)

    def before_forget(self) -> None:
        for known in (self.playing, self.completed, self.born, self.running):
            known.clear()

    def do_executed(self, channel: ChannelId, linkedid: str, app: str) -> None:
        self.known.executed(channel, linkedid, app, NOTICE, self.now)
        self.playing.pop(channel, None)
        if app == "Playback":
            self.playing[channel] = self.now

    def do_played(self, channel: ChannelId, linkedid: str, status: str) -> None:
        self.known.played(channel, linkedid, "PLAYBACKSTATUS", status, self.now)
        lasted_ms = self.now - self.playing.pop(channel, self.now)
        if status == "SUCCESS" and lasted_ms >= LENGTH_MS - TOLERANCE_MS:
            self.completed.add(channel)

    def do_mixed(self, channel: ChannelId, linkedid: str, data: str) -> list[Fact]:
        self.known.executed(channel, linkedid, "MixMonitor", data, self.now)
        self.playing.pop(channel, None)
        return self.known.started(channel, linkedid, MIX, self.now)

    def do_stopped(self, channel: ChannelId) -> list[Fact]:
        return self.known.stopped(channel, MIX, self.now)

    def check(self, fact: Fact) -> None:
        key = (fact.channel, fact.number)
        if isinstance(fact, Ended):
            assert fact.ran_ms == self.now - self.running.pop(key)
            assert fact.told_after_ms is None or 0 <= fact.told_after_ms <= fact.ran_ms
            return
        assert key not in self.running
        self.running[key] = self.now
        if fact.told is InformedState.TOLD:
            assert self.completed
            assert fact.where is Where.CALL or fact.channel in self.completed
        elif fact.told is not InformedState.UNKNOWN:
            assert fact.channel in self.born
        assert fact.told is not InformedState.DURING or self.playing


@settings(max_examples=300)
@given(st.lists(st.tuples(STEPS, st.integers(0, LENGTH_MS)), max_size=40))
def test_in_any_order_nobody_is_called_told_who_was_not_nor_untold_unseen(steps):
    plain = Plain()
    for step, later_ms in steps:
        plain.now += later_ms
        plain.step(*step)
    for channel in (A, B, C):
        plain.step("gone", channel)
    for bridge in ("b1", "b2"):
        plain.step("conference_stopped", bridge)
    assert len(plain.known) == 0
    assert not plain.running
