"""Finding what could have been reached, and what would follow from it; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from asterisk_compliance.app.incidents.register import Known
from asterisk_compliance.app.incidents.rows import list_digest, truth, words
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.incidents.exposure import Assessment, Window, assess
from asterisk_compliance.domain.incidents.notification_duties import Category
from asterisk_compliance.domain.incidents.state import Assessed, Incident, IncidentPlace
from asterisk_compliance.shipped.presets import shipped_leak_rules
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries import incidents as leaks


def reached(
    settings: Settings, window: Window, places: Iterable[IncidentPlace], now_ms: int | None = None
) -> Assessment:
    """What could have been reached, by the disk and then the log; changes nothing.

    Raises:
        StoreError: one of them cannot be read.
    """
    at_ms = unix_ms() if now_ms is None else now_ms
    spools = [asterisk.spool_path for asterisk in settings.asterisk]
    seen = leaks.look(at_ms, settings.vault.recordings, spools)
    with StoreReader(settings.audit.store) as reader:
        size = reader.head().size
        lives = leaks.lives(reader, size)
        known_by = leaks.known_by(reader, lives, settings.rules.home)
        return assess(lives, seen, window, places, known_by, size)


def supposed(one: Incident, found: Assessment, arguments: Mapping[str, str], now_ms: int) -> Known:
    """An incident as it would be if this assessment were written down.

    Args:
        one: As it is.
        found: What was found.
        arguments: ``categories`` and ``key_affected``, as the verb takes them.
        now_ms: Unix milliseconds.

    Raises:
        BadIncident: there is no such word.
    """
    assessed = Assessed(
        -1,
        now_ms,
        found.window.since_ms,
        found.window.until_ms,
        found.size,
        found.places,
        found.counts(),
        found.recipients,
        found.all_sealed,
        list_digest(found),
    )
    would_be = replace(
        one,
        assessed=assessed,
        categories=frozenset(words(Category, arguments, "categories")) or one.categories,
        key_affected=truth(arguments, "key_affected", otherwise=one.key_affected),
    )
    return Known(would_be, would_be.duties(shipped_leak_rules()))
