"""Disposes of one recording again and again, each time killed one line later: ``… DIR``.

Prints how often it was killed, how often the files were left without a row that says that it began,
with one, and how often they were gone without the row that says so. Fails where a file is gone
without a row before it, where a row says that it is gone and it is there, or where the next run
does not bring it to an end.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from asterisk_compliance.app.retention.disposal import DisposalRun
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.ids import RecordingId, spool_name
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from retained import at, keep, site

BEGAN, DUE = "2026-11-24T01:00:00.000Z", "2026-12-24T15:00:00.000Z"
STEPS = ("app/retention/disposal.py", "storage/recordings/disposal.py")
WHERE = ("_dispose", "_remove", "remove")


def main(home: Path) -> None:
    template = home / "template"
    template.mkdir()
    site(template)
    recording = keep(template, BEGAN)
    (template / "vault" / f"{recording}.part").write_bytes(b"half")
    (template / "spool" / spool_name(recording, "rx")).write_bytes(b"spooled")
    seen: Counter[str] = Counter()
    for line in count(1):
        here = home / str(line)
        shutil.copytree(template, here)
        settings = site(here)
        killed = _killed_at(line, settings)
        seen[_state(here, recording)] += 1
        _dispose(settings)
        assert _state(here, recording) == "disposed", f"killed at line {line}"
        _look_at(settings, recording)
        shutil.rmtree(here)
        if not killed:
            print(line - 1, seen["untouched"], seen["begun"], seen["gone"])
            return


def _state(home: Path, recording: RecordingId) -> str:
    left = [*(home / "vault").iterdir(), *(home / "spool").iterdir()]
    kinds = [kind for kind, _ in _rows(home / "store", recording)]
    if "recording_disposed" in kinds:
        assert not left, "a row says that it is gone"
        return "disposed"
    if "disposal_begun" in kinds:
        return "begun" if left else "gone"
    assert len(left) == 3, "something is gone, and no row said that it would be"
    return "untouched"


def _look_at(settings: Settings, recording: RecordingId) -> None:
    rows = dict(_rows(settings.audit.store, recording))
    begun, disposed = rows["disposal_begun"], rows["recording_disposed"]
    assert begun["files"] == disposed["files"]
    assert len(disposed["files"]) == 3
    assert disposed["as_logged"] is True
    kinds = [kind for kind, _ in _rows(settings.audit.store, recording)]
    assert kinds.count("recording_disposed") == 1
    assert kinds.count("disposal_begun") == 1
    assert verify(settings.audit.store).fault_count == 0


def _rows(store: Path, recording: RecordingId) -> list[tuple[str, Any]]:
    with StoreReader(store) as reader:
        rows = [decode(stored.data) for stored in reader.rows()]
    return [(row.kind, row.detail) for row in rows if row.detail.get("recording") == recording]


def _killed_at(line: int, settings: Settings) -> bool:
    child = os.fork()
    if child == 0:
        left = line

        def count_lines(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return count_lines

        def watch(frame: FrameType, _event: str, _: Any) -> Any:
            code = frame.f_code
            return (
                count_lines if code.co_filename.endswith(STEPS) and code.co_name in WHERE else None
            )

        sys.settrace(watch)
        _dispose(settings)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, status
    return status == signal.SIGKILL


def _dispose(settings: Settings) -> None:
    with StoreWriter.open(settings.audit.store) as store:
        run = DisposalRun.begin(
            settings, lambda *rows: store.commit(rows)[-1].seq, "officer", at(DUE)
        )
        run.go_on()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
