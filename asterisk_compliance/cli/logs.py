"""What the program says while it works: one event a line, on stderr, for people and the journal.

    2026-11-24T08:00:00.123Z warning ari_disconnected node=pbx1 why="nothing answers"
    <4>ari_disconnected node=pbx1 why="nothing answers"

The second is said to the journal, which has the time and takes the number for the priority
(sd-daemon(3)). A value can come from a caller, or from a file's name: whatever is not printable is
escaped, so that nobody forges a line, a key or a terminal's escape. What an exception says is never
logged, because it can hold a number; its type and places are.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Annotated, Any, Final, TypeAlias

import structlog
import typer

LogEvent: TypeAlias = MutableMapping[str, Any]


class LogLevel(StrEnum):
    """From which on events are said."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Of syslog."""
LONGEST_VALUE: Final = 2_000
MOST_FRAMES: Final = 12

_BARE = re.compile(r"[!#-<>-~]+")
"""Printable ASCII without blank, quote and equals sign."""
_NAMED = ("asyncio", "aiohttp")
"""Libraries whose messages begin with a line of their own words."""

LevelOption: TypeAlias = Annotated[
    LogLevel, typer.Option("--log-level", help="Say events from this level on.")
]
JsonLogOption: TypeAlias = Annotated[bool, typer.Option("--log-json", help="Log as JSON.")]


def log_to_stderr(level: LogLevel = LogLevel.INFO, *, as_json: bool = False) -> None:
    """Let every event be a line on stderr, whatever stderr is then."""
    prefixed = bool(priority("info"))
    timed = [] if prefixed and not as_json else [structlog.processors.TimeStamper("iso", key="at")]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _without_words,
            *timed,
            _Line(_as_json if as_json else _as_text, prefixed=prefixed),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=_Stderr,
        cache_logger_on_first_use=False,
    )


def take_over_python() -> None:
    """Say what Python and its libraries complain of in the same way; for a process that serves."""
    root = logging.getLogger()
    root.handlers = [_Complaints(logging.WARNING)]

    def crashed(
        kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        structlog.get_logger().critical("crashed", exc_info=(kind, error, trace))

    sys.excepthook = crashed
    threading.excepthook = lambda args: crashed(args.exc_type, args.exc_value, args.exc_traceback)


def priority(level: str) -> str:
    """What a line on stderr begins with: ``<3>`` where it goes to the journal, else nothing."""
    return f"<{PRIORITIES[level]}>" if _is_journal(os.environ) else ""


class _Stderr:
    """Where lines go. A disk that is full, or nobody who reads, must not stop what is said of."""

    def __init__(self, *_: object) -> None:
        """For any logger's name."""

    def msg(self, line: str) -> None:
        try:
            file = sys.stderr.fileno()
        except (OSError, ValueError):  # of somebody who looks at it in this process
            print(line, file=sys.stderr)  # noqa: T201
            return
        with suppress(OSError):
            os.write(file, f"{line}\n".encode())  # one write: two processes share it

    debug = info = warning = error = critical = msg


class _Line:
    """The last processor: makes a line of an event."""

    def __init__(self, render: Callable[[LogEvent], str], *, prefixed: bool) -> None:
        self._render = render
        self._prefixed = prefixed

    def __call__(self, _logger: object, _method: str, event: LogEvent) -> str:
        prefix = f"<{PRIORITIES[event['level']]}>" if self._prefixed else ""
        if self._prefixed and "at" not in event:
            event.pop("level")
        return prefix + self._render(event)


class _Complaints(logging.Handler):
    """Of libraries their name and their own words alone: the rest can hold anything."""

    def emit(self, record: logging.LogRecord) -> None:
        own = record.name.partition(".")[0] in _NAMED
        said = {"what": str(record.msg).partition("\n")[0]} if own else {}
        level = logging.ERROR if record.levelno >= logging.ERROR else logging.WARNING
        structlog.get_logger().log(
            level, "library_complained", logger=record.name, exc_info=record.exc_info, **said
        )


def _without_words(_logger: object, _method: str, event: LogEvent) -> LogEvent:
    """Put the type and the places of an exception in its place; no hint is none, and not empty."""
    if event.get("hint") == "":
        del event["hint"]
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        first = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        frames = traceback.extract_tb(first.__traceback__)[-MOST_FRAMES:]
        places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
        event.update(error=type(first).__name__, where=" ".join(reversed(places)))
    return event


def _as_text(event: LogEvent) -> str:
    words = [str(event.pop(key)) for key in ("at", "level") if key in event]
    pairs = (f"{key}={_shown(value)}" for key, value in _named_first(event).items())
    return " ".join([*words, escaped(event["event"]), *pairs])


def _as_json(event: LogEvent) -> str:
    head = {key: event.pop(key) for key in ("at", "level", "event") if key in event}
    return json.dumps({**head, **event}, default=str)  # ASCII: escapes what is not printable too


def _named_first(event: LogEvent) -> Mapping[str, Any]:
    """The pairs, and first whose it is."""
    first = {key: event[key] for key in ("node", "call") if key in event}
    return {**first, **{key: value for key, value in event.items() if key != "event"}}


def _shown(value: object) -> str:
    """A value as it stands behind ``=``: bare, or in double quotes with escapes."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case list() | tuple() | set() | frozenset():
            text = ", ".join(map(str, value))
        case Mapping():
            text = json.dumps(dict(value), default=str)
        case _:
            text = str(value)
    if len(text) > LONGEST_VALUE:
        text = text[:LONGEST_VALUE] + "…"
    return text if _BARE.fullmatch(text) else f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """``text`` with everything escaped that is not printable, or that would end a quotation."""
    return "".join(
        one if one.isprintable() and one not in '\\"' else _ESCAPES.get(one) or _by_number(one)
        for one in text
    )


_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _by_number(one: str) -> str:
    return f"\\u{ord(one):04x}" if ord(one) < 0x10000 else f"\\U{ord(one):08x}"


def _is_journal(environment: Mapping[str, str]) -> bool:
    """Whether stderr is the stream that systemd connected to the journal (systemd.exec(5))."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
