"""The result goes to the dialplan in one variable, and comes apart into exactly its values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.app.dialplan.variables import (
    RESULT_VARIABLES,
    capture_flags,
    encode_result,
    encode_segment,
)
from asterisk_compliance.domain.call.commands import CaptureOptions, HandOver
from asterisk_compliance.domain.call.decision import Next, Reason, Status
from asterisk_compliance.ids import ChannelId, call_id, recording_id
from values import replace

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
    options=CaptureOptions(),
)


def test_the_values_in_their_order() -> None:
    values = dict(zip(RESULT_VARIABLES, encode_result(ALLOWED).split(","), strict=True))
    assert values == {
        "COMPLIANCE_STATUS": "ALLOWED",
        "COMPLIANCE_REASON": "NOTICE_COMPLETED",
        "COMPLIANCE_PURPOSES": "SERVICE&QUALITY",
        "COMPLIANCE_NOTICE": "standard/1/ja",
        "COMPLIANCE_RECORDING_ID": RECORDING,
        "COMPLIANCE_CALL_ID": CALL,
        "COMPLIANCE_NEXT": "continue",
        "COMPLIANCE_CHANNEL": "pbx1-1700000000.1",
        "COMPLIANCE_FEATURES": "compliancesegment",
        "COMPLIANCE_OPTIONS": "mbtS",
    }


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        (CaptureOptions(), "mbtS"),
        (CaptureOptions(bridged_only=False), "mtS"),
        (CaptureOptions(others=False), "mbS"),
        (CaptureOptions(beep_s=15), "mbtS15"),
        (CaptureOptions(bridged_only=False, others=False, beep_s=600), "mS600"),
    ],
)
@pytest.mark.parametrize("synchronous", [False, True])
def test_how_mixmonitor_is_to_run(options: CaptureOptions, flags: str, synchronous: bool) -> None:
    if synchronous:
        flags = flags.replace("S", "")
    result = encode_result(replace(ALLOWED, options=options), synchronous=synchronous)
    assert result.split(",")[-1] == flags
    assert capture_flags(options, synchronous=synchronous) == flags
    segment = encode_segment(RECORDING, options, synchronous=synchronous)
    assert segment == f"{RECORDING}-{flags}"


def test_a_caller_who_may_withdraw_has_the_feature_for_it() -> None:
    """Names of ``DYNAMIC_FEATURES`` are joined by number signs."""
    features = encode_result(replace(ALLOWED, withdrawal=True)).split(",")[8]
    assert features == "compliancesegment#compliancewithdraw"


def test_a_refusal_asks_for_nothing() -> None:
    refused = HandOver(CALL, Status.NOT_RECORDED, Reason.POLICY_UNKNOWN)
    assert encode_result(refused) == f"NOT_RECORDED,POLICY_UNKNOWN,,,,{CALL},continue,,,"


@pytest.mark.parametrize("what", Next)
def test_a_refusal_says_how_the_call_goes_on(what: Next) -> None:
    refused = HandOver(CALL, Status.REFUSED, Reason.CONSENT_REFUSED, next=what)
    assert encode_result(refused) == f"REFUSED,CONSENT_REFUSED,,,,{CALL},{what},,,"


def test_a_standing_decision_starts_nothing() -> None:
    """It names recording and channel; without flags the routine has nothing to run."""
    standing = encode_result(replace(ALLOWED, start=False)).split(",")
    assert standing[4:] == [RECORDING, CALL, "continue", ALLOWED.channel, "compliancesegment", ""]


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
        encode_result(replace(ALLOWED, **change(f"a{character}b")))


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
    next=st.sampled_from(Next),
    start=st.booleans(),
    options=st.none()
    | st.builds(CaptureOptions, st.booleans(), st.booleans(), st.none() | st.integers(1, 600)),
    withdrawal=st.booleans(),
)


@given(results)
def test_whatever_we_make_comes_apart_into_its_values(result: HandOver) -> None:
    encoded = encode_result(result)
    values = encoded.split(",")
    assert len(values) == len(RESULT_VARIABLES)
    assert (values[0], values[5], values[6]) == (result.status, result.call, result.next)
    assert values[7] == (result.channel or "")
    assert (values[8] != "") == (result.channel is not None)
    assert (values[9] != "") == (result.start and result.options is not None)


@given(results)
def test_no_result_can_hold_what_asterisk_replaces_or_runs(result: HandOver) -> None:
    """Not a path either: whoever sets the variable must not choose a file, or a program."""
    encoded = encode_result(result)
    assert not set(encoded) & set("${}()\"'\\;|<> \r\n")
    assert not set(encoded.split(",")[-1]) & set("/.-")
