"""What AMI tells of another system's recordings becomes rows; the node is a simple one of our own.

The events are values; those of a torn wire are bytes, as a caller's number makes them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asterisk_compliance.app.calls.leg_tracking import LegTracker
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.observation import ObservingAmiEventRouter
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient, AnyEvent
from asterisk_compliance.asterisk.ami.events import (
    BridgeEnter,
    BridgeLeave,
    Hangup,
    LocalBridge,
    MixMonitorStart,
    MixMonitorStop,
)
from asterisk_compliance.asterisk.ami.observed_events import (
    ConfbridgeRecord,
    ConfbridgeStopRecord,
    MonitorStart,
    MonitorStop,
    Newchannel,
    Newexten,
    VarSet,
)
from asterisk_compliance.asterisk.ami.protocol import AmiProtocol
from asterisk_compliance.config.asterisk import ObserveSettings
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.state import CallerConsent, Decided
from asterisk_compliance.domain.observation.values import End, InformedState, Recorder, Where
from asterisk_compliance.domain.recording.verdict import Capture
from asterisk_compliance.ids import ChannelId, NodeName
from domain.call_builder import a_call, undecided
from values import replace

A, B = ChannelId("1796022110.0"), ChannelId("1796022111.1")
SPOOL = Path("/var/spool/asterisk/compliance")
NOTICE = "custom/notice"


@dataclass
class OwnNode:
    """What ears need of a node, without an Asterisk."""

    node: str = "pbx1"
    calls: dict[ChannelId, Any] = field(default_factory=dict)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: list[tuple[Kind, dict[str, Any]]] = field(default_factory=list)
    ari: None = None
    ami: None = None
    fed: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.legs = LegTracker(cast("Node", self), cast("Any", SimpleNamespace()))

    def row(self, kind: Kind, **detail: Any) -> None:
        self.rows.append((kind, detail))

    def feed(self, channel: ChannelId, event: Any) -> None:
        self.fed.append((channel, type(event).__name__))

    def spawn(self, work: Any) -> None:
        work.close()

    async def recover(self) -> None: ...


@dataclass
class Heard:
    """Ears that observe, and a clock in seconds."""

    node: OwnNode
    ears: ObservingAmiEventRouter
    now_s: float = 100.0

    def hear(self, *events: AnyEvent) -> None:
        for event in events:
            self.ears.on_event(event, self.now_s)

    def plays(self, channel: ChannelId = A, linkedid: str = A) -> None:
        self.hear(Newexten(channel, linkedid, "Playback", NOTICE))
        self.now_s += 6.5
        self.hear(VarSet(channel, linkedid, "PLAYBACKSTATUS", "SUCCESS"))

    def records(self, data: str = "/x.wav", channel: ChannelId = A) -> None:
        self.hear(Newexten(channel, A, "MixMonitor", data), MixMonitorStart(channel, A))

    def details(self, kind: Kind = Kind.RECORDING_OBSERVED) -> list[dict[str, Any]]:
        return [detail for one, detail in self.node.rows if one is kind]

    @property
    def told(self) -> list[tuple[InformedState, Where | None]]:
        return [(one["told"], one["where"]) for one in self.details()]

    def lives(
        self,
        channel: ChannelId = A,
        linkedid: str = A,
        decision: Decision | None = None,
        *,
        withdrawn: bool = False,
        state: Capture = Capture.NONE,
    ) -> None:
        """A call of our own, of which the listeners look at little."""
        call = a_call(channel=channel).call
        if decision is not None:
            stage = undecided(call)
            call = replace(call, stage=Decided(stage.policy, stage.wording, decision))
        call = replace(
            call,
            consent=CallerConsent(withdrawn=withdrawn),
            capture=replace(call.capture, state=state),
        )
        self.node.calls[channel] = SimpleNamespace(call=call, linkedid=linkedid)


@pytest.fixture
def heard() -> Heard:
    node = OwnNode()
    settings = ObserveSettings(notices={NOTICE: 6.5})
    heard = Heard(node, ObservingAmiEventRouter(cast("Node", node), settings, SPOOL))
    heard.hear(Newchannel(A, A))
    return heard


def test_a_recording_and_its_end_are_rows(heard):
    heard.records("/x.wav,b")
    heard.plays()
    heard.hear(BridgeEnter(A, A, "b1", 2, "PJSIP/a-1"), BridgeLeave(A, A, "b1", 1, "PJSIP/a-1"))
    heard.now_s += 2.0
    heard.hear(Hangup(A, A, 16))
    assert heard.node.rows == [
        (
            Kind.RECORDING_OBSERVED,
            {
                "channel": A,
                "number": 1,
                "by": Recorder.MIXMONITOR,
                "bridged": True,
                "told": InformedState.TOLD,
                "where": Where.CHANNEL,
                "notice": NOTICE,
            },
        ),
        (
            Kind.OBSERVED_ENDED,
            {
                "channel": A,
                "number": 1,
                "cause": End.HANGUP,
                "ran_ms": 2_000,
                "told_after_ms": None,
            },
        ),
    ]
    assert ("ami", "Newexten") in heard.node.events


def test_every_way_to_record_and_to_stop_is_heard(heard):
    heard.hear(Newexten(A, A, "NoOp", ""))
    heard.hear(MixMonitorStart(A, A), MixMonitorStop(A, A))
    heard.hear(MonitorStart(A, A), MonitorStop(A, A))
    heard.hear(ConfbridgeRecord("room"), BridgeEnter(A, A, "room", 2, "PJSIP/a-1", "base"))
    heard.hear(ConfbridgeStopRecord("room"), LocalBridge(A, B))
    assert [one["by"] for one in heard.details()] == list(Recorder)
    assert [one["cause"] for one in heard.details(Kind.OBSERVED_ENDED)] == [End.STOPPED] * 3


def test_the_service_hears_what_it_always_hears(heard):
    heard.hear(MixMonitorStart(A, A))
    assert heard.node.fed == [(A, "MixMonitorStarted")]


def test_our_own_recording_is_not_observed(heard):
    heard.records(f",bi(ID)r({SPOOL}/r-1-rx.wav)")
    heard.lives(state=Capture.REQUESTED)
    heard.hear(MixMonitorStart(A, A))
    assert heard.details() == []
    heard.hear(Newexten(B, A, "NoOp", ""), MixMonitorStart(B, A))
    assert len(heard.details()) == 1


ALLOWED = Decision(Status.ALLOWED, Reason.NOTICE_COMPLETED)
REFUSED = Decision(Status.REFUSED, Reason.CONSENT_REFUSED)
NEITHER = Decision(Status.NOT_RECORDED, Reason.SERVICE_RESTARTED)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ({"decision": None}, (InformedState.UNTOLD, None)),
        ({"decision": NEITHER}, (InformedState.UNTOLD, None)),
        ({"decision": ALLOWED}, (InformedState.TOLD, Where.SERVICE)),
        ({"decision": REFUSED}, (InformedState.REFUSED, Where.SERVICE)),
        ({"decision": ALLOWED, "withdrawn": True}, (InformedState.REFUSED, Where.SERVICE)),
    ],
)
def test_a_notice_of_ours_counts_and_a_no_counts_more(heard, call, told):
    heard.lives(B, A, **call)
    heard.records()
    assert heard.told == [told]
    assert heard.details()[0]["notice"] == ""


def test_a_no_counts_more_than_a_notice_of_theirs(heard):
    heard.lives(decision=REFUSED)
    heard.plays()
    heard.records()
    heard.node.calls.clear()
    heard.lives(decision=ALLOWED)
    heard.records()
    assert heard.told == [
        (InformedState.REFUSED, Where.SERVICE),
        (InformedState.TOLD, Where.CHANNEL),
    ]


def test_our_call_with_another_linkedid_says_nothing_of_theirs(heard):
    heard.lives(B, B, decision=ALLOWED)
    heard.records()
    assert heard.told == [(InformedState.UNTOLD, None)]


def test_after_an_outage_what_is_live_is_unknown(heard):
    heard.ears.on_connected("11.0.0")
    heard.records()
    assert heard.told == [(InformedState.UNKNOWN, None)]


def test_a_row_is_counted_by_what_had_been_told():
    metrics = Metrics()
    told = {"told": InformedState.DURING}
    metrics.observe(Draft(Kind.RECORDING_OBSERVED, 0, NodeName("pbx1"), detail=told))
    name = "compliance_observed_recordings_total"
    values = {one: metrics.registry.get_sample_value(name, {"told": one}) for one in InformedState}
    assert values == dict.fromkeys(InformedState, 0.0) | {InformedState.DURING: 1.0}


# -- callers who write events ------------------------------------------------------------------

HEAD = "Event: {}\r\nPrivilege: dialplan,all\r\nChannel: PJSIP/x-1\r\nCallerIDNum: "
TAIL = f"\r\nExten: 1\r\nUniqueid: {A}\r\nLinkedid: {A}\r\n"
PLAYS = f"1\r\n\r\nEvent: Newexten\r\nApplication: Playback\r\nAppData: {NOTICE}"
SUCCEEDS = "1\r\n\r\nEvent: VarSet\r\nVariable: PLAYBACKSTATUS\r\nValue: SUCCESS"


@pytest.mark.parametrize("times", [1, 3])
async def test_a_number_with_line_breaks_makes_no_recording_told(heard, monkeypatch, times):
    """Somebody's number says that a notice began, another one's, in time, that it was completed.

    Each event about them holds the number.
    """

    class Transport:
        def write(self, data: bytes) -> None: ...
        def abort(self) -> None: ...

    client = AmiClient(AmiAddress("127.0.0.1", 1, "u", "s"), heard.ears, observes=True)
    protocol = AmiProtocol(client._on_message)
    protocol.connection_made(Transport())
    monkeypatch.setattr(
        "asterisk_compliance.asterisk.ami.client.time.monotonic", lambda: heard.now_s
    )

    def writes(event: str, number: str) -> None:
        protocol.data_received((HEAD.format(event) + number + TAIL + "\r\n").encode())

    for _ in range(times):
        writes("Newchannel", PLAYS)
    heard.now_s += 6.5
    for _ in range(times):
        writes("Newexten", SUCCEEDS)
    heard.records()
    assert heard.told == [(InformedState.UNKNOWN, None)]
    assert Kind.EVENT_MALFORMED in [kind for kind, _ in heard.node.rows]


def test_torn_events_have_one_row_a_second(heard, monkeypatch):
    clock = [50.0]
    monkeypatch.setattr("asterisk_compliance.app.observation.time.monotonic", lambda: clock[0])
    for _ in range(30):
        heard.ears.on_malformed("torn")
        clock[0] += 0.1
    assert [kind for kind, _ in heard.node.rows] == [Kind.EVENT_MALFORMED] * 3
