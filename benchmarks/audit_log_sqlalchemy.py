"""The same transactions through sqlite3 and through SQLAlchemy Core, on this machine's disk.

SQLAlchemy is no dependency of the project: pip install sqlalchemy, then
python benchmarks/audit_log_sqlalchemy.py. What is compared is only what differs: the statements
of one batch (row, projection, persons, head) on the project's own schema and connection settings.
Encoding, hashing and the queue are the same for both and are left out. Results are the median of
five runs, taken in turns.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import StaticPool

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from asterisk_compliance.domain.audit.encoding import encode, place
from asterisk_compliance.domain.audit.merkle import leaf_hash
from asterisk_compliance.domain.audit.projection import ProjectionChange, project
from asterisk_compliance.storage.log import projections, schema
from sample_rows import AT_MS, a_call, a_recorded_call

ROWS = 22_000


class Prepared(NamedTuple):
    seq: int
    text: str
    leaf: bytes
    party: str | None
    values: tuple[tuple[str, bytes, str], ...]
    change: ProjectionChange | None


def prepared(rows: int) -> list[Prepared]:
    result: list[Prepared] = []
    for number in range(rows // 11):
        for draft in a_recorded_call(a_call(number), AT_MS + number):
            salts = {fact: bytes(32) for fact in draft.facts}
            row = place(draft, seq=len(result), log="log-0", nonce=bytes(16), salts=salts)
            data = encode(row)
            values = tuple((fact.field, bytes(32), fact.value) for fact in draft.facts)
            result.append(
                Prepared(row.seq, data.decode(), leaf_hash(data), draft.party, values, project(row))
            )
    return result


def by_sqlite3(db: Any, batches: Sequence[Sequence[Prepared]]) -> None:
    for batch in batches:
        db.execute("BEGIN IMMEDIATE")
        for row in batch:
            db.execute("INSERT INTO rows (seq, row, leaf) VALUES (?, ?, ?)", row[:3])
            if row.values:
                db.execute("INSERT INTO parties (party) VALUES (?)", (row.party,))
            for field, salt, value in row.values:
                db.execute(
                    "INSERT INTO party_values (seq, field, party, salt, value)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (row.seq, field, row.party, salt, value),
                )
            if row.change:
                change = row.change
                projections.apply(db, {(change.table, change.key): dict(change.columns)})
        db.execute("UPDATE tree SET size = ?", (batch[-1].seq + 1,))
        db.execute("COMMIT")


def by_sqlalchemy(db: Any, batches: Sequence[Sequence[Prepared]]) -> None:
    engine = sa.create_engine("sqlite://", creator=lambda: db, poolclass=StaticPool)
    tables = sa.MetaData()
    tables.reflect(engine)
    rows, parties, values = (tables.tables[name] for name in ("rows", "parties", "party_values"))
    tree = tables.tables["tree"]
    with engine.connect() as connection:
        for batch in batches:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for row in batch:
                connection.execute(
                    sa.insert(rows), {"seq": row.seq, "row": row.text, "leaf": row.leaf}
                )
                if row.values:
                    connection.execute(sa.insert(parties), {"party": row.party})
                for field, salt, value in row.values:
                    one = {"seq": row.seq, "field": field, "party": row.party}
                    connection.execute(sa.insert(values), {**one, "salt": salt, "value": value})
                if row.change:
                    key = projections.KEYS[row.change.table]
                    upsert = insert(tables.tables[row.change.table])
                    new = {name: upsert.excluded[name] for name in row.change.columns}
                    connection.execute(
                        upsert.on_conflict_do_update(index_elements=[key], set_=new),
                        {key: row.change.key, **row.change.columns},
                    )
            connection.execute(sa.update(tree), {"size": batch[-1].seq + 1})
            connection.exec_driver_sql("COMMIT")


def rows_per_s(work: Callable[[Any, Any], None], batches: Sequence[Sequence[Prepared]]) -> float:
    with tempfile.TemporaryDirectory() as directory:
        db = schema.open_for_writing(Path(directory))
        db.execute("INSERT INTO tree VALUES (0, 0, x'', x'')")
        begun = time.perf_counter()
        work(db, batches)
        took = time.perf_counter() - begun
        assert db.execute("SELECT count(*) FROM rows").fetchone()[0] == sum(map(len, batches))
        db.close()
    return sum(map(len, batches)) / took


def main(_arguments: list[str] | None = None) -> None:
    rows = prepared(ROWS)
    print("rows in a transaction   sqlite3   SQLAlchemy Core", sa.__version__)
    for size, count in ((1, 2_200), (10, ROWS), (100, ROWS), (1000, ROWS)):
        batches = [rows[start : start + size] for start in range(0, count, size)]
        runs = [
            (rows_per_s(by_sqlite3, batches), rows_per_s(by_sqlalchemy, batches)) for _ in range(5)
        ]
        plain, core = (median(values) for values in zip(*runs, strict=True))
        print(f"{size:21}  {plain:8,.0f}  {core:8,.0f} rows/s", flush=True)


if __name__ == "__main__":
    main()
