"""Planning disposals, and searching, in a store of a million generated calls.

    python -m benchmarks retention [--calls 1000000] [--store DIR] [--keep]

The store has the tables that plans and searches read, filled as the rows of recorded calls would
fill them, and no rows. Three years of calls and two days, in four groups of what was told, each
recording kept; of each caller the number. Times are medians of five: by the clock, and of the
processor. Memory is what it needs at most beyond what the process had.

For what becomes of persons a third of the recordings counts as gone for a while.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias, cast
from zoneinfo import ZoneInfo

from asterisk_compliance.app.retention.person_expiry import due_persons
from asterisk_compliance.app.retention.plan import plan
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import search_digest, timestamp
from asterisk_compliance.domain.periods import read_period
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.retention.schedule import Today
from asterisk_compliance.ids import call_id, party_id, recording_id
from asterisk_compliance.storage.log import schema
from asterisk_compliance.storage.log.personal_data import load_search_key
from asterisk_compliance.storage.log.reader import CallQuery, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter

Values: TypeAlias = "tuple[str | int | bytes, ...]"

NOW_MS = 1_795_507_200_000  # 2026-11-24T08:00:00Z
SPAN_MS = 1_097 * 86_400_000
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("inbound", ("QUALITY=3 years", "SERVICE=1 year")),
    ("orders", ("CONTRACT=10 years", "max=3653 days")),
    ("outbound", ("QUALITY=3 years", "notice=3 years")),
    ("support", ("SERVICE", "max=1096 days")),
)
COLUMNS = {
    "calls": ("call", "node", "channel", "policy", "queue", "arrived_at", "decision", "reason",
              "purposes", "decided_at", "ended_at"),
    "recordings": ("recording", "call", "node", "level", "level_at", "sha256", "length_ms",
                   "policy", "retention"),
    "parties": ("party", "role", "call"),
    "party_digests": ("digest", "party", "field"),
    "party_values": ("seq", "field", "party", "salt", "value"),
}  # fmt: skip
BATCH = 10_000
REPEATS = 5


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
        entries = [_entry(number, count, key, chance) for number in numbers]
        db.execute("BEGIN")
        for table, columns in COLUMNS.items():
            places = ", ".join("?" * len(columns))
            db.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
                [entry[table] for entry in entries],
            )
        db.execute("COMMIT")
    db.close()
    return time.monotonic() - began


def _entry(number: int, count: int, key: bytes, chance: random.Random) -> dict[str, Values]:
    """One recorded call, as its rows would have made it."""
    began_ms = NOW_MS - SPAN_MS + number * SPAN_MS // count
    call = call_id(began_ms, number.to_bytes(8))
    policy, told = chance.choice(GROUPS)
    purposes = "&".join(text.partition("=")[0] for text in told if text[0].isupper())
    recording, party = recording_id(call, 1), party_id(call, 1)
    at, ended = timestamp(began_ms), timestamp(began_ms + 70_000)
    caller = f"813{chance.randrange(10**8):08}"
    digest = search_digest(key, "number", caller)
    decided = ("ALLOWED", "NOTICE_COMPLETED", purposes, at)
    return {
        "calls": (call, "pbx1", f"{began_ms // 1_000}.1", policy, "", at, *decided, ended),
        "recordings": (
            recording, call, "pbx1", "closed", ended, "ab" * 32, 60_000, policy, "&".join(told)
        ),
        "parties": (party, "caller", call),
        "party_digests": (digest, party, "number"),
        "party_values": (number * 11, "number", party, chance.randbytes(16), caller),
    }  # fmt: skip


def measure(store: Path, count: int) -> dict[str, Any]:
    today = Today(ZoneInfo("Asia/Tokyo"))
    shorter = Today(today.zone, {PurposeCode("QUALITY"): read_period("2 years")})
    day_ms = 86_400_000
    found = {
        "nothing due": NOW_MS - day_ms,
        "one day due": NOW_MS,
        "one month due": NOW_MS + 30 * day_ms,
    }
    results: dict[str, Any] = {}
    for name, at_ms in found.items():
        results[f"plan, {name}"] = _timed(lambda at_ms=at_ms: plan(store, today, at_ms))
    results["plan, a year of one purpose due"] = _timed(lambda: plan(store, shorter, NOW_MS))
    with StoreReader(store) as reader:
        middle = NOW_MS - SPAN_MS // 2
        since, until = timestamp(middle), timestamp(middle + day_ms)
        one = call_id(NOW_MS - SPAN_MS + 7 * SPAN_MS // count, (7).to_bytes(8))
        searches: dict[str, Callable[[], Any]] = {
            "search, one call": lambda: reader.calls(CallQuery(call=one)),
            "search, one day": lambda: reader.calls(CallQuery(since=since, until=until)),
            "search, newest hundred": lambda: reader.calls(CallQuery(limit=100)),
            "search, newest hundred of a purpose": lambda: reader.calls(
                CallQuery(purpose="CONTRACT", limit=100)
            ),
            "search, a number": lambda: reader.parties_by("number", "81312345678"),
        }
        for name, search in searches.items():
            results[name] = _timed(search)
    return results


def measure_persons(store: Path) -> dict[str, Any]:
    """Whose time is over: while everything is kept, on the first night, and on any other."""
    period, tokyo = read_period("1 year"), ZoneInfo("Asia/Tokyo")
    settings = SimpleNamespace(
        retention=SimpleNamespace(erase_persons=period),
        requests=SimpleNamespace(keep_requesters=None),
        rules=SimpleNamespace(time_zone=tokyo),
    )
    day_ms = 86_400_000
    third, yesterday = NOW_MS - 2 * SPAN_MS // 3, NOW_MS - 2 * SPAN_MS // 3 - day_ms

    def due() -> list[Any]:
        with StoreReader(store) as reader:
            return list(due_persons(reader, cast("Settings", settings), NOW_MS))

    gone = "UPDATE recordings SET level = 'disposed' WHERE call < ?"
    erased = "UPDATE parties SET erased_at = '2026-11-23T15:10:00.000Z' WHERE party < ?"
    results = {"persons, everything is kept": _timed(due)}
    with closing(schema.open_for_writing(store)) as db:
        db.execute(gone, (f"c-{third:012x}",))
        results["persons, a third on the first night"] = _timed(due)
        db.execute(erased, (f"y-{yesterday:012x}",))
        results["persons, a day is due"] = _timed(due)
        db.execute("UPDATE recordings SET level = 'closed'")
        db.execute("UPDATE parties SET erased_at = NULL")
    return results


def _timed(work: Callable[[], Any]) -> dict[str, Any]:
    clock, processor, result = [], [], None
    memory = 0
    for _ in range(REPEATS):
        result = None
        before = _reset_peak_kib()
        began, cpu_began = time.perf_counter(), time.process_time()
        result = work()
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - cpu_began)
        memory = max(memory, _status_kib("VmHWM") - before)
    sizes = result.counts() if hasattr(result, "counts") else len(result)
    ms, cpu_ms = (round(statistics.median(times) * 1_000, 2) for times in (clock, processor))
    return {"ms": ms, "cpu_ms": cpu_ms, "found": sizes, "mib": round(memory / 1_024)}


def _reset_peak_kib() -> int:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # proc_pid_clear_refs(5): resets VmHWM
    return _status_kib("VmRSS")


def _status_kib(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    (line,) = [one for one in status.splitlines() if one.startswith(f"{field}:")]
    return int(line.split()[1])


def main(options: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks retention")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, help="a store of an earlier run, or where to make it")
    parser.add_argument("--keep", action="store_true")
    chosen = parser.parse_args(options)
    home = Path(tempfile.mkdtemp(prefix="compliance-retention-"))
    store = chosen.store or home / "store"
    try:
        if not store.exists():
            took_s = make(store, chosen.calls)
            print(f"made {chosen.calls:,} calls in {took_s:.0f} s", flush=True)
        size = sum(path.stat().st_size for path in store.iterdir() if path.is_file())
        print(f"the store has {size / 1e9:.2f} GB")
        for name, result in {**measure(store, chosen.calls), **measure_persons(store)}.items():
            found = json.dumps(result["found"])
            took = f"{result['ms']} ms, of the processor {result['cpu_ms']} ms"
            print(f"{name}: {took}, {result['mib']} MiB: {found}")
    finally:
        if not chosen.keep and chosen.store is None:
            shutil.rmtree(home)
