"""Findings about the directories for recordings, rows and lent copies, as they are now."""

from __future__ import annotations

from collections.abc import Iterator

from asterisk_compliance.app.access.hearing_copies import file_system
from asterisk_compliance.app.checks.finding import OperatorFinding, OperatorFindingId, found
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
    findings: list[OperatorFinding] = []
    for place in places_of(settings):
        address = _SETTING.get(place.name) or f"asterisk[{number[place.node]}].spool"
        if place.name is PlaceName.SPOOL or place.directory.exists():
            findings += _of(place, address)
    return findings


def _of(place: StoragePlace, address: str) -> Iterator[OperatorFinding]:
    match place.look()[0]:
        case None:
            pass
        case PlaceProblem.LOW:
            what = "less is free than the limits ask for: no recording is begun"
            todo = f"make room, or lower limits.{place.name}_free_mib"
            yield found(OperatorFindingId.DISK_LOW, address, what, todo)
        case _:
            what = "is not there, or this user cannot write to it: no recording is begun"
            todo = "mend its owner and its mode: docs/wiring.md; run check as the service's user"
            yield found(OperatorFindingId.STORAGE_NOT_WRITABLE, address, what, todo)


def hearing_findings(settings: Settings) -> Iterator[OperatorFinding]:
    """What keeps people from hearing their recording, where ``[hearing]`` says that they can."""
    if settings.hearing is None:
        return
    directory = settings.hearing.directory_path
    there = next(path for path in (directory, *directory.parents) if path.exists())
    if file_system(there.stat().st_dev) != "tmpfs":
        what = "copies would not be in memory (tmpfs): nothing is lent"
    elif there != directory:
        what = "it is not there: the service makes it, and Asterisk must be in the service's group"
    else:
        return
    todo = "make it at boot, for Asterisk's group: docs/hearing.md"
    address = "hearing.directory"
    yield found(OperatorFindingId.HEARING_DIRECTORY, address, what, todo)
