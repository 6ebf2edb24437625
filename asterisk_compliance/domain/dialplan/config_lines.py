r"""The text of a file of Asterisk's configuration, as statements (``main/config.c``).

What ``process_text_line`` does: comments ``;`` and ``;-- … --;``, ``\;`` for a semicolon,
``[category](options)``, ``name => value``, ``#include``. No text makes it fail: what Asterisk would
not understand is a :class:`Garbled` line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias


class ConfigLine(NamedTuple):
    """Where something stands; ``line`` 0 is unknown, as in an old ``dialplan show``."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class ConfigSection(NamedTuple):
    """``[name](options)``: ``!`` is a template, ``+`` goes on, all else names templates."""

    place: ConfigLine
    name: str
    options: tuple[str, ...]


class Setting(NamedTuple):
    place: ConfigLine
    name: str
    value: str


class Directive(NamedTuple):
    """``#include``, ``#tryinclude`` or ``#exec``, the word without its mark."""

    place: ConfigLine
    word: str
    argument: str


class Garbled(NamedTuple):
    place: ConfigLine
    why: str


ConfigStatement: TypeAlias = ConfigSection | Setting | Directive | Garbled

_QUOTES = {'"': '"', "<": ">", "'": "'"}


def statements(text: str, file: str) -> list[ConfigStatement]:
    """What a file says, in its order."""
    return [
        _statement(line, ConfigLine(file, number))
        for number, line in _without_comments(text)
        if line and not line.isspace()
    ]


def _without_comments(text: str) -> Iterator[tuple[int, str]]:
    depth = 0
    for number, line in enumerate(text.split("\n"), 1):
        kept, depth = _uncommented(line, depth)
        yield number, kept.strip()


def _uncommented(line: str, depth: int) -> tuple[str, int]:
    """A line without its comments, and how many block comments are open behind it."""
    kept, begin, at = "", 0, line.find(";")
    while at >= 0:
        following = line[at + 1 : at + 4]
        if at > begin and line[at - 1] == "\\" and not depth:
            kept, begin = kept + line[begin : at - 1] + ";", at + 1
        elif following.startswith("--") and following != "---":
            kept += "" if depth else line[begin:at]
            depth, begin = depth + 1, at + 3
        elif depth:
            if line[max(begin, at - 2) : at] == "--":
                depth, begin = depth - 1, at + 1
        else:
            return kept + line[begin:at], depth
        at = line.find(";", max(begin, at + 1))
    return kept if depth else kept + line[begin:], depth


def _statement(line: str, place: ConfigLine) -> ConfigStatement:
    if line.startswith("["):
        name, closed, rest = line[1:].partition("]")
        if not closed:
            return Garbled(place, "the name of a context is not closed")
        options = rest.strip().removeprefix("(").partition(")")[0]
        names = (option.strip() for option in options.split(","))
        return ConfigSection(place, name.strip(), tuple(filter(None, names)))
    if line.startswith("#"):
        word, *rest_of = line[1:].split(None, 1) or [""]
        return Directive(place, word.lower(), _unquoted(rest_of[0]) if rest_of else "")
    name, found, value = line.partition("=")
    if not found:
        return Garbled(place, "there is no = in it")
    return Setting(place, name.rstrip("+ \t"), value.removeprefix(">").strip())


def _unquoted(text: str) -> str:
    closing = _QUOTES.get(text[0])
    return text[1:].partition(closing)[0] if closing else text.strip()
