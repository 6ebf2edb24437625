"""Findings about the directories in which recordings and rows are kept, as they are now."""

from __future__ import annotations

from collections.abc import Iterator

from asterisk_compliance.app.checks.finding import Finding, FindingId, Severity
from asterisk_compliance.app.recordings.storage_monitor import Place, PlaceName, Problem, places_of
from asterisk_compliance.config.settings import Settings

_SETTING = {PlaceName.VAULT: "vault.recordings", PlaceName.STORE: "audit.store"}


def storage_findings(settings: Settings) -> list[Finding]:
    """What keeps a service from recording, for the user who asks.

    The service makes its vault and its store itself, so these may be missing yet.
    """
    number = {asterisk.node: at for at, asterisk in enumerate(settings.asterisk, 1)}
    found: list[Finding] = []
    for place in places_of(settings):
        address = _SETTING.get(place.name) or f"asterisk[{number[place.node]}].spool"
        if place.name is PlaceName.SPOOL or place.directory.exists():
            found += _of(place, address)
    return found


def _of(place: Place, address: str) -> Iterator[Finding]:
    match place.look()[0]:
        case None:
            pass
        case Problem.LOW:
            what = "less is free than the limits ask for: no recording is begun"
            todo = f"make room, or lower limits.{place.name}_free_mib"
            yield Finding(FindingId.DISK_LOW, Severity.ERROR, address, what, todo)
        case _:
            what = "is not there, or this user cannot write to it: no recording is begun"
            todo = "mend its owner and its mode: docs/wiring.md; run check as the service's user"
            yield Finding(FindingId.STORAGE_NOT_WRITABLE, Severity.ERROR, address, what, todo)
