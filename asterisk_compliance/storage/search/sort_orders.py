"""Which sorts of calls there are: what stands in the index ``calls_sort``, by jumping through it.

A sort is the JSON text of the columns :data:`~asterisk_compliance.storage.log.schema.SORTED` of a
call. Where a column must have one value, the index is entered at that value behind each mixture of
the columns before it; else it is read from one sort to the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from asterisk_compliance.storage.log.schema import ENDED, SORT, SORTED
from asterisk_compliance.storage.search.id_streams import ColumnValues, IdSpan

SORTS_MAX: Final = 20_000
"""More sorts of calls than that are not looked through."""
JUMPS_MAX: Final = 2_000
"""After so many jumps it is quicker to read all sorts: one by one costs half as much."""

_LATE: Final = frozenset({"consent"})
"""Behind so many columns a value does not save a jump."""
_COLUMNS = ", ".join(f"sort ->> '$[{at}]' AS {name}" for at, name in enumerate(SORTED))
_NAMED = f"""
WITH named AS (SELECT value AS sort FROM json_each(?)),
    every AS (SELECT sort, {_COLUMNS} FROM named)
"""  # noqa: S608  fixed text
_EVERY = f"""
WITH RECURSIVE sorts (sort) AS (
    SELECT min({SORT}) FROM calls WHERE {ENDED}
    UNION ALL SELECT (SELECT min({SORT}) FROM calls WHERE {SORT} > sort AND {ENDED}) FROM sorts
    WHERE sort IS NOT NULL
)
SELECT sort, {_COLUMNS} FROM sorts WHERE sort IS NOT NULL
"""  # noqa: S608  fixed text
_FIRST = f"SELECT min({SORT}) FROM calls WHERE {SORT} >= ? AND {ENDED}"  # noqa: S608  fixed text
_NEXT = f"SELECT min({SORT}) FROM calls WHERE {SORT} > ? AND {ENDED}"  # noqa: S608  fixed text
_READ = json.JSONDecoder().raw_decode


def fitting_sorts(
    span: IdSpan, equal: Mapping[str, str], where: str, values: ColumnValues
) -> list[str] | None:
    """The sorts that are as asked; ``None``: there are too many to look them through.

    Args:
        span: Of the store; the sorts are those of all times.
        equal: Columns that must have one value.
        where: All that must hold of the columns of a sort, also that.
        values: What it is compared with.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    if equal.keys() - _LATE and (near := _jumped(span, equal)) is not None:
        sql = f"{_NAMED} SELECT sort FROM every WHERE {where}"  # noqa: S608  texts are ours
        return [sort for (sort,) in span.all(sql, [json.dumps(near), *values])]
    sql = f"WITH every AS ({_EVERY}) SELECT sort, {where} FROM every LIMIT ?"  # noqa: S608
    lines = span.all(sql, [*values, SORTS_MAX + 1])
    return None if len(lines) > SORTS_MAX else [sort for sort, fits in lines if fits]


def _jumped(span: IdSpan, equal: Mapping[str, str]) -> list[str] | None:
    """Those whose columns have these values; ``None``: that took too many jumps."""
    texts = {
        name: span.all("SELECT json_quote(?)", (value,))[0][0] for name, value in equal.items()
    }
    wanted = [texts.get(name) for name in SORTED]
    found: list[str] = []
    sql, place = _FIRST, "["
    for _ in range(JUMPS_MAX):
        ((sort,),) = span.all(sql, (place,))
        if sort is None:
            return found
        if (behind := _next_place(sort, wanted)) is None:
            found.append(sort)
            sql, place = _NEXT, sort
        else:
            sql, place = _FIRST, behind
    return None


def _next_place(sort: str, wanted: list[str | None]) -> str | None:
    """Where the index can have the next sort that fits; ``None``: this one does."""
    for (begins, ends), text in zip(_columns(sort), wanted, strict=True):
        if text is not None and sort[begins:ends] != text:
            before = sort[:begins]
            ahead = before + text
            return ahead if ahead > sort else before[:-1] + chr(ord(before[-1]) + 1)
    return None


def _columns(sort: str) -> Iterator[tuple[int, int]]:
    """Where each column begins and ends in the text."""
    at = 1
    while at < len(sort):
        _, ends = _READ(sort, at)
        yield at, ends
        at = ends + 1
