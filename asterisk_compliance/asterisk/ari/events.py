"""ARI events as values. Sans-I/O: takes the bytes of one message, returns one struct.

Every message that we asked for is decoded exactly once, straight into its struct; fields that
nobody here uses are skipped by the parser. Shapes as Asterisk 22.10.1 and 16.28 send them
(rest-api/api-docs/events.json). A channel carries no ``linkedid`` in either: read it as the
variable ``CHANNEL(linkedid)``, or from AMI.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from asterisk_compliance.ids import ChannelId, PlaybackId

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_TYPE = 64

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time stamp with the offset of Asterisk's time zone, as ``2026-11-24T17:45:03.544+0900``."""


class AriCaller(msgspec.Struct, frozen=True, gc=False):
    """Who calls. Both fields are the caller's to choose: any length, any character."""

    name: str
    number: str


class DialplanPlace(msgspec.Struct, frozen=True, gc=False):
    context: str
    exten: str
    priority: int
    app_name: str = ""


class Channel(msgspec.Struct, frozen=True, gc=False):
    """A channel as it was when the event was made.

    Attributes:
        name: Technology, endpoint and a number: ``PJSIP/agent-00000001``, and ``Snoop/...`` for
            the channel of a snoop. The endpoint can be a person's: match it, never log it.
        state: ``Ring``, ``Up`` and so on.
        created: The channel's ``creationtime``.
    """

    id: ChannelId
    name: str
    state: str
    caller: AriCaller
    dialplan: DialplanPlace
    language: str
    created: Moment = msgspec.field(name="creationtime")

    @property
    def created_ms(self) -> int:
        return unix_ms(self.created)


class Playback(msgspec.Struct, frozen=True, gc=False):
    """A media operation.

    Attributes:
        state: ``playing``, ``continuing``, ``done`` or ``failed``. ``done`` is not "heard": a
            playback that was stopped is ``done`` as well.
        target_uri: ``channel:ID`` or ``bridge:ID``.
    """

    id: PlaybackId
    state: str
    media_uri: str
    target_uri: str
    language: str

    @property
    def channel(self) -> ChannelId | None:
        kind, _, target = self.target_uri.partition(":")
        return ChannelId(target) if kind == "channel" else None


def _ari_name(class_name: str) -> str:
    """The event type as Asterisk writes it; ``Ari`` tells our class from one of the domain."""
    return class_name.removeprefix("Ari")


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=_ari_name):
    """Base class.

    Attributes:
        timestamp: When Asterisk made the event, by its own clock.
    """

    application: str
    timestamp: Moment

    @property
    def at_ms(self) -> int:
        """``timestamp`` in Unix milliseconds."""
        return unix_ms(self.timestamp)


class StasisStart(_Event, frozen=True, gc=False):
    """A channel entered our application; may come twice for one channel."""

    channel: Channel
    args: tuple[str, ...]


class StasisEnd(_Event, frozen=True, gc=False):
    channel: Channel


class AriPlaybackStarted(_Event, frozen=True, gc=False):
    playback: Playback


class AriPlaybackFinished(_Event, frozen=True, gc=False):
    playback: Playback


class ChannelDtmfReceived(_Event, frozen=True, gc=False):
    """A digit, sent when the key was released."""

    channel: Channel
    digit: str
    duration_ms: int


class ChannelHangupRequest(_Event, frozen=True, gc=False):
    """Somebody asked to hang up. ``cause`` is missing in Asterisk 16."""

    channel: Channel
    cause: int | None = None


class ChannelDestroyed(_Event, frozen=True, gc=False):
    channel: Channel
    cause: int


class AriApplicationReplaced(_Event, frozen=True, gc=False):
    """Another WebSocket took our application; this one stays open and hears nothing more."""


class RESTResponse(_Event, frozen=True, gc=False):
    """The answer to a request that was sent over the WebSocket."""

    request_id: str
    status_code: int
    reason_phrase: str = ""
    message_body: str = ""


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """An event that this service does not use; kept, so that it can be counted."""

    type: str


AriCallEvent: TypeAlias = (
    StasisStart
    | StasisEnd
    | AriPlaybackStarted
    | AriPlaybackFinished
    | ChannelDtmfReceived
    | ChannelHangupRequest
    | ChannelDestroyed
)
AriEvent: TypeAlias = AriCallEvent | AriApplicationReplaced | RESTResponse | Ignored

_KNOWN = (
    StasisStart,
    StasisEnd,
    AriPlaybackStarted,
    AriPlaybackFinished,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelDestroyed,
    AriApplicationReplaced,
    RESTResponse,
)
EVENT_NAMES: Mapping[type[AriEvent], str] = {
    **{event: _ari_name(event.__name__) for event in _KNOWN},
    Ignored: Ignored.__name__,
}
"""The name under which an event is counted."""
EVENT_TYPES: tuple[str, ...] = tuple(EVENT_NAMES[event] for event in _KNOWN)
"""What the application's event filter must let through; without ``RESTResponse`` in it every
answer over the WebSocket is swallowed, while the commands are obeyed."""

_decoder: msgspec.json.Decoder[AriCallEvent | AriApplicationReplaced | RESTResponse]
_decoder = msgspec.json.Decoder(AriCallEvent | AriApplicationReplaced | RESTResponse)
_stranger = msgspec.json.Decoder(Ignored)


def unix_ms(moment: datetime) -> int:
    """Unix milliseconds of a moment that knows its time zone."""
    return round(moment.timestamp() * 1000)


def decode(message: bytes) -> AriEvent:
    """Turn one WebSocket message into a value.

    Only a message that is none of ours is looked at a second time, for its type.

    Raises:
        ValueError: not JSON, or a known event lacks a field or has one of the wrong type. The
            text names the type and the place, and repeats nothing that a caller controls.
    """
    try:
        return _decoder.decode(message)
    except (ValueError, RecursionError) as error:
        mismatch = isinstance(error, msgspec.ValidationError)
        why = str(error) if mismatch else "not JSON"
    try:
        stranger = _stranger.decode(message)
    except (ValueError, RecursionError):
        raise ValueError("malformed ARI event: not an object with a type") from None
    if stranger.type in EVENT_TYPES:
        raise ValueError(f"malformed ARI event: {stranger.type}: {_safe(why)}")
    if not stranger.type.isidentifier() or not stranger.type.isascii():
        raise ValueError("malformed ARI event: its type is not a name")
    return Ignored(stranger.type[:_LONGEST_TYPE])


def _safe(why: str) -> str:
    """What msgspec says: it names fields and types, and repeats a value only if a tag is wrong."""
    return "invalid value" if "Invalid value" in why else why[:200]
