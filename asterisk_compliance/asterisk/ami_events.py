"""AMI events as values, with the fields that somebody here needs and no others.

Sans-I/O: takes the headers of one message as panoramisk parsed them. Channels are named by their
``Uniqueid``, which Asterisk takes in an action's ``Channel`` header too (main/channel.c,
``ast_channel_get_by_name``), so that no channel *name*, which contains an endpoint, is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from asterisk_compliance.ids import ChannelId


@dataclass(frozen=True, slots=True)
class BridgeEnter:
    """A channel joined a bridge; ``members`` counts the channels in it from now on."""

    channel: ChannelId
    linkedid: str
    bridge: str
    members: int


@dataclass(frozen=True, slots=True)
class BridgeLeave:
    channel: ChannelId
    linkedid: str
    bridge: str
    members: int


@dataclass(frozen=True, slots=True)
class Hangup:
    """A channel is gone. ``cause`` is a Q.850 cause."""

    channel: ChannelId
    linkedid: str
    cause: int


@dataclass(frozen=True, slots=True)
class MixMonitorStart:
    """The application ran. It proves no audio: an unwritable path sends this as well."""

    channel: ChannelId
    linkedid: str


@dataclass(frozen=True, slots=True)
class MixMonitorStop:
    """Somebody stopped it. Asterisk does not send this at a hang-up."""

    channel: ChannelId
    linkedid: str


@dataclass(frozen=True, slots=True)
class MixMonitorMute:
    """``direction`` is ``read`` (from the channel), ``write`` (to it) or ``both``."""

    channel: ChannelId
    linkedid: str
    direction: str
    muted: bool


AmiEvent: TypeAlias = (
    BridgeEnter | BridgeLeave | Hangup | MixMonitorStart | MixMonitorStop | MixMonitorMute
)


def parse(message: Mapping[str, object]) -> AmiEvent | None:
    """Turn the headers of one event into a value; ``None`` for a type that nobody here uses.

    Raises:
        ValueError: a header is missing, doubled or no number. The text names the type and the
            header and repeats no value.
    """
    match kind := message.get("Event"):
        case "BridgeEnter" | "BridgeLeave":
            enter_or_leave = BridgeEnter if kind == "BridgeEnter" else BridgeLeave
            bridge = _text(message, "BridgeUniqueid")
            return enter_or_leave(*_who(message), bridge, _number(message, "BridgeNumChannels"))
        case "Hangup":
            return Hangup(*_who(message), _number(message, "Cause"))
        case "MixMonitorStart":
            return MixMonitorStart(*_who(message))
        case "MixMonitorStop":
            return MixMonitorStop(*_who(message))
        case "MixMonitorMute":
            direction = _text(message, "Direction")
            return MixMonitorMute(*_who(message), direction, _number(message, "State") != 0)
        case str():
            return None
        case _:
            raise ValueError("malformed AMI event: no type")


def _who(message: Mapping[str, object]) -> tuple[ChannelId, str]:
    return ChannelId(_text(message, "Uniqueid")), _text(message, "Linkedid")


def _text(message: Mapping[str, object], header: str) -> str:
    value = message.get(header)
    if not isinstance(value, str) or not value:
        raise ValueError(f"malformed AMI event: {message.get('Event')}: no {header}")
    return value


def _number(message: Mapping[str, object], header: str) -> int:
    value = _text(message, header)
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"malformed AMI event: {message.get('Event')}: {header} is no number")
    return int(value[:10])
