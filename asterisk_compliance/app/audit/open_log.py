"""Opens the audit log as the service owns it: rows, JSON Lines and checkpoints."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from asterisk_compliance.app.audit.checkpointing import Checkpointing
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.storage.feeds.jsonl import JsonLines
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.migration import MigrationProgress, no_progress


@contextlib.asynccontextmanager
async def owned_log(
    settings: Settings, metrics: Metrics, told: MigrationProgress = no_progress
) -> AsyncIterator[tuple[MeteredLog, Checkpointing]]:
    """Open it all, and close it in the order that loses no row and leaves none unsigned.

    ``told`` is given a line again and again while an older store is brought up to date.

    Raises:
        StoreError: the store, or its key, cannot be used; or the log is not the one that was
            signed.
    """
    audit = await AuditLogStore.open(settings.audit.store, told=told)
    lines = JsonLines(
        audit,
        settings.audit.store,
        path=settings.audit.jsonl,
        full_bytes=settings.audit.jsonl_mib << 20,
        keep=settings.audit.jsonl_files,
    )
    rows = MeteredLog(audit, metrics)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(lines.run())
        try:
            checkpoints = await Checkpointing.open(settings, audit, rows, metrics)
            checkpoints.begin(tasks)
            try:
                yield rows, checkpoints
            finally:
                await checkpoints.close()
        finally:
            await audit.close()
            lines.close()
