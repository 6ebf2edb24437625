"""Results on stdout, talk on stderr; tables for people, JSON for programs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO

import msgspec
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PIPE_COLUMNS = 240
"""Width where there is no terminal: a line is for ``grep``, not to be folded."""

_ANY_WIDTH = 10_000
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def stdout() -> Console:
    """The console for results."""
    return _console(sys.stdout)


def stderr() -> Console:
    """The console for everything else."""
    return _console(sys.stderr)


def say(text: str) -> None:
    """Talk, on stderr."""
    for line in text.splitlines():
        stderr().print(Text(_printable(line)), soft_wrap=True)


def print_line(text: str) -> None:
    """One line of a result, never folded or coloured."""
    sys.stdout.write(_printable(text) + "\n")


def print_json(value: object) -> None:
    """One JSON document on one line, keys sorted."""
    sys.stdout.write(msgspec.json.encode(value, order="deterministic").decode() + "\n")


def print_raw(lines: Iterable[bytes]) -> None:
    """Lines that are JSON already, byte for byte."""
    sys.stdout.flush()
    out = sys.stdout.buffer
    for line in lines:
        out.write(line + b"\n")
    out.flush()


def table(columns: Sequence[str], lines: Iterable[Sequence[object]], *, title: str = "") -> Table:
    """A table; an empty cell stands for ``None``, and no cell can carry markup or escapes."""
    result = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        result.add_column(column, overflow="fold")
    for line in lines:
        result.add_row(*(Text(_printable("" if cell is None else str(cell))) for cell in line))
    return result


def fitted(
    columns: Sequence[str], lines: Iterable[Sequence[object]], spare: Sequence[str]
) -> Table:
    """A table that fits the terminal, so that no id is folded; what is left out, stderr says.

    Args:
        columns: As of :func:`table`.
        lines: As of :func:`table`.
        spare: Columns that can be left out, the first ones first.
    """
    console, every = stdout(), [tuple(line) for line in lines]
    wide = console.options.update(width=_ANY_WIDTH)
    left_out = 0
    while True:
        places = [at for at, name in enumerate(columns) if name not in spare[:left_out]]
        cut = [[line[at] for at in places] for line in every]
        result = table([columns[at] for at in places], cut)
        needed = Measurement.get(console, wide, result).maximum
        if needed <= console.width or left_out == len(spare):
            break
        left_out += 1
    if left_out:
        say(f"the terminal is too narrow for {', '.join(spare[:left_out])}: --json has all")
    return result


def _console(file: IO[str]) -> Console:
    width = None if file.isatty() else PIPE_COLUMNS
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
