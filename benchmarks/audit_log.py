"""Measures the audit log on this machine's disk: python benchmarks/audit_log.py [--rows N].

Rows are those of recorded calls (eleven rows each, one with two personal values). Every append
that is counted is durable: SQLite in WAL mode with synchronous=FULL, one fsync per transaction.
The head is signed after every thousand rows, as the service does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from itertools import count, islice
from pathlib import Path
from statistics import quantiles

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from asterisk_compliance.domain.audit.checkpoint import Checkpoint, sign_checkpoint
from asterisk_compliance.domain.audit.key_chain import FIRST
from asterisk_compliance.domain.audit.merkle import Frontier, leaf_hash
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.audit.signed_note import SignerKey
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import Head, StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.prover import prove
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import AT_MS, a_call, a_recorded_call, draft

IN_FLIGHT = 2_000
SIGNED_ROWS = 1_001
"""Rows of 91 calls; the service signs after a thousand."""
TEN_MILLION = 10_000_000
KEY = SignerKey("site/pbx1/log", bytes(32))


def sign(head: Head) -> str:
    return sign_checkpoint(Checkpoint(KEY.name, head.size, head.root), KEY)


def drafts(rows: int, first_call: int = 0) -> list[Draft]:
    made = (
        row
        for number in count(first_call)
        for row in a_recorded_call(a_call(number), AT_MS + number * 10)
    )
    return list(islice(made, rows))


def percentiles(seconds: list[float]) -> str:
    cuts = quantiles(seconds, n=100)
    return (
        f"p50 {cuts[49] * 1e3:.2f} ms, p99 {cuts[98] * 1e3:.2f} ms, max {max(seconds) * 1e3:.1f} ms"
    )


async def throughput(store: Path, rows: int) -> str:
    """As fast as it goes, ``IN_FLIGHT`` rows waiting at most."""
    log = await AuditLogStore.open(store)
    batches: list[int] = []
    log.on_commit(lambda stored: batches.append(len(stored)))
    work = drafts(rows)
    cpu, started = time.process_time(), time.perf_counter()
    waiting: list[asyncio.Future[int]] = []
    for row in work:
        waiting.append(log.append(row))
        if len(waiting) >= IN_FLIGHT:
            await waiting.pop(len(waiting) - IN_FLIGHT)
            waiting = [future for future in waiting if not future.done()]
    await asyncio.gather(*waiting)
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    await log.close()
    return (
        f"{rows / took:,.0f} rows/s durable, {len(batches)} transactions,"
        f" {cpu / rows * 1e6:.0f} µs of CPU a row"
    )


async def paced(store: Path, rows_per_s: float, rows: int) -> str:
    """One append after another on a fixed clock, whether or not the last is durable."""
    log = await AuditLogStore.open(store)
    work = drafts(rows)
    took: list[float] = []
    loop = asyncio.get_running_loop()

    async def one(row: Draft) -> None:
        begun = time.perf_counter()
        await log.append(row)
        took.append(time.perf_counter() - begun)

    started = loop.time()
    async with asyncio.TaskGroup() as group:
        for number, row in enumerate(work):
            await asyncio.sleep(max(0, started + number / rows_per_s - loop.time()))
            group.create_task(one(row))
            if number % SIGNED_ROWS == 0:
                signed = log.checkpoint(sign)
    await signed
    await log.close()
    return percentiles(took)


def grown(store: Path, rows: int) -> None:
    with StoreWriter.open(store) as writer:
        named = draft(Kind.SIGNING_KEY_SET, detail={"key": str(KEY.verifier), "cause": FIRST})
        writer.commit([named])
        for first in range(0, rows, SIGNED_ROWS):
            writer.commit(drafts(min(SIGNED_ROWS, rows - first), first // 11))
            writer.checkpoint(sign)


def one_row(writer: StoreWriter) -> str:
    """Transactions of one row each."""
    took = []
    for row in drafts(550, TEN_MILLION):
        begun = time.perf_counter()
        writer.commit([row])
        took.append(time.perf_counter() - begun)
    return percentiles(took)


def tail_cost(store: Path) -> str:
    with StoreWriter.open(store) as writer:
        return one_row(writer)


def deep_cost(store: Path) -> str:
    """In a tree of ten million rows; the frontier says so, the rows below it are not there."""
    tree = Frontier()
    leaf = leaf_hash(b"")
    for _ in range(TEN_MILLION // 256):
        tree.extend([leaf] * 256)
    tree.extend([leaf] * (TEN_MILLION % 256))
    with StoreWriter.open(store) as writer:
        head = (tree.size, tree.to_bytes(), tree.root())
        writer._db.execute("UPDATE tree SET size = ?, frontier = ?, root = ?", head)  # noqa: SLF001
        return one_row(writer)


def signing(store: Path) -> str:
    """One row and a checkpoint after it: what the checkpoint takes."""
    took = []
    with StoreWriter.open(store) as writer:
        for row in drafts(300, TEN_MILLION + 1_000):
            writer.commit([row])
            begun = time.perf_counter()
            writer.checkpoint(sign)
            took.append(time.perf_counter() - begun)
    return percentiles(took)


def opening(store: Path) -> str:
    """Taking the store: the whole tree against the newest checkpoint."""
    begun = time.perf_counter()
    StoreWriter.open(store).close()
    return f"{(time.perf_counter() - begun) * 1e3:.1f} ms"


def proving(store: Path) -> str:
    """Proofs for the rows of one call."""
    with StoreReader(store) as reader:
        begun = time.perf_counter()
        proven = prove(reader, range(100, 111))
        took = time.perf_counter() - begun
    assert len(proven.proofs) == 11
    return f"{took * 1e3:.1f} ms"


def size(store: Path) -> str:
    with StoreReader(store) as reader:
        rows = reader.head().size
        text = sum(len(row.data) + 1 for row in reader.rows())
    stored = (store / DATABASE).stat().st_size
    return f"{stored / rows:.0f} B a row in the store, {text / rows:.0f} B in JSON Lines"


def verified(store: Path, *, projected: bool) -> str:
    begun = time.perf_counter()
    verdict = verify(store, projected=projected)
    took = time.perf_counter() - begun
    assert verdict.intact, verdict.faults
    return f"{verdict.rows:,} rows in {took:.2f} s: {verdict.rows / took:,.0f} rows/s"


def fsync_ms(directory: Path) -> str:
    took = []
    with (directory / "probe").open("wb") as file:
        for _ in range(300):
            file.write(bytes(4096))
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    return percentiles(took)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="for throughput and verify")
    parser.add_argument("--directory", type=Path, default=None, help="on the disk to measure")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=args.directory) as name:
        root = Path(name)
        print("fsync of 4 KiB:            ", fsync_ms(root), flush=True)
        print("append, 50 rows/s:         ", uvloop.run(paced(root / "a", 50, 500)), flush=True)
        print(
            "append, 1,000 rows/s:      ", uvloop.run(paced(root / "b", 1000, 10_000)), flush=True
        )
        print(
            "append, unpaced:           ", uvloop.run(throughput(root / "c", args.rows)), flush=True
        )
        grown(root / "d", args.rows)
        print("size:                      ", size(root / "d"), flush=True)
        print("verify:                    ", verified(root / "d", projected=True), flush=True)
        print("verify, rows and tree only:", verified(root / "d", projected=False), flush=True)
        print("open, against a checkpoint:", opening(root / "d"), flush=True)
        print("prove the rows of one call:", proving(root / "d"), flush=True)
        print("one row, empty log:        ", tail_cost(root / "e"), flush=True)
        print(f"one row, after {args.rows:,}:  ", tail_cost(root / "d"), flush=True)
        print(f"one row, tree of {TEN_MILLION:,}:", deep_cost(root / "f"), flush=True)
        print("sign and keep a checkpoint:", signing(root / "e"), flush=True)


if __name__ == "__main__":
    main()
