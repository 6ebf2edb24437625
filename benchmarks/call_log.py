"""Reading calls back from Asterisk's own full log, whose time stamps are milliseconds.

A stamp is taken by the thread that executes the line (main/logger.c) and cut, not rounded: a time
counted from one is 0.5 ms too long on average, whichever way the call took.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

_STAMP = r"^\[(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\]"
_EXECUTING = re.compile(
    _STAMP + r".* Executing \[(?P<exten>[^@\]]+)@(?P<context>[^:\]]+):\d+\]"
    r' (?P<application>\w+)\("(?P<channel>[^"]+)", '
)
_JOINED = re.compile(
    _STAMP + r".* Channel (?P<channel>\S+) joined '\w+' basic-bridge <(?P<id>\S+)>"
)
_QUARTER_S = 900


@dataclass(frozen=True, slots=True)
class Line:
    """A line of dialplan that was executed; ``at`` is Unix time in seconds."""

    at: float
    context: str
    exten: str
    application: str


@dataclass(slots=True)
class LoggedCall:
    """One channel's way through the dialplan, and when its bridge was complete."""

    channel: str
    lines: list[Line] = field(default_factory=list)
    bridged_at: float | None = None

    def first(self, application: str) -> float:
        """When the first line with this application was executed."""
        return next(line.at for line in self.lines if line.application == application)

    def after(self, application: str) -> float:
        """When the line that follows the first one with this application was executed."""
        names = [line.application for line in self.lines]
        return self.lines[names.index(application) + 1].at


def read_calls(log: Iterable[str], now: float) -> dict[str, LoggedCall]:
    """Every call in the log, by the extension it dialled first.

    Args:
        now: Unix time, within minutes of the log's last line: the log writes the local time of a
            root file system, which may not be ours, so its zone is found by comparison.
    """
    lines = list(log)
    zone_s = _zone(lines, now)
    by_channel: dict[str, LoggedCall] = {}
    members: dict[str, set[str]] = {}
    for text in lines:
        if match := _EXECUTING.match(text):
            call = by_channel.setdefault(match["channel"], LoggedCall(match["channel"]))
            at = _seconds(match["at"]) - zone_s
            call.lines.append(Line(at, match["context"], match["exten"], match["application"]))
        elif match := _JOINED.match(text):
            inside = members.setdefault(match["id"], set())
            inside.add(match["channel"])
            if len(inside) == 2:  # the second to join makes it a conversation
                for channel in inside & by_channel.keys():
                    if by_channel[channel].bridged_at is None:
                        by_channel[channel].bridged_at = _seconds(match["at"]) - zone_s
    return {call.lines[0].exten: call for call in by_channel.values()}


def _seconds(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()


def _zone(lines: list[str], now: float) -> int:
    """What the log's clock is ahead of UTC, in seconds; zones are quarters of an hour."""
    for text in reversed(lines):
        if match := re.match(_STAMP, text):
            return round((_seconds(match["at"]) - now) / _QUARTER_S) * _QUARTER_S
    return 0
