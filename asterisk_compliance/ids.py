"""Names that must not be mixed up, each a type of its own.

A call id is minted once, by the shell; every other id of a call follows from it, so that the
pure domain can name a playback or a recording before it exists, and a file name needs no table.

    c-0193a5c2f7e14b6d90f1a2b3c4d5    the call: 12 hex digits of milliseconds, 16 of chance
    p-0193a5c2f7e14b6d90f1a2b3c4d5-1  its first playback
    r-0193a5c2f7e14b6d90f1a2b3c4d5-1  its first recording segment
    y-0193a5c2f7e14b6d90f1a2b3c4d5-1  its first party
    l-0193a5c2f7e14b6d90f1a2b3c4d5    a copy that is lent to be heard by telephone
    q-0193a5c2f7e14b6d90f1a2b3c4d5    what a person asked for about recordings of him

What the dialplan recorded alone (docs/decisions/0009) is named by what it promised and by the
channel, until it is adopted; the call's id then follows from the channel.

    d-5be1f0c2a7d94e31-1764033536.12-rx.wav

No id tells anything about a person.
"""

import re
from hashlib import sha256
from typing import NewType

NodeName = NewType("NodeName", str)
"""Which Asterisk: part of every key, since several can share one service."""
ChannelId = NewType("ChannelId", str)
"""Asterisk's ``uniqueid``. Never the channel's *name*, which contains an endpoint."""
CallId = NewType("CallId", str)
PlaybackId = NewType("PlaybackId", str)
RecordingId = NewType("RecordingId", str)
PartyId = NewType("PartyId", str)
LoanId = NewType("LoanId", str)
RequestId = NewType("RequestId", str)
"""Printed on the receipt that the person gets: who shows it can ask, also when nobody knows him."""

_CALL = re.compile(r"c-[0-9a-f]{28}")
_LOAN = re.compile(r"l-[0-9a-f]{28}")
_REQUEST = re.compile(r"q-[0-9a-f]{28}")
_RECORDING = re.compile(r"r-[0-9a-f]{28}-[1-9][0-9]{0,3}")
_SPOOLED = re.compile(rf"({_RECORDING.pattern})-(rx|tx)\.wav")
_UNIQUEID = re.compile(r"(?:[A-Za-z0-9_.-]{1,64}-)?([0-9]{9,11})\.[0-9]{1,10}")
_FALLBACK = re.compile(rf"d-([0-9a-f]{{16}})-({_UNIQUEID.pattern})-rx\.wav")


def call_id(at_ms: int, chance: bytes) -> CallId:
    """Build a call id from Unix milliseconds and 8 random bytes, so that ids sort by time."""
    if len(chance) != 8:
        raise ValueError("a call id needs 8 random bytes")
    return CallId(f"c-{at_ms & 0xFFFFFFFFFFFF:012x}{chance.hex()}")


def is_call_id(text: str) -> bool:
    return _CALL.fullmatch(text) is not None


def is_recording_id(text: str) -> bool:
    return _RECORDING.fullmatch(text) is not None


def loan_id(at_ms: int, chance: bytes) -> LoanId:
    """Build the id of a loan, as :func:`call_id` does."""
    return LoanId(f"l-{call_id(at_ms, chance)[2:]}")


def is_loan_id(text: str) -> bool:
    return _LOAN.fullmatch(text) is not None


def request_id(at_ms: int, chance: bytes) -> RequestId:
    """Build the id of a request, as :func:`call_id` does."""
    return RequestId(f"q-{call_id(at_ms, chance)[2:]}")


def is_request_id(text: str) -> bool:
    return _REQUEST.fullmatch(text) is not None


def playback_id(call: CallId, number: int) -> PlaybackId:
    return PlaybackId(f"p-{call[2:]}-{number}")


def recording_id(call: CallId, segment: int) -> RecordingId:
    return RecordingId(f"r-{call[2:]}-{segment}")


def party_id(call: CallId, number: int) -> PartyId:
    return PartyId(f"y-{call[2:]}-{number}")


def call_of(owned: PlaybackId | RecordingId | PartyId) -> CallId:
    """The call that a playback, a recording or a party belongs to."""
    return CallId(f"c-{owned[2:30]}")


def segment_of(recording: RecordingId) -> int:
    """Which segment of its call a recording is."""
    return int(recording.rpartition("-")[2])


def spool_name(recording: RecordingId, direction: str) -> str:
    """File name in the spool: ``direction`` is ``rx`` (from the channel) or ``tx`` (to it)."""
    return f"{recording}-{direction}.wav"


def parse_spool_name(name: str) -> tuple[RecordingId, str] | None:
    """The inverse of :func:`spool_name`; ``None`` for a file that is not one of ours."""
    match = _SPOOLED.fullmatch(name)
    return (RecordingId(match[1]), match[2]) if match else None


def fallback_code(digest: str) -> str:
    """How a file is named by the digest of what the dialplan promised."""
    return digest[:16]


def parse_fallback_name(name: str) -> tuple[str, ChannelId] | None:
    """Code and channel of a file ``d-CODE-CHANNEL-rx.wav``; ``None`` for any other name.

    The dialplan gives this name to what it records alone: the caller's direction.
    """
    match = _FALLBACK.fullmatch(name)
    return (match[1], ChannelId(match[2])) if match else None


def created_s(channel: ChannelId) -> int:
    """When Asterisk made a channel that :func:`parse_fallback_name` gave, in Unix seconds."""
    match = _UNIQUEID.fullmatch(channel)
    assert match is not None
    return int(match[1])


def channel_created_s(text: str) -> int | None:
    """When Asterisk made the channel with this ``uniqueid``, in Unix seconds, if it tells."""
    match = _UNIQUEID.fullmatch(text)
    return int(match[1]) if match else None


def fallback_call_id(node: NodeName, channel: ChannelId) -> CallId:
    """Of a call that no service saw: always the same, so that it is adopted once."""
    chance = sha256(f"{node} {channel}".encode()).digest()[:8]
    return call_id(created_s(channel) * 1_000, chance)
