"""Headers of AMI events, recorded and spoiled, become values or are refused."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.asterisk.ami import events as ami_events
from asterisk_compliance.asterisk.ami.events import (
    AttendedTransfer,
    BlindTransfer,
    BridgeEnter,
    BridgeLeave,
    DialBegin,
    DialEnd,
    LocalBridge,
    UserEvent,
    parse,
)
from asterisk_compliance.asterisk.ami.protocol import headers_of

FIXTURES = (Path(__file__).parents[1] / "fixtures") / "22.10.1"
RECORDED = {
    path.stem.removeprefix("ami_"): path.read_bytes().removesuffix(b"\r\n\r\n")
    for path in sorted(FIXTURES.glob("ami_[A-Z]*.txt"))
}
WHO = ("Uniqueid", "Linkedid")
REQUIRED = {
    "AttendedTransfer": ("OrigTransfererUniqueid", "SecondTransfererUniqueid", "Result"),
    "BlindTransfer": ("TransfererUniqueid", "TransfererLinkedid", "Result"),
    "BridgeEnter": (*WHO, "BridgeUniqueid", "BridgeNumChannels", "BridgeType", "Channel"),
    "BridgeLeave": (*WHO, "BridgeUniqueid", "BridgeNumChannels", "Channel"),
    "DialBegin": ("DestUniqueid",),
    "DialEnd": ("DestUniqueid", "DialStatus"),
    "Hangup": (*WHO, "Cause"),
    "LocalBridge": ("LocalOneUniqueid", "LocalTwoUniqueid"),
    "MixMonitorMute": (*WHO, "Direction", "State"),
    "MixMonitorStart": WHO,
    "MixMonitorStop": WHO,
    "UserEvent": (),
}
OPTIONAL = {
    "AttendedTransfer": {
        "TransfereeUniqueid": "transferee",
        "TransferTargetUniqueid": "target",
        "OrigBridgeUniqueid": "bridge",
        "SecondBridgeUniqueid": "second_bridge",
        "DestBridgeUniqueid": "joined_bridge",
    },
    "BlindTransfer": {"TransfereeUniqueid": "transferee", "BridgeUniqueid": "bridge"},
    "DialBegin": {"Uniqueid": "channel"},
    "DialEnd": {"Uniqueid": "channel"},
    "UserEvent": {"Uniqueid": "channel"},
}


def headers(name: str) -> dict[str, Any]:
    """One recorded event, open to change."""
    return dict(headers_of(RECORDED[name]))


def test_every_type_was_recorded_and_is_read() -> None:
    kinds = {headers(name)["Event"] for name in RECORDED}
    assert kinds == set(REQUIRED) == set(ami_events._READERS)
    for name in RECORDED:
        assert type(parse(headers(name))).__name__ == name.partition("_")[0]


def test_a_channel_at_a_bridge_has_its_name() -> None:
    entered, left = parse(headers("BridgeEnter")), parse(headers("BridgeLeave"))
    assert isinstance(entered, BridgeEnter)
    assert isinstance(left, BridgeLeave)
    assert entered.channel == "1795509944.2"
    assert entered.name == "Local/notice@lab-00000001;2"
    assert (entered.linkedid, entered.kind) == ("1795509944.1", "basic")
    assert left.name == headers("BridgeLeave")["Channel"]
    assert left.name.startswith("Local/")
    assert "Local" not in repr((entered, left))


def test_a_blind_transfer() -> None:
    given_, event = headers("BlindTransfer"), parse(headers("BlindTransfer"))
    assert isinstance(event, BlindTransfer)
    assert given_["TransfererChannel"].startswith("PJSIP/agent-")
    assert given_["TransfereeChannel"].startswith("PJSIP/lab-")
    assert event.transferer == given_["TransfererUniqueid"]
    assert event.transferee == given_["TransfereeUniqueid"] != event.transferer
    assert event.linkedid == given_["TransfererLinkedid"] == event.transferee
    assert (event.bridge, event.result) == (given_["BridgeUniqueid"], "Success")


def test_an_attended_transfer_joins_two_bridges() -> None:
    given_, event = headers("AttendedTransfer"), parse(headers("AttendedTransfer"))
    assert isinstance(event, AttendedTransfer)
    assert event == AttendedTransfer(
        transferer=given_["OrigTransfererUniqueid"],
        second_transferer=given_["SecondTransfererUniqueid"],
        transferee=given_["TransfereeUniqueid"],
        target=given_["TransferTargetUniqueid"],
        bridge=given_["OrigBridgeUniqueid"],
        second_bridge=given_["SecondBridgeUniqueid"],
        joined_bridge=given_["DestBridgeUniqueid"],
        result="Success",
    )
    assert event.joined_bridge == event.second_bridge != event.bridge
    people = event.transferer, event.second_transferer, event.transferee, event.target
    assert len(set(people)) == 4


def test_an_attended_transfer_into_an_application_has_neither_target_nor_second_bridge() -> None:
    event = parse(headers("AttendedTransfer_app"))
    assert isinstance(event, AttendedTransfer)
    assert (event.target, event.second_bridge, event.joined_bridge) == (None, None, None)
    assert event.bridge
    assert event.transferee


def test_dialling_and_local_channels() -> None:
    begun, ended = parse(headers("DialBegin")), parse(headers("DialEnd"))
    halves = parse(headers("LocalBridge"))
    assert isinstance(begun, DialBegin)
    assert isinstance(halves, LocalBridge)
    assert begun == DialBegin(begun.channel, halves.one)
    assert begun.channel == "1795509944.2"
    assert ended == DialEnd(begun.channel, begun.dialled, "ANSWER")
    assert halves.two != halves.one
    begun, ended = parse(headers("DialBegin_originated")), parse(headers("DialEnd_originated"))
    assert isinstance(begun, DialBegin)
    assert begun.channel is None
    assert ended == DialEnd(None, begun.dialled, "ANSWER")


@pytest.mark.parametrize(("name", "header"), [(n, h) for n in REQUIRED for h in REQUIRED[n]])
def test_a_required_header_is_there_once_and_not_empty(name: str, header: str) -> None:
    event = headers(name)
    for spoiled in (
        {key: value for key, value in event.items() if key != header},
        event | {header: [event[header], "Mallory"]},
        event | {header: ""},
    ):
        with pytest.raises(ValueError, match=f"malformed AMI event: {name}: no {header}") as caught:
            parse(spoiled)
        assert "Mallory" not in str(caught.value)


@pytest.mark.parametrize(("name", "header"), [(n, h) for n in OPTIONAL for h in OPTIONAL[n]])
def test_an_optional_header_is_missing_or_there_once(name: str, header: str) -> None:
    event = headers(name)
    with pytest.raises(ValueError, match=f"malformed AMI event: {name}: no {header}"):
        parse(event | {header: [event[header], "Mallory"]})
    assert getattr(parse(event), OPTIONAL[name][header]) == event.pop(header)
    assert getattr(parse(event), OPTIONAL[name][header]) is None


@pytest.mark.parametrize(
    ("name", "header"),
    [("BridgeEnter", "BridgeNumChannels"), ("Hangup", "Cause"), ("MixMonitorMute", "State")],
)
@pytest.mark.parametrize("value", ["x", "-1", "²", "1 2"])
def test_a_number_is_a_number(name: str, header: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: {header} is no number"):
        parse(headers(name) | {header: value})


def test_an_event_has_one_type() -> None:
    for event in ({}, {"Event": ["Hangup", "Hangup"]}, {"Event": ""}):
        with pytest.raises(ValueError, match="malformed AMI event: no Event"):
            parse(event)
    assert parse({"Event": "Newchannel", "Channel": ["a", "b"]}) is None


def test_a_user_event_of_ours_has_what_the_dialplan_gave() -> None:
    event = parse(headers("UserEvent"))
    assert isinstance(event, UserEvent)
    assert event.name == "ComplianceStep"
    assert event.channel == headers("UserEvent")["Uniqueid"]
    assert event.headers == {"Step": "told", "Empty": "", "Version": "1"}  # Exten is Asterisk's
    assert "told" not in repr(event)
    last = parse(headers("UserEvent") | {"Content": "also theirs", "Last": ""})
    assert isinstance(last, UserEvent)
    assert last.headers == {**event.headers, "Content": "also theirs", "Last": ""}
    assert parse(headers("UserEvent_action")) == UserEvent("ComplianceStep", None, {"Step": "told"})


def test_a_user_event_keeps_nothing_of_what_asterisk_tells_about_the_channel() -> None:
    """channelvars of manager.conf and a caller's tricks add headers before the name."""
    told = headers("UserEvent")
    at = list(told).index("UserEvent")
    before, after = list(told.items())[:at], list(told.items())[at:]
    event = parse(dict([*before, ("ChanVariable", ["A=1", "B=2"]), ("Step2", "forged"), *after]))
    assert isinstance(event, UserEvent)
    assert event.headers == {"Step": "told", "Empty": "", "Version": "1"}


@pytest.mark.parametrize(
    "name", ["SiteStep", "compliancestep", " Compliance", "", ["a", "b"], None]
)
def test_user_events_of_others_are_nobodys(name: object) -> None:
    assert parse({"Event": "UserEvent", "UserEvent": name, "A": ["b", "c"]}) is None
    assert parse({"Event": "UserEvent"}) is None


def test_user_events_of_ours_are_bounded() -> None:
    ours: dict[str, object] = {"Event": "UserEvent", "UserEvent": "Compliance" + "x" * 54}
    most = {f"H{number}": "v" * 256 for number in range(16)}
    event = parse(ours | most)
    assert isinstance(event, UserEvent)
    assert event.headers == most
    for change in (
        most | {"H16": ""},
        {"UserEvent": "Compliance" + "x" * 55},
        {"UserEvent": "Compliance Mallory"},
        {"UserEvent": "ComplianceMallory\n"},
        {"UserEvent": ["SiteStep", "ComplianceMallory"]},
        {"Step": "v" * 257},
        {"Step": ["Mallory", "Mallory"]},
        {"Mallory Step": "a"},
        {"x" * 65: "a"},
    ):
        with pytest.raises(ValueError, match="malformed AMI event: UserEvent: ") as caught:
            parse(ours | change)
        assert "Mallory" not in str(caught.value)
        assert len(str(caught.value)) < 100


@given(st.data())
def test_spoiled_recordings_never_raise_anything_else(data: st.DataObject) -> None:
    block = data.draw(st.sampled_from(sorted(RECORDED.values())))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(block)))
        cut = data.draw(st.integers(0, 40))
        put_in = data.draw(st.binary(max_size=8) | st.just(b"\r\n"))
        block = block[:at] + put_in + block[at + cut :]
    with contextlib.suppress(ValueError):
        parse(headers_of(block))


@given(
    st.sampled_from(sorted(REQUIRED)),
    st.dictionaries(st.text(max_size=5), st.text() | st.lists(st.text())),
)
def test_arbitrary_headers_never_raise_anything_else(kind: str, given_: dict[str, Any]) -> None:
    needed = dict.fromkeys((*REQUIRED[kind], *OPTIONAL.get(kind, ())), "1")
    with contextlib.suppress(ValueError):
        parse({"UserEvent": "ComplianceStep", **needed, **given_, "Event": kind})
