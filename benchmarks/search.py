"""Finding calls in a store of a million generated ones, by what people look for.

    python -m benchmarks search [--calls 1000000] [--store DIR] [--keep]

The store has the tables that searches read, filled as the rows of calls would fill them, and no
rows. Three years of calls: eight policies, twenty queues, two hundred agents, a DID that half of
them dialled; nine of ten are recorded. Times are medians of five, first page of fifty, by the
clock and of the processor, each with a connection of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from asterisk_compliance.app.access.past_calls import past_calls
from asterisk_compliance.domain.audit.encoding import search_digest, timestamp
from asterisk_compliance.ids import CallId, call_id, party_id, recording_id
from asterisk_compliance.storage.log import schema
from asterisk_compliance.storage.log.personal_data import load_search_key
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.search.finder import CallFinder, CallSearch

Values: TypeAlias = "tuple[str | int | bytes | None, ...]"

NOW_MS = 1_795_507_200_000  # 2026-11-24T08:00:00Z
DAY_MS = 86_400_000
SPAN_MS = 3 * 365 * DAY_MS
PAGE = 50
BATCH = 10_000
REPEATS = 5
MOST_CALLED, ANOTHER_DID = "0312345678", "0312345679"
REGULAR = "09011112222"
AGENTS = 200
AGENT = "PJSIP/agent7"
OUTCOMES = (
    (900, "ALLOWED", "NOTICE_COMPLETED", None, "sealed"),
    (40, "NOT_RECORDED", "HANGUP_IN_NOTICE", None, None),
    (30, "REFUSED", "CONSENT_REFUSED", "refused", None),
    (25, "NOT_RECORDED", "NOTICE_FAILED", None, None),
    (4, "ALLOWED", "CONSENT_GIVEN", "given", "missing"),
    (1, "ALLOWED", "CONSENT_GIVEN", "withdrawn", "removed"),
)
"""Weight, status, reason, consent, and the level of the recording."""
COLUMNS = {
    "calls": ("call", "node", "channel", "policy", "queue", "leg", "arrived_at", "notice",
              "decision", "reason", "purposes", "consent", "decided_at", "ended_at", "lasted_ms"),
    "recordings": ("recording", "call", "node", "level", "level_at", "sha256", "length_ms",
                   "policy", "retention"),
    "parties": ("party", "role", "call"),
    "party_digests": ("digest", "party", "field"),
}  # fmt: skip


def make(store: Path, count: int) -> float:
    """Fill a store's tables; returns how long it took, in seconds."""
    began = time.monotonic()
    with StoreWriter.open(store):
        key = load_search_key(store)
    db = schema.open_for_writing(store)
    db.execute("PRAGMA synchronous = OFF")
    chance = random.Random(1)
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        lines: dict[str, list[Values]] = {table: [] for table in COLUMNS}
        for number in numbers:
            for table, values in _entry(number, count, key, chance):
                lines[table].append(values)
        db.execute("BEGIN")
        for table, columns in COLUMNS.items():
            places = ", ".join("?" * len(columns))
            db.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", lines[table]
            )
        db.execute("COMMIT")
    db.close()
    return time.monotonic() - began


def _entry(
    number: int, count: int, key: bytes, chance: random.Random
) -> Iterator[tuple[str, Values]]:
    """What the rows of one call would have made."""
    began_ms = NOW_MS - SPAN_MS + number * SPAN_MS // count
    call = call_id(began_ms, number.to_bytes(8))
    policy = f"policy{chance.randrange(8)}"
    queue = f"queue{chance.randrange(20)}"
    (outcome,) = chance.choices(OUTCOMES, [one[0] for one in OUTCOMES])
    _, decision, reason, consent, level = outcome
    purposes = (
        ("SERVICE&QUALITY", "CONTRACT")[policy == "policy7"] if decision == "ALLOWED" else None
    )
    lasted_ms = min(int(chance.expovariate(1 / 180_000)) + 5_000, 3 * 3_600_000)
    at, ended = timestamp(began_ms), timestamp(began_ms + lasted_ms)
    version = 1 + 3 * number // count
    notice = f"standard/{version}/{'ja' if chance.random() < 0.9 else 'en'}"
    yield "calls", (
        call, "pbx1", f"{began_ms // 1_000}.1", policy, queue, "caller", at, notice,
        decision, reason, purposes, consent, at, ended, lasted_ms,
    )  # fmt: skip
    if level is not None:
        yield "recordings", (
            recording_id(call, 1), call, "pbx1", level, ended, "ab" * 32,
            max(0, lasted_ms - 12_000), policy, "SERVICE=1 year",
        )  # fmt: skip
    party = party_id(call, 1)
    yield "parties", (party, "caller", call)
    caller = REGULAR if number % 20_000 == 7 else f"090{chance.randrange(10**8):08}"
    did = MOST_CALLED if number % 2 else ANOTHER_DID
    for field, value in (("number", caller), ("dialled", did)):
        yield "party_digests", (search_digest(key, field, value), party, field)
    agent = party_id(call, 2)
    yield "parties", (agent, "agent", call)
    endpoint = f"PJSIP/agent{chance.randrange(AGENTS)}"
    yield "party_digests", (search_digest(key, "endpoint", endpoint), agent, "endpoint")


SEARCHES: dict[str, CallSearch] = {
    "the newest": CallSearch(),
    "of one day": CallSearch(since_ms=NOW_MS - 500 * DAY_MS, until_ms=NOW_MS - 499 * DAY_MS),
    "of a number (six notations)": CallSearch(
        number=(REGULAR, "819011112222", "9011112222", "00819011112222", "0108190", "0118190")
    ),
    "of a number that never called": CallSearch(number=("0312349999",)),
    "to a DID that half of all dialled": CallSearch(dialled=(MOST_CALLED,)),
    "the same, of one queue, refused": CallSearch(
        dialled=(MOST_CALLED,), queue="queue3", decision="REFUSED"
    ),
    "of an agent": CallSearch(agent=(AGENT,)),
    "of an agent, consent refused, three years ago": CallSearch(
        agent=(AGENT,), consent="refused", until_ms=NOW_MS - 2 * 365 * DAY_MS
    ),
    "of a queue": CallSearch(queue="queue3"),
    "of a policy and a queue, one month": CallSearch(
        policy="policy1", queue="queue3", since_ms=NOW_MS - 400 * DAY_MS,
        until_ms=NOW_MS - 370 * DAY_MS,
    ),
    "of a purpose": CallSearch(purpose="CONTRACT"),
    "by reason": CallSearch(reason="NOTICE_FAILED"),
    "whose consent was withdrawn": CallSearch(consent="withdrawn"),
    "of a notice's version": CallSearch(notice="standard/1"),
    "of a notice in a version that nobody heard": CallSearch(notice="standard/9"),
    "a common reason with a purpose that it never has": CallSearch(
        reason="NOTICE_FAILED", purpose="CONTRACT"
    ),
    "whose recording is missing": CallSearch(level="missing"),
    "the same, of a queue": CallSearch(level="missing", queue="queue3"),
    "longer than 20 minutes": CallSearch(longer_ms=20 * 60_000),
    "the same, of a queue and a policy": CallSearch(
        longer_ms=20 * 60_000, queue="queue3", policy="policy1"
    ),
    "recorded for less than 5 s": CallSearch(level="sealed", recorded_shorter_ms=5_000),
    "recorded for two hours (nobody)": CallSearch(recorded_longer_ms=3_600_000 * 2),
}  # fmt: skip
COUNTS = (
    "the newest", "of a queue", "by reason", "of an agent", "to a DID that half of all dialled",
)  # fmt: skip


def measure(store: Path, count: int) -> dict[str, dict[str, Any]]:
    results: dict[str, dict[str, Any]] = {}
    middle = call_id(NOW_MS - SPAN_MS // 2, bytes(8))
    for name, search in SEARCHES.items():
        results[name] = _timed(store, lambda finder, search=search: _page(finder, search))
    results["past calls of the number on the line"] = _timed(
        store, lambda _: len(past_calls(store, REGULAR, "JP", 365).calls)
    )
    common = SEARCHES["of a queue"]
    results["of a queue, a page from the middle"] = _timed(
        store, lambda finder: _page(finder, common, middle)
    )
    for name in COUNTS:
        counted = SEARCHES[name]
        results[f"count: {name}"] = _timed(
            store, lambda finder, counted=counted: finder.count(counted)
        )
    return results


def _page(finder: CallFinder, search: CallSearch, before: CallId | None = None) -> int:
    return len(finder.page(search, PAGE, before).calls)


def _timed(store: Path, work: Callable[[CallFinder], int]) -> dict[str, Any]:
    clock, processor, found = [], [], 0
    for _ in range(REPEATS):
        began, cpu_began = time.perf_counter(), time.process_time()
        with StoreReader(store) as reader:
            found = work(CallFinder(reader))
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - cpu_began)
    ms, cpu_ms = (round(statistics.median(times) * 1_000, 1) for times in (clock, processor))
    return {"ms": ms, "first_ms": round(clock[0] * 1_000, 1), "cpu_ms": cpu_ms, "found": found}


def main(options: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks search")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, help="a store of an earlier run, or where to make it")
    parser.add_argument("--keep", action="store_true")
    chosen = parser.parse_args(options)
    made = chosen.store is None
    home = Path(tempfile.mkdtemp(prefix="compliance-search-")) if made else chosen.store
    store = home / "store" if made else home
    try:
        if not store.exists():
            took_s = make(store, chosen.calls)
            print(f"made {chosen.calls:,} calls in {took_s:.0f} s", flush=True)
        size = sum(path.stat().st_size for path in store.iterdir() if path.is_file())
        print(f"the store has {size / 1e9:.2f} GB")
        for name, result in measure(store, chosen.calls).items():
            print(f"{name}: {json.dumps(result)}", flush=True)
    finally:
        if made and not chosen.keep:
            shutil.rmtree(home)
