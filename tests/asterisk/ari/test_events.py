"""One decode per message, straight to what is needed; anything else is counted or refused."""

import contextlib
import json
import timeit
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.asterisk.ari import events as ari_events
from asterisk_compliance.asterisk.ari.events import Ignored, decode

FIXTURES = Path(__file__).parents[1] / "fixtures"
RECORDED = sorted(FIXTURES.glob("*/[!h]*.json"))
IGNORED = {"channel_dialplan", "channel_state_change", "channel_varset", "dial"}


def recorded(name: str) -> bytes:
    return (FIXTURES / "22.10.1" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_recorded_message_decodes(path: Path) -> None:
    message = path.read_bytes()
    event = decode(message)
    expected = json.loads(message)["type"]
    if path.stem in IGNORED:
        assert event == Ignored(expected)
    else:
        assert ari_events.EVENT_NAMES[type(event)] == expected


def test_every_known_type_was_recorded() -> None:
    kinds = {json.loads(path.read_bytes())["type"] for path in RECORDED}
    assert kinds >= set(ari_events.EVENT_TYPES)


def test_stasis_start() -> None:
    event = decode(recorded("stasis_start"))
    assert isinstance(event, ari_events.StasisStart)
    assert event.application == "compliance"
    assert event.args == ("policy=inbound",)
    assert event.channel.id == "1795509944.2"
    assert event.channel.state == "Ring"
    assert event.channel.caller == ari_events.AriCaller('Müller, "T" ${X}', "0312345678")
    assert (event.channel.dialplan.context, event.channel.dialplan.exten) == ("lab", "notice")
    assert event.channel.language == "en"
    assert 0 <= event.at_ms - event.channel.created_ms < 1000


def test_playback_finished() -> None:
    event = decode(recorded("playback_finished"))
    assert isinstance(event, ari_events.AriPlaybackFinished)
    playback = event.playback
    assert (playback.id, playback.state, playback.language) == ("p-1", "done", "en")
    assert (playback.media_uri, playback.channel) == ("sound:tone", "1795509944.2")
    failed = decode(recorded("playback_finished_failed"))
    assert isinstance(failed, ari_events.AriPlaybackFinished)
    assert failed.playback.state == "failed"


def test_digit_cause_and_answer() -> None:
    digit = decode(recorded("channel_dtmf_received"))
    assert isinstance(digit, ari_events.ChannelDtmfReceived)
    assert (digit.digit, digit.duration_ms) == ("5", 100)
    destroyed = decode(recorded("channel_destroyed"))
    assert isinstance(destroyed, ari_events.ChannelDestroyed)
    assert destroyed.cause == 16
    answer = decode(recorded("rest_no_channel"))
    assert isinstance(answer, ari_events.RESTResponse)
    assert (answer.request_id, answer.status_code) == ("1", 404)


def test_hangup_request_without_a_cause_as_in_asterisk_16() -> None:
    message = json.loads(recorded("channel_hangup_request"))
    message.pop("cause", None)
    event = decode(json.dumps(message).encode())
    assert isinstance(event, ari_events.ChannelHangupRequest)
    assert event.cause is None


@pytest.mark.parametrize(
    ("stamp", "unix_ms"),
    [
        ("2026-11-24T08:45:03.544+0000", 1795509903544),
        ("2026-11-24T17:45:03.544+0900", 1795509903544),
        ("1970-01-01T00:00:00.001+0000", 1),
    ],
)
def test_time_stamps_are_unix_milliseconds_in_any_time_zone(stamp: str, unix_ms: int) -> None:
    message = json.loads(recorded("stasis_end")) | {"timestamp": stamp}
    event = decode(json.dumps(message).encode())
    assert isinstance(event, ari_events.StasisEnd)
    assert event.at_ms == unix_ms


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": "yesterday"},
        {"timestamp": "2026-11-24T08:45:03.544"},  # no time zone
        {"channel": None},
        {"channel": {"id": "1"}},
        {"args": "policy=inbound"},
        {"args": [1]},
    ],
)
def test_a_known_event_with_a_wrong_field_is_malformed(change: dict[str, object]) -> None:
    message = json.loads(recorded("stasis_start")) | change
    with pytest.raises(ValueError, match="malformed ARI event: StasisStart: "):
        decode(json.dumps(message).encode())


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"garbage",
        b"[]",
        b"{}",
        b'{"type":1}',
        b'{"type":"a b"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"x":' * 100_000,
    ],
)
def test_what_is_no_event_is_malformed(message: bytes) -> None:
    with pytest.raises(ValueError, match="malformed ARI event: "):
        decode(message)


def test_the_text_of_an_error_repeats_nothing_that_a_caller_controls() -> None:
    secret = "Mallory\n${EVIL}" * 1000
    message = json.loads(recorded("stasis_start"))
    message["channel"]["caller"] = {"name": secret, "number": [secret]}
    message["channel"]["language"] = {secret: secret}
    with pytest.raises(ValueError) as caught:
        decode(json.dumps(message).encode())
    assert "Mallory" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_hostile_names_and_numbers_arrive_as_they_are() -> None:
    name = "'\"\\,\n\r\x01${SHELL(id)}\U0001f600" * 500
    message = json.loads(recorded("stasis_start"))
    message["channel"]["caller"] = {"name": name, "number": name}
    event = decode(json.dumps(message).encode())
    assert isinstance(event, ari_events.StasisStart)
    assert event.channel.caller.name == name


def test_an_unknown_type_is_counted_by_its_name_only() -> None:
    assert decode(b'{"type":"RecordingStarted","recording":{}}') == Ignored("RecordingStarted")
    assert len(decode(b'{"type":"' + b"x" * 10_000 + b'"}').type) == 64  # type: ignore[union-attr]


@given(st.binary())
def test_random_bytes_never_raise_anything_else(message: bytes) -> None:
    with contextlib.suppress(ValueError):
        decode(message)


@given(st.data())
def test_mutated_recordings_never_raise_anything_else(data: st.DataObject) -> None:
    message = bytearray(data.draw(st.sampled_from(RECORDED)).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(message) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                message[at] = data.draw(st.integers(0, 255))
            case "cut":
                del message[at : at + data.draw(st.integers(1, 40))]
            case _:
                message[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        if not message:
            break
    with contextlib.suppress(ValueError):
        decode(bytes(message))


def test_decoding_is_fast_enough_to_forget() -> None:
    """About 0.7 us where this was written; the bound only catches a second parser."""
    message = recorded("stasis_start")
    best = min(timeit.repeat(lambda: decode(message), number=2000, repeat=5)) / 2000
    assert best < 10e-6
