"""What the log is told of a configuration before the first call of it: rules, words, the page."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import structlog

from asterisk_compliance.age import fingerprint
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.checks.configuration import changes_ahead
from asterisk_compliance.app.checks.duties import leak_rules_ahead
from asterisk_compliance.app.disclosure.page import page_of
from asterisk_compliance.app.disclosure.page_files import as_json
from asterisk_compliance.app.policy.configuration import Configuration
from asterisk_compliance.app.policy.policies import digest_of
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.content_store import ContentStore

AHEAD_DAYS = 90
"""So long before a rule begins or ends, the log says so at start."""

log = structlog.get_logger()


async def introduce(rows: MeteredLog, new: Configuration, *first: Draft) -> None:
    """Say in the log by which rules and words calls are dealt with, and what was to be published.

    Words, sounds, promises and the page go into the content store, under the digests in the rows.

    Args:
        rows: Of the service.
        new: What applies from here on.
        first: Rows that come before.
    """
    content = ContentStore(new.settings.audit.store)
    page = as_json(page_of(new))
    published = new.settings.controller.published
    drafts = [
        *first,
        _draft(
            Kind.CONFIG_LOADED,
            digest=new.digest,
            encryption=new.settings.vault.encryption,
            page_digest=sha256(page).hexdigest(),
            policies=tuple(
                f"{policy.name}:{policy.digest}"
                for policies in new.policies.values()
                for policy in policies.by_name.values()
            ),
            promises=tuple(promise.digest for promise in new.promises),
            published=published.isoformat() if published else "",
            recipients=tuple(map(fingerprint, new.settings.vault.recipients)),
            rules=digest_of(new.settings.every_rule),
        ),
    ]
    await asyncio.to_thread(content.put, page)
    for promise in new.promises:
        await asyncio.to_thread(content.put, promise.encode())
    for policies in new.policies.values():
        for audio in policies.said:
            await asyncio.to_thread(content.put, audio)
        for entry in policies.registered:
            await asyncio.to_thread(content.put, entry.wording.text.encode())
            await asyncio.to_thread(content.put, entry.audio)
            drafts.append(
                _draft(
                    Kind.NOTICE_REGISTERED,
                    audio_digest=entry.wording.audio_digest,
                    length_ms=entry.wording.length_ms,
                    notice=entry.notice.label(entry.wording.language),
                    purposes=entry.notice.purposes,
                    text_digest=entry.wording.text_digest,
                )
            )
    await rows.append(*drafts)
    for change in changes_ahead(new.settings.every_rule, datetime.now(UTC), AHEAD_DAYS):
        word = "begins" if change.begins else "ends"
        log.warning("rule_changes", rule=change.rule, on=str(change.on), what=word)
    for rule in leak_rules_ahead(new.settings, unix_ms(), AHEAD_DAYS):
        log.warning("rule_changes", rule=rule.id, on=str(rule.valid_from), what="begins")


def _draft(kind: Kind, **detail: Any) -> Draft:
    return Draft(kind, unix_ms(), NodeName(SERVICE_NODE), detail=detail)
