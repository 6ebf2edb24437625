"""Writes JSON Lines in small files, again and again, each time killed later: ``… DIR``.

It dies whenever Python is about to open or rename a file of JSON Lines (``sys.addaudithook``).
Prints how often it was killed, and of these between the renaming and the next file. Fails where
the next life does not end up with every row, once, in order, in files that are named by them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from asterisk_compliance.cli.logs import LogLevel, log_to_stderr
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.storage.feeds import jsonl
from asterisk_compliance.storage.feeds.jsonl import JSON_LINES, JsonLines, sealed_files
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import StoreReader
from sample_rows import draft

FULL_BYTES = 600
ROWS = 14


async def life(store: Path, rows: int) -> None:
    log = await AuditLogStore.open(store)
    lines = JsonLines(log, store, full_bytes=FULL_BYTES)
    following = asyncio.create_task(lines.run())
    for _ in range(rows):
        seq = await log.append(draft(Kind.MARK))
        async with asyncio.timeout(10):
            while lines.next_seq <= seq:  # noqa: ASYNC110  a file sends no event
                await asyncio.sleep(0.001)
    await log.close()
    lines.close()
    await following


def main(home: Path) -> None:
    log_to_stderr(LogLevel.ERROR)
    jsonl.GATHER_S = 0.005
    between = 0
    for death in count(1):
        store = home / str(death)
        store.mkdir()
        killed = _killed_at(death, store)
        between += killed and bool(sealed_files(store / JSON_LINES)) and not _is_begun(store)
        asyncio.run(life(store, 3))
        _check(store)
        if not killed:
            print(death - 1, between)
            return


def _killed_at(death: int, store: Path) -> bool:
    child = os.fork()
    if child == 0:
        passed = count(1)

        def pass_by(event: str, arguments: tuple[object, ...]) -> None:
            named = str(arguments[0]) if arguments else ""
            ours = event in {"open", "os.rename"} and named.startswith(str(store / JSON_LINES))
            if ours and next(passed) == death:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(pass_by)
        asyncio.run(life(store, ROWS))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, status
    return status == signal.SIGKILL


def _is_begun(store: Path) -> bool:
    return (store / JSON_LINES).exists() and (store / JSON_LINES).stat().st_size > 0


def _check(store: Path) -> None:
    files = sealed_files(store / JSON_LINES)
    with StoreReader(store) as reader:
        stored = [row.data for row in reader.rows()]
    written = b"".join(one.path.read_bytes() for one in files) + (store / JSON_LINES).read_bytes()
    assert written.splitlines() == stored
    for one in files:
        seqs = [decode(line).seq for line in one.path.read_bytes().splitlines()]
        assert (seqs[0], seqs[-1]) == (one.first, one.last)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
