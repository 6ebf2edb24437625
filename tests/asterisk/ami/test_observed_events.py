"""AMI's events about other dialplans and recordings, recorded and spoiled, become values."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.asterisk.ami import observed_events as ami_observed
from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient, AmiLimits
from asterisk_compliance.asterisk.ami.observed_events import (
    ConfbridgeRecord,
    ConfbridgeStopRecord,
    MonitorStart,
    MonitorStop,
    Newchannel,
    Newexten,
    VarSet,
    parse,
)
from asterisk_compliance.asterisk.ami.protocol import headers_of

FIXTURES = (Path(__file__).parents[1] / "fixtures") / "22.10.1"
WHO = ("Uniqueid", "Linkedid")
REQUIRED = {
    "ConfbridgeRecord": ("BridgeUniqueid",),
    "ConfbridgeStopRecord": ("BridgeUniqueid",),
    "MonitorStart": WHO,
    "MonitorStop": WHO,
    "Newchannel": WHO,
    "Newexten": (*WHO, "Application"),
    "VarSet": ("Linkedid",),
}


def headers(name: str) -> dict[str, Any]:
    """One recorded event; Asterisk 22 has no Monitor()."""
    recorded = "Newchannel" if name.startswith("Monitor") else name
    block, _, _ = (FIXTURES / f"observed_{recorded}.txt").read_bytes().partition(b"\r\n\r\n")
    return dict(headers_of(block)) | {"Event": name}


def test_every_type_is_a_value():
    conference = headers("ConfbridgeRecord")["BridgeUniqueid"]
    who = tuple(headers("Newexten")[key] for key in WHO)
    assert [parse(headers(name)) for name in REQUIRED] == [
        ConfbridgeRecord(conference),
        ConfbridgeStopRecord(conference),
        MonitorStart(*who),
        MonitorStop(*who),
        Newchannel(*who),
        Newexten(*who, "Playback", "custom/notice"),
        VarSet(*who, "PLAYBACKSTATUS", "SUCCESS"),
    ]
    assert set(REQUIRED) == set(ami_observed._READERS)


@pytest.mark.parametrize(("name", "header"), [(n, h) for n in REQUIRED for h in REQUIRED[n]])
def test_a_required_header_is_there_once_and_not_empty(name, header):
    event = headers(name)
    for spoiled in (
        {key: value for key, value in event.items() if key != header},
        event | {header: [event[header], "Mallory"]},
        event | {header: ""},
    ):
        with pytest.raises(ValueError, match=f"malformed AMI event: {name}: ") as caught:
            parse(spoiled)
        assert "Mallory" not in str(caught.value)


@pytest.mark.parametrize(("name", "header"), [("Newexten", "AppData"), ("VarSet", "Value")])
def test_what_an_application_or_a_variable_is_given_may_be_nothing_and_is_not_shown(name, header):
    event = headers(name)
    for empty in (event | {header: ""}, {key: event[key] for key in event if key != header}):
        assert parse(empty) is not None
    with pytest.raises(ValueError, match=f"{name}: {header} is doubled"):
        parse(event | {header: ["a", "b"]})
    assert "custom/notice" not in repr(parse(headers("Newexten")))


@pytest.mark.parametrize(
    "other", [{"Variable": "DIALSTATUS"}, {"Variable": ["PLAYBACKSTATUS"] * 2}, {"Variable": None}]
)
def test_other_variables_and_types_are_nobodys(other):
    assert parse(headers("VarSet") | other) is None
    of_no_channel = {k: v for k, v in headers("VarSet").items() if k != "Uniqueid"}
    assert parse(of_no_channel) is None
    assert parse({"Event": "Newstate"}) is None
    assert parse({"Event": ["Newexten", "Newexten"]}) is None


HEADERS = ("Uniqueid", "Linkedid", "Application", "AppData", "Variable", "Value", "BridgeUniqueid")
VALUES = st.text() | st.lists(st.text())


@given(st.dictionaries(st.sampled_from(HEADERS), VALUES), st.sampled_from(sorted(REQUIRED)))
def test_any_headers_are_a_value_or_refused(given_, name):
    with suppress(ValueError):
        parse(given_ | {"Event": name})


@pytest.mark.parametrize("observes", [True, False])
async def test_only_who_observes_asks_for_it_and_is_told(
    scripted_ami: Any, ear: Any, running: Any, fixture: Any, observes: bool
):
    address = AmiAddress("127.0.0.1", scripted_ami.port, "user", "secret")
    client = AmiClient(address, ear, AmiLimits(2, 2, 5, 2), observes=observes)
    async with running(client):
        await ear.next("connected")
        scripted_ami.send(fixture("observed_Newexten.txt"))
        scripted_ami.send(fixture("ami_Hangup.txt"))
        first = await ear.next_event()
        assert (type(first) is Newexten) is observes
        assert ("Newexten" in client.ignored) is not observes
        asked = b"Events: call,user" + (b",dialplan" if observes else b"")
        assert asked in scripted_ami.lines
