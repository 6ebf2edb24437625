"""Whether copies could be lent: the directory in memory, looked at and not touched."""

from __future__ import annotations

from collections.abc import Iterator

from asterisk_compliance.app.access.hearing_copies import file_system
from asterisk_compliance.app.checks.finding import (
    OperatorFinding,
    OperatorFindingId,
    OperatorSeverity,
)
from asterisk_compliance.config.settings import Settings


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
    yield OperatorFinding(
        OperatorFindingId.HEARING_DIRECTORY, OperatorSeverity.WARNING, address, what, todo
    )
