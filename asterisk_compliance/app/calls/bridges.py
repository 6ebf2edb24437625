"""Who can hear whom on one Asterisk: bridges and Local channels, as AMI tells of them.

A Local channel has two halves; what is said into one comes out of the other. So everybody in a
bridge with one half is in the company of everybody in a bridge with the other. Channels that are
no person (a conference's own, a snoop) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from asterisk_compliance.ids import ChannelId

_NO_PERSONS = ("Announcer/", "CBAnn/", "CBRec/", "Recorder/", "Snoop/", "Bridge/", "Message/")
_LOCAL = "Local/"


@dataclass(slots=True)
class _Bridge:
    members: dict[ChannelId, str] = field(default_factory=dict)
    basic: bool = True

    def add(self, channel: ChannelId, name: str, *, basic: bool | None) -> None:
        self.members[channel] = name
        if basic is not None:
            self.basic = basic


class Bridges:
    """What is known of every bridge. Names of channels are kept to be matched, never logged."""

    def __init__(self) -> None:
        self._bridges: dict[str, _Bridge] = {}
        self._where: dict[ChannelId, str] = {}
        self._halves: dict[ChannelId, ChannelId] = {}

    def enter(
        self, channel: ChannelId, bridge: str, name: str, *, basic: bool | None = None
    ) -> None:
        """``basic``: whether the bridge is of the ordinary kind; ``None``: as it was."""
        self.leave(channel)
        entry = self._bridges.setdefault(bridge, _Bridge())
        entry.add(channel, name, basic=basic)
        self._where[channel] = bridge

    def leave(self, channel: ChannelId) -> None:
        bridge = self._where.pop(channel, None)
        if bridge is None:
            return
        members = self._bridges[bridge].members
        del members[channel]
        if not members:
            del self._bridges[bridge]

    def join_halves(self, one: ChannelId, two: ChannelId) -> None:
        self._halves[one], self._halves[two] = two, one

    def forget(self, channel: ChannelId) -> None:
        """The channel is gone."""
        self.leave(channel)
        other = self._halves.pop(channel, None)
        if other is not None:
            self._halves.pop(other, None)

    def clear(self) -> None:
        """Nothing is known any more."""
        self._bridges.clear()
        self._where.clear()
        self._halves.clear()

    def bridge_of(self, channel: ChannelId) -> str | None:
        return self._where.get(channel)

    def members(self, bridge: str) -> set[ChannelId]:
        entry = self._bridges.get(bridge)
        return set(entry.members) if entry else set()

    def is_basic(self, channel: ChannelId) -> bool:
        """Whether it is in a bridge of the ordinary kind, in which features work."""
        bridge = self._where.get(channel)
        return bridge is not None and self._bridges[bridge].basic

    def company(self, channel: ChannelId) -> dict[ChannelId, str]:
        """Every person whom ``channel`` hears, with the channel's name."""
        bridge = self._where.get(channel)
        if bridge is None:
            return {}
        return {
            other: name
            for other, name in self._reached(bridge)
            if other != channel and not name.startswith((_LOCAL, *_NO_PERSONS))
        }

    def reached(self, bridge: str | None) -> list[ChannelId]:
        """Every channel that is heard in a bridge, through Local channels too."""
        return [] if bridge is None else [channel for channel, _ in self._reached(bridge)]

    def _reached(self, first: str) -> Iterator[tuple[ChannelId, str]]:
        seen, waiting = {first}, [first]
        while waiting:
            entry = self._bridges.get(waiting.pop())
            if entry is None:
                continue
            for channel, name in entry.members.items():
                yield channel, name
                other = self._halves.get(channel)
                beyond = None if other is None else self._where.get(other)
                if beyond is not None and beyond not in seen:
                    seen.add(beyond)
                    waiting.append(beyond)
