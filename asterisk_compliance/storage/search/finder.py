"""Finding calls among millions: by what the log says of them, newest first, a page at a time.

The rarest condition leads, and the others are looked up for each call that it leaves. How rare one
is, its index tells, counted up to a bound. What has few values (policy, queue, decision, …) is one
condition: calls that are alike in all of these stand together in the index ``calls_sort``, so that
two common values which hardly any call has both of are found at once.

Newest first is the order of the calls' ids, which begin with the time; so an id is where the next
page begins, and a time is a range of ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from asterisk_compliance.ids import CallId
from asterisk_compliance.storage.log.reader import ListedCall, StoreReader
from asterisk_compliance.storage.search.conditions import ANY, RARE, CallSearch, Conditions
from asterisk_compliance.storage.search.id_streams import LARGEST_CHUNK

__all__ = ["ANY", "CallFinder", "CallSearch", "SearchPage"]

_PROBED = 4_000
"""So many calls are looked at before sorts of calls are."""
_FIRST_CHUNK = 4


class SearchPage(NamedTuple):
    """Calls, newest first, and whether there are older ones."""

    calls: list[ListedCall]
    more: bool


class CallFinder:
    """Searches one store.

    Raises:
        StoreUnavailable: from every method, when the store or its search key cannot be read.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader

    def page(self, search: CallSearch, limit: int, before: CallId | None = None) -> SearchPage:
        """The newest calls that are as ``search`` says, at most ``limit``.

        Args:
            search: Which calls.
            limit: At least 1.
            before: Only older ones than this call: the last one of the page before.
        """
        found = list(islice(self._calls(Conditions(self._reader, search, before)), limit + 1))
        return SearchPage(found[:limit], len(found) > limit)

    def count(self, search: CallSearch) -> int:
        """How many there are. Where none of its conditions is rare, every call is looked at."""
        asked = Conditions(self._reader, search)
        _, size = asked.lead()
        if size < RARE or asked.sorts_within(RARE - 1) is not None:
            return sum(1 for _ in self._calls(asked))
        where, values = asked.condition()
        counted = asked.span.all(f"SELECT count(*) FROM calls WHERE {where}", values)  # noqa: S608
        return int(counted[0][0])

    def _calls(self, asked: Conditions) -> Iterator[ListedCall]:
        where, values = asked.condition()
        sql = (
            "SELECT calls.* FROM json_each(?) AS one"  # noqa: S608  texts are ours
            f" CROSS JOIN calls ON calls.call = one.value WHERE {where}"
        )
        for ids in self._candidates(asked):
            yield from asked.span.entries(sql, [json.dumps(ids), *values])

    def _candidates(self, asked: Conditions) -> Iterator[list[str]]:
        """Calls to look at, a few at first.

        Common values fill a page from the newest calls. Where they do not, they are rare together.
        """
        lead, size = asked.lead()
        ids = asked.span.newest_first(lead)
        looked_at, step, switched = 0, _FIRST_CHUNK, False
        while chunk := list(islice(ids, step)):
            yield chunk
            looked_at += len(chunk)
            step = min(step * 4, LARGEST_CHUNK)
            if looked_at >= _PROBED and not switched:
                switched = True
                if (sorts := asked.sorts_within(size)) is not None:
                    ids = asked.span.older_than(chunk[-1]).newest_first(sorts)
