"""Reads a site's dialplan from ``extensions.conf`` or from the output of ``dialplan show``."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from asterisk_compliance.domain.dialplan.config_lines import (
    ConfigLine,
    ConfigStatement,
    Directive,
    Setting,
    statements,
)
from asterisk_compliance.domain.dialplan.findings import DialplanFinding, DialplanFindingId
from asterisk_compliance.domain.dialplan.model import Dialplan, categories, plan_of
from asterisk_compliance.domain.dialplan.show_output import is_shown, shown_plan
from asterisk_compliance.errors import ConfigError

STANDARD_INPUT: Final = "-"

_DEEPEST: Final = 10
"""``MAX_INCLUDE_LEVEL`` of ``main/config.c``."""
_MOST_FILES: Final = 10_000
"""Files that include each other would be read for ever."""
_ENTERED: Final = ("pjsip.conf", "pjsip_wizard.conf", "sip.conf", "iax.conf", "chan_dahdi.conf")
"""Where channels come from; each says by ``context`` where they enter the dialplan."""
_CONTEXT: Final = frozenset({"context", "endpoint/context"})
_BESIDE: Final = ("extensions.ael", "extensions.lua")
_YES: Final = frozenset({"yes", "true", "y", "t", "1", "on"})


@dataclass(frozen=True, slots=True)
class Reading:
    """A dialplan, and what Asterisk's other files beside it say about recording.

    Attributes:
        findings: What could not be read.
        features: ``[applicationmap]`` of ``features.conf``, or ``None`` without that file.
        recording_queues, queue_members: Of ``queues.conf``.
        recording_bridges: Of ``confbridge.conf``.
        entries: Contexts that channels enter, of ``pjsip.conf`` and its like.
    """

    plan: Dialplan
    findings: tuple[DialplanFinding, ...] = ()
    features: dict[str, str] | None = None
    recording_queues: frozenset[str] = frozenset()
    queue_members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    recording_bridges: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()


def read_dialplan(source: str) -> Reading:
    """Read a file, or standard input: ``extensions.conf``, or what ``dialplan show`` prints.

    Beside ``extensions.conf`` the files ``features.conf``, ``queues.conf``, ``confbridge.conf`` and
    those of the channel drivers are read too, where they are there.

    Raises:
        ConfigError: it cannot be read.
    """
    if source == STANDARD_INPUT:
        text = sys.stdin.buffer.read().decode(errors="replace")
        if is_shown(text):
            return Reading(shown_plan(text))
        return Reading(plan_of(statements(text, "standard input")))
    path = Path(source)
    text = _text(path)
    if is_shown(text):
        return Reading(shown_plan(text))
    files = _Files(path.parent)
    plan = plan_of(files.expanded(statements(text, files.name_of(path))))
    queues = files.beside("queues.conf") or {}
    features = files.beside("features.conf")
    bridges = files.beside("confbridge.conf") or {}
    entries = frozenset(
        one.value
        for name in _ENTERED
        for said in (files.beside(name) or {}).values()
        for one in said
        if one.name in _CONTEXT
    )
    return Reading(
        plan,
        (*files.findings, *_not_read(path.parent)),
        None
        if features is None
        else {one.name: one.value for one in features.get("applicationmap", ())},
        frozenset(name for name, said in queues.items() if _said(said, "monitor-format")),
        {name: _members(said) for name, said in queues.items()},
        frozenset(
            name
            for name, said in bridges.items()
            if _said(said, "record_conference").lower() in _YES
        ),
        entries,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except ValueError as error:
        raise ConfigError(str(path), ["is no path"]) from error
    except OSError as error:
        hint = "name Asterisk's extensions.conf, or a file with what dialplan show prints"
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"], hint=hint) from error


class _Files:
    """Files of one configuration directory, with what they include."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = 0
        self.findings: list[DialplanFinding] = []

    def expanded(
        self, found: Iterable[ConfigStatement], depth: int = 1
    ) -> Iterator[ConfigStatement]:
        """Statements with those of included files in place of each ``#include``."""
        for one in found:
            match one:
                case Directive(word="include" | "tryinclude"):
                    yield from self._included(one, depth)
                case Directive(word="exec"):
                    self._say(
                        DialplanFindingId.NOT_READ, one.place, "what the program of #exec prints"
                    )
                case _:
                    yield one

    def _included(self, one: Directive, depth: int) -> Iterator[ConfigStatement]:
        if depth > _DEEPEST:
            what = "files include each other too deep: Asterisk leaves this one out"
            self._say(DialplanFindingId.LINE_IGNORED, one.place, what)
            return
        paths = self._matching(one.argument)
        if not paths and one.word == "include":
            what = f"there is no {one.argument}, and without it Asterisk loads none of the dialplan"
            self._say(DialplanFindingId.INCLUDE_MISSING, one.place, what)
        self._files += len(paths)
        if self._files > _MOST_FILES:
            self._say(
                DialplanFindingId.NOT_READ, one.place, f"more than {_MOST_FILES} files are included"
            )
            return
        for path in paths:
            text = self._text(path, one.place)
            yield from self.expanded(statements(text, self.name_of(path)), depth + 1)

    def _matching(self, written: str) -> list[Path]:
        """As Asterisk finds them: a path from its own directory, or an absolute one."""
        if "\0" in written:
            return []
        return sorted(map(Path, glob.glob(str(self._directory / written))))  # noqa: PTH207 - may be absolute

    def _text(self, path: Path, place: ConfigLine) -> str:
        """A file; nothing, and a finding, where it cannot be read or is none."""
        try:
            if path.is_file():
                return _text(path)
            why = "no file"
        except (OSError, ConfigError) as error:
            why = str(error)
        self._say(DialplanFindingId.NOT_READ, place, f"{self.name_of(path)}: {why}")
        return ""

    def name_of(self, path: Path) -> str:
        """As findings name it: from the directory on, whatever its bytes are."""
        inside = path.is_relative_to(self._directory)
        return os.fsencode(path.relative_to(self._directory) if inside else path).decode(
            errors="replace"
        )

    def _say(self, finding: DialplanFindingId, place: ConfigLine, what: str) -> None:
        self.findings.append(DialplanFinding(finding, place, "", what))

    def beside(self, name: str) -> dict[str, list[Setting]] | None:
        """The settings of another file by their category, ``None`` if there is no such file."""
        path = self._directory / name
        if not path.is_file():
            return None
        found: dict[str, list[Setting]] = {}
        text = self._text(path, ConfigLine(name, 0))
        for category, said in categories(self.expanded(statements(text, name)), []):
            found.setdefault(category, []).extend(said)
        return found


def _said(settings: Iterable[Setting], name: str) -> str:
    """The last value of a setting, empty if there is none."""
    return next((one.value for one in reversed([*settings]) if one.name == name), "")


def _members(settings: Iterable[Setting]) -> tuple[str, ...]:
    return tuple(one.value.split(",")[0].strip() for one in settings if one.name == "member")


def _not_read(directory: Path) -> Iterator[DialplanFinding]:
    for name in _BESIDE:
        if (directory / name).is_file():
            what = (
                "a dialplan in another language lies there; if its module is loaded, it counts too"
            )
            yield DialplanFinding(DialplanFindingId.NOT_READ, ConfigLine(name, 0), "", what)
