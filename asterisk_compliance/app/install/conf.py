"""Reads Asterisk's configuration files, as far as an installation needs them.

A file that is missing or unreadable counts as empty. ``#exec`` is never run.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final

from asterisk_compliance.domain.dialplan.config_lines import (
    ConfigLine,
    ConfigSection,
    ConfigStatement,
    Directive,
    Garbled,
    Setting,
    statements,
)

_DEEPEST: Final = 10
"""``MAX_INCLUDE_LEVEL`` of ``main/config.c``."""
_MOST_FILES: Final = 1_000
_YES: Final = frozenset({"yes", "true", "y", "t", "1", "on"})


@dataclass(frozen=True, slots=True)
class Conf:
    """What one file says, with the files that it includes.

    Attributes:
        sections: The last value of each setting, by section and name.
        begins: Where each section begins first.
        includes: Where each file is included, by its bare name.
        lines: Every setting, in order.
    """

    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    begins: Mapping[str, ConfigLine] = field(default_factory=dict)
    includes: Mapping[str, ConfigLine] = field(default_factory=dict)
    lines: Sequence[Setting] = ()

    def says(self, section: str, name: str, default: str = "") -> str:
        return self.sections.get(section, {}).get(name, default)

    def agrees(self, section: str, name: str, *, default: bool) -> bool:
        """Whether a setting is on."""
        said = self.says(section, name)
        return said.lower() in _YES if said else default


def read_conf(directory: Path, name: str) -> Conf:
    """A file of a configuration directory, as we see it."""
    sections: dict[str, dict[str, str]] = {}
    begins: dict[str, ConfigLine] = {}
    includes: dict[str, ConfigLine] = {}
    lines: list[Setting] = []
    current: dict[str, str] | None = None
    for one in _expanded(directory, name, 1, [0]):
        match one:
            case ConfigSection():
                current = sections.setdefault(one.name, {})
                begins.setdefault(one.name, one.place)
            case Directive(word="include" | "tryinclude"):
                includes.setdefault(PurePath(one.argument).name, one.place)
            case Setting():
                lines.append(one)
                if current is not None:
                    current[one.name] = one.value
            case Directive() | Garbled():
                pass
    return Conf(sections, begins, includes, tuple(lines))


def _expanded(
    directory: Path, name: str, depth: int, files: list[int]
) -> Iterator[ConfigStatement]:
    """Statements, each ``#include`` followed by what it includes."""
    for path in sorted(map(Path, glob.glob(str(directory / name)))):  # noqa: PTH207 - may be absolute
        files[0] += 1
        if depth > _DEEPEST or files[0] > _MOST_FILES:
            return
        for one in statements(_text(path), str(path)):
            yield one
            if isinstance(one, Directive) and one.word in {"include", "tryinclude"}:
                yield from _expanded(directory, one.argument, depth + 1, files)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""
