"""A store with recordings that are sealed, not encrypted, and removed; and its service."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from app.recovered_site import LOUD
from app.serving import Serving, write_config
from asterisk_compliance.age import new_identity
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import (
    CallId,
    NodeName,
    RecordingId,
    call_id,
    recording_id,
    spool_name,
)
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.assembly import measure_and_join, wav_header
from asterisk_compliance.storage.recordings.vault import open_vault, vault_path

IDENTITY, RECIPIENT = new_identity()
BEGAN_MS = 1_700_000_000_000
WAV = wav_header(len(LOUD) // 2, 2)
TOLD = ("SERVICE", "QUALITY")
WHY = ("--purpose", "QUALITY", "--reason", "REVIEW")


class Site:
    """A store with one sealed recording, one that was not encrypted, and one that was removed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = write_config(home, vault=f'recipients = ["{RECIPIENT}"]')
        self.store, self.vault = home / "store", home / "recordings"
        open_vault(self.vault)
        self.key = home / "officer.key"
        self.key.write_text(IDENTITY + "\n")
        with StoreWriter.open(self.store) as store:
            self.sealed, self.plain, self.gone = (
                self._recorded(store, number, TOLD, sealed=number != 2) for number in (1, 2, 3)
            )
            call = CallId("c-" + self.gone[2:30])
            removed = {"recording": self.gone}
            store.commit([_row(Kind.RECORDING_REMOVED, call, removed)])
        vault_path(self.vault, self.gone, sealed=True).unlink()

    def configured(self, tables: str) -> None:
        """With these tables as well."""
        write_config(self.home, vault=f'recipients = ["{RECIPIENT}"]', rules=tables)

    def recorded(self, number: int, told: tuple[str, ...]) -> RecordingId:
        """One more, sealed, of a caller who was told that."""
        with StoreWriter.open(self.store) as store:
            return self._recorded(store, number, told, sealed=True)

    def tell(self, call: str, *facts: tuple[Kind, dict[str, Any]]) -> int:
        """Write rows about a call; returns the number of the last."""
        with StoreWriter.open(self.store) as store:
            rows = [_row(kind, CallId(call), detail) for kind, detail in facts]
            return store.commit(rows)[-1].seq

    def _recorded(
        self, store: StoreWriter, number: int, told: tuple[str, ...], *, sealed: bool
    ) -> RecordingId:
        call = call_id(BEGAN_MS + number, bytes(8))
        recording = recording_id(call, 1)
        spool = self.home / "spool"
        for direction in ("rx", "tx"):
            data = wav_header(len(LOUD) // 2, 1) + LOUD
            (spool / spool_name(recording, direction)).write_bytes(data)
        to = (RECIPIENT,) if sealed else ()
        measured = measure_and_join(spool, recording, self.vault, Expected(None), to)
        closed = {"recording": recording, "sha256": measured.joined_sha256, "length_ms": 1_000}
        drafts = [
            _row(Kind.CALL_ARRIVED, call, {"channel": f"1700000000.{number}"}),
            _row(Kind.NOTICE_COMPLETED, call, {"purposes": told}),
            _row(Kind.RECORDING_REQUESTED, call, {"recording": recording}),
            _row(Kind.RECORDING_CLOSED, call, {**closed, "whole": True}),
        ]
        if measured.sealed is not None:
            of = {"sha256": measured.sealed.sha256, "bytes": measured.sealed.size_bytes}
            drafts.append(_row(Kind.RECORDING_SEALED, call, {"recording": recording, **of}))
        store.commit(drafts)
        return recording

    def run(self, *words: str, **options: Any) -> Result:
        return CliRunner().invoke(app, ["recordings", *words, "-c", str(self.config)], **options)

    def release(self, recording: str, out: Path, *more: str) -> Result:
        return self.run("release", recording, *WHY, "--out", str(out), *more)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        with StoreReader(self.store) as reader:
            rows = [json.loads(row.data) for row in reader.rows()]
        return [row for row in rows if row["kind"] == kind]

    def details(self, kind: str) -> list[dict[str, Any]]:
        """Without the commitment to who did it."""
        who = {"commit.user", "party", "role"}
        return [
            {key: value for key, value in row["detail"].items() if key not in who}
            for row in self.rows(kind)
        ]


def _row(kind: Kind, call: CallId, detail: dict[str, Any]) -> Draft:
    return Draft(kind, BEGAN_MS, NodeName("pbx1"), call, detail=detail)


@contextlib.asynccontextmanager
async def served(site: Site) -> AsyncIterator[None]:
    async with Serving(site.config).running():
        async with asyncio.timeout(10):
            while not (site.home / "run/control.sock").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield
