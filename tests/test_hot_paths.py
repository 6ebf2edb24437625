"""What is done for every call, counted: function calls, Python's and C's, not seconds.

A count is the same on a busy machine. The limits are what was counted on Python 3.11 or 3.13,
whichever is more, and a tenth. Who makes a path dearer on purpose says so here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.live_call import CALL, RECORDING, arrival
from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient
from asterisk_compliance.asterisk.ami.protocol import AmiProtocol
from asterisk_compliance.asterisk.ari import events as ari_events
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import AppendRow
from asterisk_compliance.domain.call.events import (
    Bridged,
    ChannelGone,
    Continued,
    FileGrew,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
    RecordingJudged,
    SpoolRemoved,
)
from asterisk_compliance.domain.call.state import CallLimits, CallPhase
from asterisk_compliance.domain.recording.verdict import CaptureOutcome, RecordingVerdict
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter

RULES, DECODING, STORING, HEARING = 223, 4, 734, 53
STATEMENTS = 19
"""Of SQL, for the same rows: each costs more than twenty of those calls, and hands the interpreter
over twice."""
PAGES = 26
"""Of the write-ahead log, for the same rows in a small store: a page of each table and index that a
transaction changes. An index more is one or two of them, and in a large store one for each row."""
PAGE_BYTES, WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 4_096, 32, 24
TOLERANCE = 1.1

HANGUP = Path(__file__).with_name("asterisk") / "fixtures/22.10.1/ami_Hangup.txt"

STASIS_START = b"""{"type":"StasisStart","timestamp":"2026-11-24T08:00:00.123+0000",
"args":["policy=inbound","linkedid=1795507200.1","dialled=0312345678","direction="],
"channel":{"id":"1795507200.1","name":"PJSIP/trunk-00000001","state":"Ring","protocol_id":"x",
"caller":{"name":"","number":"0312345678"},"connected":{"name":"","number":""},"accountcode":"",
"dialplan":{"context":"compliance-notice","exten":"s","priority":14,"app_name":"Stasis",
"app_data":"compliance,policy=inbound"},"creationtime":"2026-11-24T08:00:00.120+0000",
"language":"ja"},"asterisk_id":"02:42:ac:11:00:02","application":"compliance"}"""


def counted(work: Callable[[], object]) -> int:
    """How many functions are called; the second time, when all caches are filled."""
    calls = 0

    def note(_frame: object, event: str, _what: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    work()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def a_recorded_call() -> list[AppendRow]:
    """A call through the rules, from its arrival to its last row."""
    call, commands = rules.arrive(CALL, arrival(), CallLimits())
    done = [*commands]
    at = call.arrived_at_ms
    for event in (
        PlaybackStarted(call.playback, at + 1, at + 1),
        PlaybackFinished(call.playback, True, at + 2_000, at + 2_000),
        Continued(at + 2_001),
        LeftStasis(),
        MixMonitorStarted(at + 2_002),
        Bridged(at + 3_000),
        FileGrew(RECORDING, at + 6_000),
        ChannelGone(at + 80_000),
        RecordingJudged(RECORDING, RecordingVerdict(CaptureOutcome.CLOSED)),
        SpoolRemoved(RECORDING, 2),
    ):
        call, commands = rules.step(call, event)
        done += commands
    assert call.phase is CallPhase.OVER
    return [one for one in done if isinstance(one, AppendRow)]


def test_a_call_through_the_rules() -> None:
    found = counted(a_recorded_call)
    assert 0 < found <= RULES * TOLERANCE, found


def test_reading_an_event() -> None:
    found = counted(lambda: ari_events.decode(STASIS_START))
    assert 0 < found <= DECODING * TOLERANCE, found


async def test_hearing_an_event_of_ami() -> None:
    """From its bytes to whoever listens: a recorded ``Hangup`` of 18 headers."""
    told: list[object] = []
    listener: Any = SimpleNamespace(on_event=lambda event, _at: told.append(event))
    client = AmiClient(AmiAddress("127.0.0.1", 1, "user", "secret"), listener)
    protocol, event = AmiProtocol(client._on_message), HANGUP.read_bytes()
    found = counted(lambda: protocol.data_received(event))
    assert len(told) == 2
    assert 0 < found <= HEARING * TOLERANCE, found


def test_storing_a_call(tmp_path: Path) -> None:
    """Its rows in two transactions, as they mostly come."""
    rows = [
        Draft(one.kind, 1_795_507_200_000, "pbx1", CALL, one.actor, one.detail, one.party,
              "caller" if one.party else None, one.facts)
        for one in a_recorded_call()
    ]  # fmt: skip
    assert len(rows) == 11
    with StoreWriter.open(tmp_path / "store") as writer:

        def store() -> None:
            writer.commit_groups([[one] for one in rows[:6]])
            writer.commit_groups([[one] for one in rows[6:]])

        found = counted(store)
        statements: list[str] = []
        writer._db.set_trace_callback(statements.append)
        store()
        writer._db.set_trace_callback(None)
        writer._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store()
        written = (tmp_path / "store" / f"{DATABASE}-wal").stat().st_size - WAL_HEADER_BYTES
        pages = written // (PAGE_BYTES + FRAME_HEADER_BYTES)
    assert 0 < found <= STORING * TOLERANCE, found
    assert 0 < len(statements) <= STATEMENTS, statements
    assert 0 < pages <= PAGES, pages


def test_a_path_that_became_dearer_is_seen() -> None:
    cheap = counted(a_recorded_call)
    dear = counted(lambda: [a_recorded_call(), [len([]) for _ in range(cheap)]])
    assert dear > cheap * TOLERANCE
