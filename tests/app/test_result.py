"""The result goes to the dialplan in one variable, and comes apart into exactly its values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.app.result import RESULT_VARIABLES, encode_result
from asterisk_compliance.domain.commands import HandOver
from asterisk_compliance.domain.decision import Next, Reason, Status
from asterisk_compliance.ids import ChannelId, call_id, recording_id

SPOOL = PurePosixPath("/var/spool/asterisk/compliance")
CALL = call_id(1_700_000_000_000, b"8 bytes!")
RECORDING = recording_id(CALL, 1)
ALLOWED = HandOver(
    CALL,
    Status.ALLOWED,
    Reason.NOTICE_COMPLETED,
    purposes=("SERVICE", "QUALITY"),
    notice="standard/1/ja",
    recording=RECORDING,
    channel=ChannelId("pbx1-1700000000.1"),
    start=True,
)


def test_the_values_in_their_order() -> None:
    values = dict(zip(RESULT_VARIABLES, encode_result(ALLOWED, SPOOL).split(","), strict=True))
    assert values == {
        "COMPLIANCE_STATUS": "ALLOWED",
        "COMPLIANCE_REASON": "NOTICE_COMPLETED",
        "COMPLIANCE_PURPOSES": "SERVICE&QUALITY",
        "COMPLIANCE_NOTICE": "standard/1/ja",
        "COMPLIANCE_RECORDING_ID": RECORDING,
        "COMPLIANCE_CALL_ID": CALL,
        "COMPLIANCE_NEXT": "continue",
        "COMPLIANCE_CHANNEL": "pbx1-1700000000.1",
        "COMPLIANCE_OPTIONS": f"bi(COMPLIANCE_MMID)r({SPOOL}/{RECORDING}-rx.wav)"
        f"t({SPOOL}/{RECORDING}-tx.wav)",
    }


def test_capture_from_the_notice_on_has_no_bridge_option() -> None:
    options = encode_result(replace(ALLOWED, bridged_only=False), SPOOL).split(",")[-1]
    assert options.startswith("i(COMPLIANCE_MMID)r(")


def test_a_refusal_asks_for_nothing() -> None:
    refused = HandOver(CALL, Status.NOT_RECORDED, Reason.POLICY_UNKNOWN)
    assert encode_result(refused, SPOOL) == f"NOT_RECORDED,POLICY_UNKNOWN,,,,{CALL},continue,,"


@pytest.mark.parametrize("what", Next)
def test_a_refusal_says_how_the_call_goes_on(what: Next) -> None:
    refused = HandOver(CALL, Status.REFUSED, Reason.CONSENT_REFUSED, next=what)
    assert encode_result(refused, SPOOL) == f"REFUSED,CONSENT_REFUSED,,,,{CALL},{what},,"


def test_a_standing_decision_starts_nothing() -> None:
    """It names recording and channel; without options the routine has nothing to run."""
    standing = encode_result(replace(ALLOWED, start=False), SPOOL).split(",")
    assert standing[4:] == [RECORDING, CALL, "continue", ALLOWED.channel, ""]


@pytest.mark.parametrize("character", list(',"\\$\r\n'))
@pytest.mark.parametrize(
    "change",
    [
        lambda bad: {"reason": bad},
        lambda bad: {"purposes": ("SERVICE", bad)},
        lambda bad: {"notice": bad},
        lambda bad: {"channel": bad},
        lambda bad: {"call": bad},
        lambda bad: {"recording": bad},
    ],
)
def test_values_that_asterisk_would_take_apart(change, character: str) -> None:
    with pytest.raises(ValueError, match="dialplan syntax"):
        encode_result(replace(ALLOWED, **change(f"a{character}b")), SPOOL)


def test_a_spool_that_asterisk_would_take_apart() -> None:
    with pytest.raises(ValueError, match="dialplan syntax"):
        encode_result(ALLOWED, PurePosixPath("/var/a,b"))


codes = st.from_regex(r"[A-Z][A-Z0-9_]{1,31}", fullmatch=True)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
results = st.builds(
    HandOver,
    call=st.builds(call_id, st.integers(0, 2**48 - 1), st.binary(min_size=8, max_size=8)),
    status=st.sampled_from(Status),
    reason=st.sampled_from(Reason),
    purposes=st.lists(codes, max_size=8).map(tuple),
    notice=st.just("") | st.builds("{}/{}/ja".format, names, names),
    recording=st.none() | st.just(RECORDING),
    channel=st.none() | st.from_regex(r"([a-z0-9-]{1,20}-)?[0-9]{10}\.[0-9]{1,6}", fullmatch=True),
    bridged_only=st.booleans(),
    next=st.sampled_from(Next),
).map(lambda result: replace(result, start=result.recording is not None and result.bridged_only))
spools = st.lists(names, min_size=1, max_size=5).map(lambda parts: PurePosixPath("/", *parts))


@given(results, spools)
def test_whatever_we_make_comes_apart_into_its_values(
    result: HandOver, spool: PurePosixPath
) -> None:
    encoded = encode_result(result, spool)
    values = encoded.split(",")
    assert len(values) == len(RESULT_VARIABLES)
    assert (values[0], values[5], values[6]) == (result.status, result.call, result.next)
    assert values[7] == (result.channel or "")
    depth = 0
    for character in encoded:
        depth += {"(": 1, ")": -1}.get(character, 0)
        assert depth in {0, 1}
    assert depth == 0
    assert (values[8] != "") == result.start
