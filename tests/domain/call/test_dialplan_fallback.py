"""What the dialplan promises to do alone, and what becomes of a recording that it made."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from asterisk_compliance.domain.audit.call_record import RowFact, fold
from asterisk_compliance.domain.audit.projection import project
from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.commands import AppendRow, Judge
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.dialplan_fallback import (
    Promise,
    adopt,
    attaches_to,
    named_by,
    promises,
    read_promise,
    unfit,
)
from asterisk_compliance.domain.call.events import EntryWire, Leg
from asterisk_compliance.domain.call.recovery import Clock, finish
from asterisk_compliance.domain.call.replay import Left, ReplayedCall, replay_call
from asterisk_compliance.domain.policy.matching import CallDirection, Match
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent, OnJoin, Withdrawal
from asterisk_compliance.domain.policy.reachability import reachable
from asterisk_compliance.domain.policy.rules import PolicyRule
from asterisk_compliance.domain.policy.terms import PolicyTerms
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import (
    ChannelId,
    NodeName,
    fallback_call_id,
    fallback_code,
    recording_id,
)
from domain.simulated_death import stored
from domain.simulator import CALL, CHANNEL, LIMITS, policy
from fallback_files import fallback_name
from values import replace

NODE = NodeName("pbx1")
POLICY = replace(policy(), beep_s=15)
JA, EN = promises(NODE, POLICY)
FILE = fallback_name(fallback_code(JA.digest), CHANNEL)
OWN = fallback_call_id(NODE, CHANNEL)
ALLOWED = Decision(
    Status.ALLOWED, Reason.FALLBACK_NOTICE, (PurposeCode("SERVICE"),), notice="standard/1/ja"
)
SEEN = ReplayedCall(CALL, CHANNEL, EntryWire.ARI, linkedid=CHANNEL, policy="inbound")
TAKEN_BACK = replace(SEEN, decision=Decision(Status.NOT_RECORDED, Reason.TAKEN_BACK))


# -- promises ----------------------------------------------------------------------------------


def test_a_policy_promises_one_thing_in_each_language() -> None:
    assert [one.language for one in (JA, EN)] == ["ja", "en"]
    assert (
        Promise(
            node=NODE,
            policy="inbound",
            policy_digest="p" * 64,
            language="ja",
            notice="standard/1/ja",
            purposes=(PurposeCode("SERVICE"),),
            text_digest="t" * 64,
            audio_digest="a" * 64,
            length_ms=1_000,
            capture=CaptureFrom.BRIDGED,
            beep_s=15,
        )
        == JA
    )


def test_a_promise_is_read_as_it_was_kept() -> None:
    assert read_promise(JA.encode()) == JA
    with pytest.raises(msgspec.MsgspecError):
        read_promise(b"{}")


@pytest.mark.parametrize("field", Promise.__struct_fields__)
def test_whatever_a_promise_says_is_in_its_digest(field: str) -> None:
    other: dict[str, Any] = {
        "purposes": (PurposeCode("QUALITY"),),
        "length_ms": 1_001,
        "capture": CaptureFrom.NOTICE,
        "beep_s": None,
    }
    changed = msgspec.structs.replace(JA, **{field: other.get(field, "other")})
    assert changed.digest != JA.digest


def test_a_name_means_the_one_promise_that_held() -> None:
    code = fallback_code(JA.digest)
    assert named_by(code, [EN.digest, JA.digest, JA.digest]) == JA.digest
    assert named_by(code, [EN.digest]) is None
    assert named_by(code, [f"{code}{'0' * 48}", JA.digest]) is None, "nobody can tell which"


# -- which policies ----------------------------------------------------------------------------

OUTBOUND = Match(direction=frozenset({CallDirection.OUTBOUND}))


def can(site: PolicyTerms, *rules: PolicyRule) -> list[tuple[str, Any]]:
    return [(field, value) for field, value, _ in unfit(reachable(rules, site))]


def sometimes(**asked: Any) -> PolicyRule:
    return PolicyRule(id="own", match=OUTBOUND, terms=PolicyTerms(**asked))


def test_a_notice_that_asks_nothing_can_be_played_by_the_dialplan() -> None:
    assert can(PolicyTerms()) == []
    assert can(PolicyTerms(capture=CaptureFrom.NOTICE, beep_s=15, on_join=OnJoin.CONTINUE)) == []
    assert can(PolicyTerms(), sometimes(retention_max_days=30, on_join=OnJoin.RENOTIFY)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("consent", Consent.OPT_OUT),
        ("consent", Consent.OPT_IN),
        ("capture", CaptureFrom.ON_DEMAND),
        ("on_join", OnJoin.STOP),
        ("withdrawal", Withdrawal.ON),
    ],
)
def test_what_needs_somebody_who_looks_is_left_to_the_service(field: str, value: Any) -> None:
    assert can(PolicyTerms(**{field: value})) == [(field, value)]
    assert can(PolicyTerms(), sometimes(**{field: value})) == [(field, value)]


def test_what_mixmonitor_is_told_must_be_the_same_for_every_call() -> None:
    assert can(PolicyTerms(), sometimes(beep_s=15)) == [("beep_s", 15)]
    site = PolicyTerms(capture=CaptureFrom.NOTICE)
    assert can(site, sometimes(capture=CaptureFrom.BRIDGED)) == [("capture", CaptureFrom.BRIDGED)]
    (found,) = unfit(reachable([sometimes(beep_s=15)], PolicyTerms()))
    assert found[2] == ("own",)


# -- adoption ----------------------------------------------------------------------------------


def kinds(rows: tuple[AppendRow, ...]) -> list[Kind]:
    return [row.kind for row in rows]


def test_a_call_that_nobody_saw_gets_an_id_of_its_own_and_always_the_same() -> None:
    adopted = adopt(JA, FILE, CHANNEL, None)
    assert (adopted.call, adopted.recording) == (OWN, recording_id(OWN, 1))
    assert adopt(JA, FILE, CHANNEL, None) == adopted
    arrived, decided, took = adopted.rows
    assert kinds(adopted.rows) == [Kind.CALL_ARRIVED, Kind.DECISION, Kind.RECORDING_ADOPTED]
    assert arrived.detail["channel"] == CHANNEL
    assert arrived.detail["entry"] == "dialplan"
    assert decided.detail == {
        "notice": "standard/1/ja",
        "purposes": ("SERVICE",),
        "reason": "FALLBACK_NOTICE",
        "status": "ALLOWED",
        "told_by": "notice",
    }
    assert took.detail["level"] == "dialplan"
    assert took.detail["promise"] == JA.digest
    assert took.detail["file"] == FILE
    assert {row.actor for row in adopted.rows} == {Actor.DIALPLAN}
    assert all(row.facts == () for row in adopted.rows)


@pytest.mark.parametrize("node", ["pbx1", "pbx2"])
def test_the_same_channel_of_another_asterisk_is_another_call(node: str) -> None:
    theirs = fallback_call_id(NodeName(node), CHANNEL)
    assert (theirs == OWN) is (node == "pbx1")
    assert int(theirs[2:14], 16) == 1_700_000_000_000, "sorted by when the channel was made"


def test_a_call_that_the_service_saw_keeps_its_decision() -> None:
    adopted = adopt(JA, FILE, CHANNEL, TAKEN_BACK)
    assert (adopted.call, adopted.recording) == (CALL, recording_id(CALL, 1))
    assert kinds(adopted.rows) == [Kind.RECORDING_ADOPTED]


def test_a_call_that_the_service_saw_and_did_not_decide_is_decided_once() -> None:
    adopted = adopt(JA, FILE, CHANNEL, SEEN)
    assert kinds(adopted.rows) == [Kind.DECISION, Kind.RECORDING_ADOPTED]


def test_a_recording_is_the_next_of_its_call() -> None:
    before = replace(TAKEN_BACK, recordings={recording_id(CALL, 3): Left.DEALT_WITH})
    assert adopt(JA, FILE, CHANNEL, before).recording == recording_id(CALL, 4)


def test_what_it_belongs_to() -> None:
    assert attaches_to(SEEN)
    assert attaches_to(TAKEN_BACK)
    assert not attaches_to(replace(SEEN, decision=ALLOWED)), "that one has purposes of its own"
    assert not attaches_to(replace(TAKEN_BACK, leg=Leg.CALLEE))


# -- what the log makes of it ------------------------------------------------------------------


def logged(known: ReplayedCall | None) -> ReplayedCall:
    rows = adopt(JA, FILE, CHANNEL, known).rows
    before = () if known is None else (AppendRow(Kind.CALL_ARRIVED, ARRIVED),)
    found = replay_call(stored(row, 0, seq) for seq, row in enumerate((*before, *rows)))
    assert found is not None
    return found


ARRIVED = {"channel": CHANNEL, "entry": "ari", "leg": "caller", "linkedid": CHANNEL}


@pytest.mark.parametrize("known", [None, SEEN, TAKEN_BACK])
def test_it_is_taken_in_under_the_purposes_that_were_told(known: ReplayedCall | None) -> None:
    left = logged(known)
    assert left.decision == ALLOWED
    (recording,) = left.recordings
    call, commands = finish(left, limits=LIMITS, now=Clock(0, 1_700_000_100_000), unseen_ms=0)
    (judged,) = (command for command in commands if isinstance(command, Judge))
    alone = Expected(None, others=False, asked_unix_ms=1_700_000_100_000)
    assert judged == Judge(recording, alone)
    rows = [command.kind for command in commands if isinstance(command, AppendRow)]
    assert rows == [Kind.CALL_ENDED], "it has its decision"
    assert call.decision == ALLOWED


def test_a_list_names_who_told_the_caller() -> None:
    *_, took = adopt(JA, FILE, CHANNEL, None).rows
    change = project(stored(took, 0, 0))
    assert change is not None
    assert change.table == "recordings"
    assert (change.columns["level"], change.columns["told_by"]) == ("dialplan", "dialplan")
    assert change.columns["capture"] == "bridged"


def test_a_comparison_sees_a_notice_and_a_recording() -> None:
    recording = recording_id(OWN, 1)
    row = {"kind": "recording_adopted", "at": "2026-11-24T08:00:00.000Z"}
    fact = msgspec.convert({**row, "detail": {"recording": recording}}, RowFact)
    call = fold(OWN, [fact])
    assert call.told
    assert call.recordings[recording].requested


def test_a_channel_is_named_by_an_id_that_tells_when_it_was_made() -> None:
    assert fallback_call_id(NODE, ChannelId("tokyo-1700000000.12"))[2:14] == OWN[2:14]
