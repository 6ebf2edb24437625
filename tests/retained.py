"""A store and a vault with recordings that were told for how long they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.ids import CallId, RecordingId, call_id, recording_id
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import a_recorded_call
from sample_settings import raw
from sample_settings import settings as sample
from values import replace

LASTED_MS = 73_000
TOLD = ("QUALITY=30 days", "SERVICE=7 days")


def site(home: Path, **tables: Any) -> Settings:
    """Settings whose store, vault and spool are in ``home``; the site is in Tokyo."""
    (home / "spool").mkdir(exist_ok=True)
    asterisk = raw()["asterisk"][0] | {"spool": str(home / "spool")}
    return sample(
        **{
            "asterisk": [asterisk],
            "audit": {"store": str(home / "store")},
            "vault": {"recordings": str(home / "vault"), "encryption": "off"},
            "service": {"socket": str(home / "control.sock")},
            "rules": {"home": "JP", "time_zone": "Asia/Tokyo"},
            **tables,
        }
    )


def at(text: str) -> int:
    return milliseconds(text)


def a_call_at(text: str, number: int = 1) -> CallId:
    return call_id(at(text), number.to_bytes(8))


def rows_of(
    call: CallId,
    began: str,
    told: tuple[str, ...] | None = TOLD,
    *,
    content: bytes = b"RIFF",
    more: Callable[[Draft], Draft] = lambda draft: draft,
) -> list[Draft]:
    """As a recorded call makes them, with what it was told."""
    rows = []
    for row in a_recorded_call(call, at(began)):
        detail = dict(row.detail)
        if row.kind is Kind.RECORDING_REQUESTED and told is not None:
            detail |= {"policy": "inbound", "retention": told}
        if row.kind is Kind.RECORDING_CLOSED:
            detail["sha256"] = hashlib.sha256(content).hexdigest()
        rows.append(more(replace(row, detail=detail)))
    return rows


def keep(
    home: Path,
    began: str,
    told: tuple[str, ...] | None = TOLD,
    *,
    number: int = 1,
    content: bytes = b"RIFF",
    more: Callable[[Draft], Draft] = lambda draft: draft,
    besides: Callable[[CallId], list[Draft]] = lambda _: [],
) -> RecordingId:
    """A recording in the log and in the vault; the call began then, in UTC."""
    call = a_call_at(began, number)
    recording = recording_id(call, 1)
    with StoreWriter.open(home / "store") as store:
        rows = rows_of(call, began, told, content=content, more=more)
        store.commit([*rows, *besides(call)])
    (home / "vault").mkdir(exist_ok=True)
    (home / "vault" / f"{recording}.wav").write_bytes(content)
    return recording
