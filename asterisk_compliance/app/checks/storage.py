"""Findings about the directories in which recordings and rows are kept, as they are now."""

from __future__ import annotations

from collections.abc import Iterator

from asterisk_compliance.app.checks.finding import (
    OperatorFinding,
    OperatorFindingId,
    OperatorSeverity,
)
from asterisk_compliance.app.recordings.storage_monitor import (
    PlaceName,
    PlaceProblem,
    StoragePlace,
    places_of,
)
from asterisk_compliance.config.settings import Settings

_SETTING = {PlaceName.VAULT: "vault.recordings", PlaceName.STORE: "audit.store"}


def storage_findings(settings: Settings) -> list[OperatorFinding]:
    """What keeps a service from recording, for the user who asks.

    The service makes its vault and its store itself, so these may be missing yet.
    """
    number = {asterisk.node: at for at, asterisk in enumerate(settings.asterisk, 1)}
    found: list[OperatorFinding] = []
    for place in places_of(settings):
        address = _SETTING.get(place.name) or f"asterisk[{number[place.node]}].spool"
        if place.name is PlaceName.SPOOL or place.directory.exists():
            found += _of(place, address)
    return found


def _of(place: StoragePlace, address: str) -> Iterator[OperatorFinding]:
    match place.look()[0]:
        case None:
            pass
        case PlaceProblem.LOW:
            what = "less is free than the limits ask for: no recording is begun"
            todo = f"make room, or lower limits.{place.name}_free_mib"
            yield OperatorFinding(
                OperatorFindingId.DISK_LOW, OperatorSeverity.ERROR, address, what, todo
            )
        case _:
            what = "is not there, or this user cannot write to it: no recording is begun"
            todo = "mend its owner and its mode: docs/wiring.md; run check as the service's user"
            yield OperatorFinding(
                OperatorFindingId.STORAGE_NOT_WRITABLE, OperatorSeverity.ERROR, address, what, todo
            )
