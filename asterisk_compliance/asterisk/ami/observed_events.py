"""AMI events about the dialplans and recordings of others, as values; see
``asterisk/ami/events.py``.

The class ``dialplan`` of events must be readable for ``Newexten`` and ``VarSet``. What an
application is given can hold anything, caller data among it: it is not shown when it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from asterisk_compliance.asterisk.ami.events import who
from asterisk_compliance.ids import ChannelId

PLAYED: Final = frozenset({"BACKGROUNDSTATUS", "PLAYBACKSTATUS"})
"""The variables that are read: how an application that plays sounds ended."""


@dataclass(frozen=True, slots=True)
class Newchannel:
    """A channel begins."""

    channel: ChannelId
    linkedid: str


@dataclass(frozen=True, slots=True)
class Newexten:
    """A channel's dialplan goes on to ``application``; ``ExecIf()`` and its like as they stand."""

    channel: ChannelId
    linkedid: str
    application: str
    data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VarSet:
    """One of the variables in :data:`PLAYED` was set."""

    channel: ChannelId
    linkedid: str
    variable: str
    value: str


@dataclass(frozen=True, slots=True)
class MonitorStart:
    """``Monitor()`` runs; Asterisk has it up to 20."""

    channel: ChannelId
    linkedid: str


@dataclass(frozen=True, slots=True)
class MonitorStop:
    channel: ChannelId
    linkedid: str


@dataclass(frozen=True, slots=True)
class ConfbridgeRecord:
    """A conference is recorded from here on; it comes before whoever opens the conference."""

    bridge: str


@dataclass(frozen=True, slots=True)
class ConfbridgeStopRecord:
    bridge: str


ObservedEvent: TypeAlias = (
    Newchannel
    | Newexten
    | VarSet
    | MonitorStart
    | MonitorStop
    | ConfbridgeRecord
    | ConfbridgeStopRecord
)

_Headers: TypeAlias = Mapping[str, object]


def parse(message: Mapping[str, object]) -> ObservedEvent | None:
    """As :func:`asterisk_compliance.asterisk.ami.events.parse`, of other types."""
    read = _READERS.get(str(message.get("Event")))
    return None if read is None else read(message)


def _newexten(message: _Headers) -> Newexten:
    return Newexten(*who(message), _text(message, "Application"), _given(message, "AppData"))


def _varset(message: _Headers) -> VarSet | None:
    """A global variable has no channel."""
    variable = message.get("Variable")
    if not isinstance(variable, str) or variable not in PLAYED or "Uniqueid" not in message:
        return None
    return VarSet(*who(message), variable, _given(message, "Value"))


def _conference(
    event: type[ConfbridgeRecord | ConfbridgeStopRecord], message: _Headers
) -> ConfbridgeRecord | ConfbridgeStopRecord:
    return event(_text(message, "BridgeUniqueid"))


def _text(message: _Headers, header: str) -> str:
    value = _given(message, header)
    if not value:
        raise ValueError(f"malformed AMI event: {message.get('Event')}: no {header}")
    return value


def _given(message: _Headers, header: str) -> str:
    """Empty where Asterisk writes nothing.

    Raises:
        ValueError: the header is there twice.
    """
    value = message.get(header, "")
    if not isinstance(value, str):
        why = f"malformed AMI event: {message.get('Event')}: {header} is doubled"
        raise ValueError(why)  # noqa: TRY004 - of what Asterisk sent
    return value


_READERS: Final[Mapping[str, Callable[[_Headers], ObservedEvent | None]]] = {
    "ConfbridgeRecord": partial(_conference, ConfbridgeRecord),
    "ConfbridgeStopRecord": partial(_conference, ConfbridgeStopRecord),
    "MonitorStart": lambda message: MonitorStart(*who(message)),
    "MonitorStop": lambda message: MonitorStop(*who(message)),
    "Newchannel": lambda message: Newchannel(*who(message)),
    "Newexten": _newexten,
    "VarSet": _varset,
}
