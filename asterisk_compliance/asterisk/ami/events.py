"""AMI events as values, with the fields that somebody here needs and no others.

Sans-I/O: takes the headers of one event. Channels are told apart by their ``Uniqueid``, which
Asterisk takes in an action's ``Channel`` header too (main/channel.c, ``ast_channel_get_by_name``).
The channel's *name* contains an endpoint, which can be a person's: only the two bridge events keep
it, to match it against the endpoints of the company's own staff. It must not be logged, so the
values do not show it when they are printed.

AMI writes a caller's name and number as they came: one with line breaks in it can forge any of
these events, or give one a second header. So an event alone must never permit anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import dropwhile, islice
from typing import TypeAlias

from asterisk_compliance.ids import ChannelId

OUR_USER_EVENTS = "Compliance"
"""How the name of every ``UserEvent`` of our dialplan begins."""
MOST_USER_HEADERS = 16
LONGEST_USER_VALUE = 256


@dataclass(frozen=True, slots=True)
class BridgeEnter:
    """A channel joined a bridge; ``members`` counts the channels in it from now on.

    Attributes:
        kind: ``basic``; ``base`` of a conference; ``holding`` of parking, in which nobody hears
            another; ``stasis`` and so on.
    """

    channel: ChannelId
    linkedid: str
    bridge: str
    members: int
    name: str = field(repr=False)
    kind: str = "basic"


@dataclass(frozen=True, slots=True)
class BridgeLeave:
    channel: ChannelId
    linkedid: str
    bridge: str
    members: int
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BlindTransfer:
    """Somebody sent the other side of their bridge to an extension.

    It may come before or after the ``BridgeLeave`` of either.

    Attributes:
        transferer: Who transfers; ``linkedid`` is this channel's.
        transferee: Who is sent; ``None`` if there was not exactly one other channel.
        bridge: Where both were.
        result: ``Success``, ``Fail``, ``Invalid`` or ``Not Permitted``.
    """

    transferer: ChannelId
    linkedid: str
    transferee: ChannelId | None
    bridge: str | None
    result: str


@dataclass(frozen=True, slots=True)
class AttendedTransfer:
    """Somebody joined the far sides of two calls of their own.

    It comes when the channels have moved already, after the ``BridgeEnter`` of the transferee.

    Attributes:
        transferer: The transferring party's channel of the first call.
        second_transferer: Their channel of the second call.
        transferee: Far side of the first call; ``None`` if there was not exactly one.
        target: Far side of the second call; ``None`` also where that call was in an application.
        bridge: Bridge of the first call, and ``second_bridge`` of the second.
        joined_bridge: Where they are together; ``None`` unless one bridge took all.
        result: As in :class:`BlindTransfer`.
    """

    transferer: ChannelId
    second_transferer: ChannelId
    transferee: ChannelId | None
    target: ChannelId | None
    bridge: str | None
    second_bridge: str | None
    joined_bridge: str | None
    result: str


@dataclass(frozen=True, slots=True)
class DialBegin:
    """``channel`` rings ``dialled``; nobody does if it was originated."""

    channel: ChannelId | None
    dialled: ChannelId


@dataclass(frozen=True, slots=True)
class DialEnd:
    """``status`` is ``ANSWER``, ``BUSY``, ``NOANSWER``, ``CANCEL``, ``CONGESTION`` and so on."""

    channel: ChannelId | None
    dialled: ChannelId
    status: str


@dataclass(frozen=True, slots=True)
class LocalBridge:
    """The two halves of a Local channel: ``one`` is dialled, ``two`` executes the dialplan."""

    one: ChannelId
    two: ChannelId


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


@dataclass(frozen=True, slots=True)
class UserEvent:
    """The dialplan ran ``UserEvent`` with a name that begins with ``Compliance``.

    Attributes:
        channel: Who ran it; ``None`` if it came from no channel.
        headers: What the dialplan gave, without Asterisk's own headers about the channel: at most
            16, each of at most 256 characters. Not shown when this is printed.
    """

    name: str
    channel: ChannelId | None
    headers: Mapping[str, str] = field(repr=False)


AmiEvent: TypeAlias = (
    BridgeEnter
    | BridgeLeave
    | BlindTransfer
    | AttendedTransfer
    | DialBegin
    | DialEnd
    | LocalBridge
    | Hangup
    | MixMonitorStart
    | MixMonitorStop
    | MixMonitorMute
    | UserEvent
)

_Headers: TypeAlias = Mapping[str, object]

_USER_NAME = re.compile(OUR_USER_EVENTS + r"[A-Za-z0-9_-]{0,54}")
_USER_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def parse(message: Mapping[str, object]) -> AmiEvent | None:
    """Turn the headers of one event, in their order, into a value.

    Returns:
        ``None`` for a type that nobody here uses.

    Raises:
        ValueError: a header is missing, doubled, no number or out of bounds. The text names the
            type and the header and repeats no value.
    """
    read = _READERS.get(_text(message, "Event"))
    return None if read is None else read(message)


def _bridge(event: type[BridgeEnter | BridgeLeave], message: _Headers) -> BridgeEnter | BridgeLeave:
    bridge, members = _text(message, "BridgeUniqueid"), _number(message, "BridgeNumChannels")
    name = _text(message, "Channel")
    if event is BridgeLeave:
        return BridgeLeave(*who(message), bridge, members, name)
    return BridgeEnter(*who(message), bridge, members, name, _text(message, "BridgeType"))


def _blind_transfer(message: _Headers) -> BlindTransfer:
    return BlindTransfer(
        transferer=ChannelId(_text(message, "TransfererUniqueid")),
        linkedid=_text(message, "TransfererLinkedid"),
        transferee=_channel(message, "TransfereeUniqueid"),
        bridge=_optional(message, "BridgeUniqueid"),
        result=_text(message, "Result"),
    )


def _attended_transfer(message: _Headers) -> AttendedTransfer:
    return AttendedTransfer(
        transferer=ChannelId(_text(message, "OrigTransfererUniqueid")),
        second_transferer=ChannelId(_text(message, "SecondTransfererUniqueid")),
        transferee=_channel(message, "TransfereeUniqueid"),
        target=_channel(message, "TransferTargetUniqueid"),
        bridge=_optional(message, "OrigBridgeUniqueid"),
        second_bridge=_optional(message, "SecondBridgeUniqueid"),
        joined_bridge=_optional(message, "DestBridgeUniqueid"),
        result=_text(message, "Result"),
    )


def _dial_begin(message: _Headers) -> DialBegin:
    return DialBegin(_channel(message, "Uniqueid"), ChannelId(_text(message, "DestUniqueid")))


def _dial_end(message: _Headers) -> DialEnd:
    dialled = ChannelId(_text(message, "DestUniqueid"))
    return DialEnd(_channel(message, "Uniqueid"), dialled, _text(message, "DialStatus"))


def _local_bridge(message: _Headers) -> LocalBridge:
    one, two = _text(message, "LocalOneUniqueid"), _text(message, "LocalTwoUniqueid")
    return LocalBridge(ChannelId(one), ChannelId(two))


def _mixmonitor_mute(message: _Headers) -> MixMonitorMute:
    muted = _number(message, "State") != 0
    return MixMonitorMute(*who(message), _text(message, "Direction"), muted)


def _user_event(message: _Headers) -> UserEvent | None:
    """What the dialplan gave stands after the event's name (main/manager_channels.c); a header
    that has the name of one of Asterisk's own before it is lost.
    """
    named = message.get("UserEvent")
    names = named if isinstance(named, list) else [named]
    if not any(isinstance(name, str) and name.startswith(OUR_USER_EVENTS) for name in names):
        return None
    name = _text(message, "UserEvent")
    given = list(islice(dropwhile(lambda key: key != "UserEvent", message), 1, None))
    if not _USER_NAME.fullmatch(name) or len(given) > MOST_USER_HEADERS:
        raise ValueError("malformed AMI event: UserEvent: a long name, or too many headers")
    headers: dict[str, str] = {}
    for key in given:
        value = message[key]
        readable = isinstance(value, str) and len(value) <= LONGEST_USER_VALUE
        if not (readable and _USER_HEADER.fullmatch(key)):
            raise ValueError("malformed AMI event: UserEvent: a header is doubled or too long")
        headers[key] = str(value)
    return UserEvent(name, _channel(message, "Uniqueid"), headers)


def who(message: _Headers) -> tuple[ChannelId, str]:
    return ChannelId(_text(message, "Uniqueid")), _text(message, "Linkedid")


def _channel(message: _Headers, header: str) -> ChannelId | None:
    return ChannelId(_text(message, header)) if header in message else None


def _optional(message: _Headers, header: str) -> str | None:
    return _text(message, header) if header in message else None


def _text(message: _Headers, header: str) -> str:
    value = message.get(header)
    if not isinstance(value, str) or not value:
        kind = "" if header == "Event" else f" {message.get('Event')}:"
        raise ValueError(f"malformed AMI event:{kind} no {header}")
    return value


def _number(message: _Headers, header: str) -> int:
    value = _text(message, header)
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"malformed AMI event: {message.get('Event')}: {header} is no number")
    return int(value[:10])


_READERS: dict[str, Callable[[_Headers], AmiEvent | None]] = {
    "AttendedTransfer": _attended_transfer,
    "BlindTransfer": _blind_transfer,
    "BridgeEnter": partial(_bridge, BridgeEnter),
    "BridgeLeave": partial(_bridge, BridgeLeave),
    "DialBegin": _dial_begin,
    "DialEnd": _dial_end,
    "Hangup": lambda message: Hangup(*who(message), _number(message, "Cause")),
    "LocalBridge": _local_bridge,
    "MixMonitorMute": _mixmonitor_mute,
    "MixMonitorStart": lambda message: MixMonitorStart(*who(message)),
    "MixMonitorStop": lambda message: MixMonitorStop(*who(message)),
    "UserEvent": _user_event,
}

EVENT_NAMES = tuple(name for name in _READERS if name != "UserEvent")
"""What Asterisk calls the events that are read here, beside user events of ours."""
