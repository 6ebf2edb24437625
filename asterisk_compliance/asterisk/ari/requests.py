"""The ARI operations that this service uses, in ARI's own words: each function builds one request.

Ids are percent-encoded into the path; every other value travels as JSON, so nothing is ever
joined into a string that Asterisk takes apart again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec

from asterisk_compliance.asterisk.ari.events import EVENT_TYPES, Channel
from asterisk_compliance.asterisk.ari.transport import AriAnswer, AriRequest
from asterisk_compliance.ids import ChannelId, PlaybackId

T = TypeVar("T")
HangUpReason: TypeAlias = Literal["normal", "busy", "congestion", "no_answer"]
_WHISPER = {"spy": "none", "whisper": "out"}


class _Variable(msgspec.Struct):
    value: str


class _Application(msgspec.Struct):
    channel_ids: list[ChannelId]


class Bridge(msgspec.Struct, frozen=True):
    """A bridge. ``kind`` is ``basic``, ``base`` of a conference, ``parking`` and so on."""

    id: str
    channels: tuple[ChannelId, ...]
    kind: str = msgspec.field(name="bridge_class")


class _Rtp(msgspec.Struct):
    txcount: int
    rxcount: int = 0


class _System(msgspec.Struct):
    version: str


class _Asterisk(msgspec.Struct):
    system: _System


class _Module(msgspec.Struct):
    name: str
    status: str


def answer(channel: ChannelId) -> AriRequest[None]:
    return AriRequest("answer", "POST", f"channels/{_id(channel)}/answer", _nothing, lane=channel)


def play(channel: ChannelId, media: str, playback: PlaybackId) -> AriRequest[None]:
    path = f"channels/{_id(channel)}/play/{_id(playback)}"
    return AriRequest("play", "POST", path, _nothing, content={"media": media}, lane=channel)


def stop_playback(channel: ChannelId, playback: PlaybackId) -> AriRequest[bool]:
    """``False`` when the playback was over already."""
    return AriRequest(
        "stop_playback",
        "DELETE",
        f"playbacks/{_id(playback)}",
        lambda _: True,
        lane=channel,
        missing=lambda: False,
    )


def set_variable(channel: ChannelId, name: str, value: str) -> AriRequest[None]:
    return AriRequest(
        "set_variable",
        "POST",
        f"channels/{_id(channel)}/variable",
        _nothing,
        content={"variable": name, "value": value},
        lane=channel,
    )


def get_variable(channel: ChannelId, name: str) -> AriRequest[str | None]:
    return AriRequest(
        "get_variable",
        "GET",
        f"channels/{_id(channel)}/variable",
        lambda said: _decode(said, _Variable).value,
        query=(("variable", name),),
        lane=channel,
        missing=lambda: None,
    )


def continue_in_dialplan(channel: ChannelId, priority: int | None = None) -> AriRequest[None]:
    content = None if priority is None else {"priority": priority}
    path = f"channels/{_id(channel)}/continue"
    return AriRequest("continue", "POST", path, _nothing, content=content, lane=channel)


def hang_up(channel: ChannelId, reason: HangUpReason = "normal") -> AriRequest[bool]:
    """``False`` when the channel is gone already."""
    return AriRequest(
        "hang_up",
        "DELETE",
        f"channels/{_id(channel)}",
        lambda _: True,
        content={"reason": reason},
        lane=channel,
        missing=lambda: False,
    )


def originate_local(
    channel: ChannelId,
    other: ChannelId,
    *,
    place: str,
    then: str,
    variables: Mapping[str, str],
    formats: str = "",
) -> AriRequest[None]:
    """A call to ourselves, by a Local channel.

    Its half ``other`` executes the dialplan at ``place``, as a caller does; when that answers, its
    half ``channel`` executes ``then``. Both places are ``extension@context``. The variables are set
    on both halves. ``formats``: what it speaks, such as ``ulaw``; else Asterisk chooses.
    """
    exten, _, context = then.partition("@")
    return AriRequest(
        "originate",
        "POST",
        f"channels/{_id(channel)}",
        _nothing,
        content={
            "endpoint": f"Local/{place}/n",
            "extension": exten,
            "context": context,
            "priority": 1,
            "otherChannelId": other,
            "variables": dict(variables),
        }
        | ({"formats": formats} if formats else {}),
        lane=channel,
    )


def snoop(
    application: str, channel: ChannelId, snoop_id: ChannelId, args: Sequence[str]
) -> AriRequest[Channel | None]:
    """``None`` when ``channel`` is gone.

    Raises:
        ValueError: an argument is empty or holds a comma, which would make it two.
    """
    if any(not arg or "," in arg for arg in args):
        raise ValueError("an argument of a Stasis application is empty or holds a comma")
    return AriRequest(
        "snoop",
        "POST",
        f"channels/{_id(channel)}/snoop/{_id(snoop_id)}",
        lambda said: _decode(said, Channel),
        content=_WHISPER | {"app": application} | ({"appArgs": ",".join(args)} if args else {}),
        lane=channel,
        missing=lambda: None,
    )


def bridge_channels(bridge: str) -> AriRequest[list[ChannelId] | None]:
    return AriRequest(
        "bridge_channels",
        "GET",
        f"bridges/{_id(bridge)}",
        lambda said: list(_decode(said, Bridge).channels),
        missing=lambda: None,
    )


def bridges() -> AriRequest[list[Bridge]]:
    return AriRequest("bridges", "GET", "bridges", lambda said: _decode(said, list[Bridge]))


def subscribe(application: str, channel: ChannelId) -> AriRequest[None]:
    return AriRequest(
        "subscribe",
        "POST",
        f"applications/{_id(application)}/subscription",
        _nothing,
        query=(("eventSource", f"channel:{channel}"),),
        lane=channel,
    )


def channel_info(channel: ChannelId) -> AriRequest[Channel | None]:
    return AriRequest(
        "channel",
        "GET",
        f"channels/{_id(channel)}",
        lambda said: _decode(said, Channel),
        lane=channel,
        missing=lambda: None,
    )


def packets_sent(channel: ChannelId) -> AriRequest[int | None]:
    return AriRequest(
        "packets_sent",
        "GET",
        f"channels/{_id(channel)}/rtp_statistics",
        lambda said: _decode(said, _Rtp).txcount,
        missing=lambda: None,
    )


def packets(channel: ChannelId) -> AriRequest[tuple[int, int] | None]:
    def counts(said: AriAnswer) -> tuple[int, int]:
        found = _decode(said, _Rtp)
        return found.rxcount, found.txcount

    path = f"channels/{_id(channel)}/rtp_statistics"
    return AriRequest("packets", "GET", path, counts, missing=lambda: None)


def channels() -> AriRequest[list[Channel]]:
    return AriRequest("channels", "GET", "channels", lambda said: _decode(said, list[Channel]))


def application_channels(application: str) -> AriRequest[list[ChannelId]]:
    return AriRequest(
        "application_channels",
        "GET",
        f"applications/{_id(application)}",
        lambda said: _decode(said, _Application).channel_ids,
    )


def user_event(application: str, name: str, variables: Mapping[str, object]) -> AriRequest[None]:
    """An event for another Stasis application; 404 where nobody listens under that name.

    It has no source: with a channel as its source Asterisk would add that channel with the
    caller's number and name, and tell AMI of it too.
    """
    return AriRequest(
        "user_event",
        "POST",
        f"events/user/{_id(name)}",
        _nothing,
        query=(("application", application),),
        content={"variables": variables},
    )


def event_filter(application: str) -> AriRequest[bool]:
    """Let through only what :mod:`ari_events` knows; ``False`` where Asterisk has no filter.

    Both lists are given: one that is left out keeps what a former client set.
    """
    return AriRequest(
        "event_filter",
        "PUT",
        f"applications/{_id(application)}/eventFilter",
        lambda _: True,
        content={"allowed": [{"type": name} for name in EVENT_TYPES], "disallowed": []},
        missing=lambda: False,
    )


def info() -> AriRequest[str]:
    """The version of Asterisk, as ``22.10.1``; ``unknown`` without res_ari_asterisk."""
    return AriRequest(
        "info",
        "GET",
        "asterisk/info",
        lambda said: _decode(said, _Asterisk).system.version,
        query=(("only", "system"),),
        missing=lambda: "unknown",
    )


def modules() -> AriRequest[Mapping[str, str]]:
    """The status of each module by its name; none without res_ari_asterisk."""
    return AriRequest(
        "modules",
        "GET",
        "asterisk/modules",
        lambda said: {one.name: one.status for one in _decode(said, list[_Module])},
        missing=dict,
    )


def registered(application: str) -> AriRequest[bool]:
    """Whether a client has registered the application."""
    path = f"applications/{_id(application)}"
    return AriRequest("application", "GET", path, lambda _: True, missing=lambda: False)


def change_nothing() -> AriRequest[None]:
    """Refused with 403 where the user may only read; there is no such playback, whoever asks."""
    path = "playbacks/nobody-plays-this"
    return AriRequest("change", "DELETE", path, _nothing, missing=lambda: None)


@lru_cache(maxsize=4_096)
def _id(text: str) -> str:
    """One segment of a path.

    Raises:
        ValueError: empty, or it would climb out of its place.
    """
    if text in {"", ".", ".."}:
        raise ValueError("not an id")
    return quote(text, safe="")


def _nothing(_: AriAnswer) -> None:
    return None


def _decode(said: AriAnswer, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(said.body, type=shape)
    except RecursionError:
        raise ValueError("an answer is nested too deeply") from None
