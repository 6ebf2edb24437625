"""Reads Asterisk's own records, one at a time: CDRs and CEL, as CSV and as SQLite.

=====================  =============================================================
cdr_csv                ``Master.csv``: 16 columns, and what ``cdr.conf`` adds to them
cdr_custom             CSV in the order that the site says
cdr_sqlite3_custom     table ``cdr``, columns by name
cel_custom             CSV: the 20 columns of Asterisk's sample, or as the site says
cel_sqlite3_custom     table ``cel``, columns by name
=====================  =============================================================

Only ids, times, context, disposition and user field are taken out of a record.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from asterisk_compliance.domain.asterisk.call_records import (
    Cdr,
    CelEvent,
    Unreadable,
    created_ms,
    is_uniqueid,
    statements,
)
from asterisk_compliance.errors import ConfigError

Columns: TypeAlias = Mapping[str, int]
"""Where each column stands."""
_Values: TypeAlias = Sequence[str]
_ColumnsOf: TypeAlias = Callable[[_Values], Columns | None]
"""The columns of a CSV record; ``None``: it is no such record."""

_SQLITE = b"SQLite format 3\x00"
_PAGE = 5_000
"""Records read from SQLite at once: a longer read would keep Asterisk from writing."""

_CDR_CSV = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp",
    "lastdata", "start", "answer", "end", "duration", "billsec", "disposition", "amaflags",
)  # fmt: skip
_CDR_NEW = ("peeraccount", "linkedid", "sequence")
"""``newcdrcolumns = yes``."""
_CEL_CSV = (
    "eventtype", "eventtime", "name", "num", "ani", "rdnis", "dnid", "exten", "context",
    "channame", "appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "peer",
    "userfield", "userdeftype", "eventextra",
)  # fmt: skip

_CDR_IDS = frozenset({"uniqueid", "linkedid", "userfield"})
_CDR_ANSWERS = frozenset({"disposition", "billsec", "answer"})
_CDR_TAKEN = _CDR_IDS | _CDR_ANSWERS | {"dcontext", "start", "calldate", "duration"}
_CEL_NEEDED = frozenset({"eventtype", "uniqueid"})
_CEL_TAKEN = _CEL_NEEDED | {"linkedid", "context", "eventtime"}

_ANSWERED = frozenset({"ANSWERED", "8"})
"""As a word, and as Asterisk's own number for it."""

_WRONG_COLUMNS = "not the number of columns that was expected"
_WITHOUT_ID = "neither uniqueid nor userfield is in them; cdr.conf can add both"


def check_cdr_columns(names: Sequence[str]) -> str:
    """What is wrong with the columns that a site names; empty if nothing is."""
    for needed in (_CDR_IDS, _CDR_ANSWERS):
        if not needed & set(names):
            return f"name one of {', '.join(sorted(needed))}"
    return _twice(names, _CDR_TAKEN)


def check_cel_columns(names: Sequence[str]) -> str:
    """As :func:`check_cdr_columns`."""
    if missing := sorted(_CEL_NEEDED - set(names)):
        return f"name {' and '.join(missing)}"
    return _twice(names, _CEL_TAKEN)


def _twice(names: Sequence[str], taken: frozenset[str]) -> str:
    twice = sorted(name for name in taken if list(names).count(name) > 1)
    return f"{twice[0]} stands there twice" if twice else ""


def read_cdrs(path: Path, columns: Sequence[str] = ()) -> Iterator[Cdr | Unreadable]:
    """The CDRs of one file, in its order; what cannot be compared is counted, and comes last.

    Args:
        path: CSV or SQLite; the content tells.
        columns: Of a CSV file that is not ``Master.csv``: the names, in order.

    Raises:
        ConfigError: it cannot be read, or is no such file.
    """
    refused = _Refused(str(path))
    columns_of = _named(tuple(columns)) if columns else _cdr_csv_columns
    is_first = True
    for number, where, values in _records(path, "cdr", _CDR_TAKEN, columns_of):
        if where is None:
            refused.add(number, _WRONG_COLUMNS)
        elif not _CDR_IDS & where.keys():
            refused.add(number, _WITHOUT_ID)
        else:
            yield _cdr(where, values, is_first=is_first)
            is_first = False
    yield from refused.found()


def read_cel(path: Path, columns: Sequence[str] = ()) -> Iterator[CelEvent | Unreadable]:
    """The events of one file; as :func:`read_cdrs`, with ``cel_custom``'s sample as default."""
    refused = _Refused(str(path))
    columns_of = _named(tuple(columns) or _CEL_CSV)
    for number, where, values in _records(path, "cel", _CEL_TAKEN, columns_of):
        if where is None or not where.keys() >= _CEL_NEEDED:
            refused.add(number, _WRONG_COLUMNS)
        else:
            yield _cel_event(where, values)
    yield from refused.found()


@dataclass(slots=True)
class _Refused:
    """Counts what cannot be compared: for each reason the first record, and how many."""

    file: str
    reasons: dict[str, list[int]] = field(default_factory=dict)

    def add(self, number: int, why: str) -> None:
        self.reasons.setdefault(why, [number, 0])[1] += 1

    def found(self) -> Iterator[Unreadable]:
        for why, (first, count) in self.reasons.items():
            yield Unreadable(self.file, first, count, why)


# -- a record ----------------------------------------------------------------------------------


def _cdr(where: Columns, values: _Values, *, is_first: bool) -> Cdr:
    channel = _value(where, values, "uniqueid")
    linkedid = _value(where, values, "linkedid")
    started = created_ms(channel)
    if started is None:
        started = _moment_ms(_value(where, values, "start") or _value(where, values, "calldate"))
    lasted = _number(_value(where, values, "duration")) if is_first else None
    covers = None if not is_first or started is None else started + _ms(lasted or 0)
    return Cdr(
        channel,
        linkedid,
        _value(where, values, "dcontext"),
        answered=_is_answered(where, values),
        started_ms=started,
        covers_from_ms=covers,
        statements=statements(_value(where, values, "userfield")),
    )


def _is_answered(where: Columns, values: _Values) -> bool:
    if "disposition" in where:
        return values[where["disposition"]].strip().upper() in _ANSWERED
    if "billsec" in where:
        return (_number(values[where["billsec"]]) or 0) > 0
    return bool(_value(where, values, "answer"))


def _cel_event(where: Columns, values: _Values) -> CelEvent:
    channel = _value(where, values, "uniqueid")
    linkedid = _value(where, values, "linkedid") or channel
    at_ms = created_ms(channel)
    if at_ms is None:
        at_ms = _moment_ms(_value(where, values, "eventtime"))
    return CelEvent(
        _value(where, values, "eventtype").strip(),
        channel,
        linkedid,
        _value(where, values, "context"),
        at_ms,
    )


def _value(where: Columns, values: _Values, name: str) -> str:
    place = where.get(name)
    return "" if place is None else values[place]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _ms(seconds: float) -> int:
    """Nothing of what is no time at all: a file can say ``inf``."""
    try:
        return int(seconds * 1_000)
    except (OverflowError, ValueError):
        return 0


def _moment_ms(text: str) -> int | None:
    """A time as Asterisk writes it: seconds since 1970, or a date in this machine's time zone."""
    seconds = _number(text)
    try:
        return int((datetime.fromisoformat(text).timestamp() if seconds is None else seconds) * 1e3)
    except (ValueError, OverflowError):
        return None


# -- files -------------------------------------------------------------------------------------


def _records(
    path: Path, table: str, taken: Iterable[str], columns_of: _ColumnsOf
) -> Iterator[tuple[int, Columns | None, _Values]]:
    """Each record with its number, from 1, and where its columns stand."""
    try:
        with path.open("rb") as file:
            is_sqlite = file.read(len(_SQLITE)) == _SQLITE
        if is_sqlite:
            yield from _sqlite_records(path, table, taken)
        else:
            yield from _csv_records(path, columns_of)
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except sqlite3.Error as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from error
    except UnicodeDecodeError as error:  # what SQLite says repeats bytes of the file
        raise ConfigError(str(path), ["cannot be read: it is damaged"]) from error


def _csv_records(
    path: Path, columns_of: _ColumnsOf
) -> Iterator[tuple[int, Columns | None, _Values]]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        records = csv.reader(_whole_lines(file))
        number = 0
        while True:
            number += 1
            try:
                values = next(records)
            except StopIteration:
                return
            except csv.Error:  # a quotation mark that is never closed
                yield number, None, ()
                continue
            if values:
                yield number, columns_of(values), values


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """Without a last line that Asterisk is about to write."""
    return (line for line in lines if line.endswith("\n"))


def _cdr_csv_columns(values: _Values) -> Columns | None:
    """``cdr_csv`` says which columns it wrote by their number, and by what the 17th looks like."""
    return _cdr_csv_columns_of(len(values), len(values) > 16 and is_uniqueid(values[16]))


@lru_cache(maxsize=64)
def _cdr_csv_columns_of(length: int, id_is_next: bool) -> Columns | None:
    one = ("uniqueid",) if id_is_next else ("userfield",)
    added: dict[int, tuple[str, ...]] = {
        16: (),
        17: one,
        18: ("uniqueid", "userfield"),
        19: _CDR_NEW,
        20: one + _CDR_NEW,
        21: ("uniqueid", "userfield", *_CDR_NEW),
    }
    return _places(_CDR_CSV + added[length]) if length in added else None


def _named(names: tuple[str, ...]) -> _ColumnsOf:
    where = _places(names)
    return lambda values: where if len(values) == len(names) else None


def _places(names: Sequence[str]) -> Columns:
    return {name: place for place, name in enumerate(names)}


def _sqlite_records(
    path: Path, table: str, taken: Iterable[str]
) -> Iterator[tuple[int, Columns | None, _Values]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        there = {name.lower() for (name,) in db.execute(_COLUMNS_OF, [table])}
        if not there:
            raise ConfigError(str(path), [f"has no table {table}"])
        names = sorted(there & set(taken))
        where = _places(names)
        shown = ", ".join(f'"{name}"' for name in names)
        page = (
            f"SELECT rowid, {shown or 'NULL'} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608  names of ours
        )
        last = 0
        while records := db.execute(page, [last, _PAGE]).fetchall():
            for rowid, *values in records:
                if rowid <= last:  # the same rows would come again and again
                    raise ConfigError(str(path), ["cannot be read: its rows are in no order"])
                last = rowid
                yield last, where, ["" if value is None else str(value) for value in values]


_COLUMNS_OF = "SELECT name FROM pragma_table_info(?)"
