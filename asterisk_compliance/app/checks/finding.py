"""What a finding is: its id, its severity, and what the operator can do.

``docs/check.md`` and ``docs/commands.md`` explain each id. Programs may look for an id, so none
is ever renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from asterisk_compliance.domain.dialplan.findings import DialplanFindingId


class OperatorSeverity(StrEnum):
    ERROR = "error"
    """Calls are not dealt with as the configuration says."""
    WARNING = "warning"
    """Somebody has to look at it."""
    NOTE = "note"


class OperatorFindingId(StrEnum):
    """Stable: programs may look for one. ``docs/commands.md`` explains each."""

    RULES_EXPIRED = "RULES_EXPIRED"
    RULE_BEGINS = "RULE_BEGINS"
    RULE_ENDS = "RULE_ENDS"
    RULE_ENDED = "RULE_ENDED"
    RULE_WARNING = "RULE_WARNING"
    PRESET_UNVERIFIED = "PRESET_UNVERIFIED"
    HOME_MISSING = "HOME_MISSING"
    CALL_RECORDS_MISSING = "CALL_RECORDS_MISSING"
    SEGMENTS_OFF = "SEGMENTS_OFF"
    AMI_MISSING = "AMI_MISSING"
    STAFF_MISSING = "STAFF_MISSING"
    DISK_LOW = "DISK_LOW"
    STORAGE_NOT_WRITABLE = "STORAGE_NOT_WRITABLE"
    ENCRYPTION_OFF = "ENCRYPTION_OFF"
    ONE_RECIPIENT = "ONE_RECIPIENT"
    RETENTION_MISSING = "RETENTION_MISSING"
    REQUESTS_OVERDUE = "REQUESTS_OVERDUE"
    INCIDENTS_OVERDUE = "INCIDENTS_OVERDUE"
    HEARING_DIRECTORY = "HEARING_DIRECTORY"
    KEY_NOT_THE_PUBLISHED = "KEY_NOT_THE_PUBLISHED"
    KEY_UNUSABLE = "KEY_UNUSABLE"
    KEY_NOT_PUBLISHED = "KEY_NOT_PUBLISHED"
    CHECKPOINTS_STAY_HERE = "CHECKPOINTS_STAY_HERE"
    ROLES_MISSING = "ROLES_MISSING"
    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN"
    ROLE_IDLE = "ROLE_IDLE"
    PAST_CALLS_IDLE = "PAST_CALLS_IDLE"
    NOT_PUBLISHED_YET = "NOT_PUBLISHED_YET"
    PAGE_INCOMPLETE = "PAGE_INCOMPLETE"
    PAGE_CHANGED = "PAGE_CHANGED"


class SiteFindingId(StrEnum):
    # files and settings
    SECRET_READABLE = "SECRET_READABLE"  # noqa: S105 - an id
    SECRET_UNUSABLE = "SECRET_UNUSABLE"  # noqa: S105 - an id
    CONFIG_WRITABLE = "CONFIG_WRITABLE"
    PRIVATE_KEY_HERE = "PRIVATE_KEY_HERE"
    STORAGE_OPEN = "STORAGE_OPEN"
    SPOOL_STICKY = "SPOOL_STICKY"
    SPOOL_NO_SETGID = "SPOOL_NO_SETGID"
    SPOOL_REMOTE = "SPOOL_REMOTE"
    PROMPTS_WRITABLE = "PROMPTS_WRITABLE"
    SERVICE_MAY_NOT = "SERVICE_MAY_NOT"
    NOT_ON_LOOPBACK = "NOT_ON_LOOPBACK"
    RETENTION_CONFLICT = "RETENTION_CONFLICT"
    DISK_FOR_LOAD = "DISK_FOR_LOAD"
    DISK_FILLING = "DISK_FILLING"
    MEMORY_FOR_LOAD = "MEMORY_FOR_LOAD"
    RECORDS_NOT_YET = "RECORDS_NOT_YET"
    RECORDS_UNREADABLE = "RECORDS_UNREADABLE"
    RECORDS_STALE = "RECORDS_STALE"
    # Asterisk, as it answers now
    ARI_UNREACHABLE = "ARI_UNREACHABLE"
    ARI_REFUSES = "ARI_REFUSES"
    ARI_READ_ONLY = "ARI_READ_ONLY"
    ASTERISK_TOO_OLD = "ASTERISK_TOO_OLD"
    ASTERISK_OLDER = "ASTERISK_OLDER"
    MODULE_MISSING = "MODULE_MISSING"
    CALL_RECORDS_OFF = "CALL_RECORDS_OFF"
    SERVICE_DOWN = "SERVICE_DOWN"
    SERVICE_UNWELL = "SERVICE_UNWELL"
    APPLICATION_MISSING = "APPLICATION_MISSING"
    AMI_UNREACHABLE = "AMI_UNREACHABLE"
    AMI_REFUSES = "AMI_REFUSES"
    AMI_RIGHTS_MISSING = "AMI_RIGHTS_MISSING"
    AMI_RIGHTS_TOO_MANY = "AMI_RIGHTS_TOO_MANY"
    AMI_UNFILTERED = "AMI_UNFILTERED"
    ROUTINES_NOT_LOADED = "ROUTINES_NOT_LOADED"
    ROUTINES_OUTDATED = "ROUTINES_OUTDATED"
    # calls that are placed
    SELF_TEST_IMPOSSIBLE = "SELF_TEST_IMPOSSIBLE"
    SELF_TEST_FAILED = "SELF_TEST_FAILED"
    PROMPT_NOT_PLAYABLE = "PROMPT_NOT_PLAYABLE"
    AMI_EVENTS_MISSING = "AMI_EVENTS_MISSING"
    SPOOL_ELSEWHERE = "SPOOL_ELSEWHERE"
    SPOOL_NOT_DELETABLE = "SPOOL_NOT_DELETABLE"
    CANARY_FAILED = "CANARY_FAILED"
    TRANSFER_LOSES_AUDIO = "TRANSFER_LOSES_AUDIO"
    TRANSFER_HEALED = "TRANSFER_HEALED"
    SEGMENTS_NOT_WIRED = "SEGMENTS_NOT_WIRED"


@dataclass(frozen=True, slots=True)
class OperatorFinding:
    """One thing to know.

    Attributes:
        address: Where in the configuration, or which file.
        what: What was found, one sentence.
        todo: What the operator can do, one sentence.
    """

    id: OperatorFindingId | DialplanFindingId | SiteFindingId
    severity: OperatorSeverity
    address: str
    what: str
    todo: str


class _About(NamedTuple):
    severity: OperatorSeverity
    todo: str


_ERROR, _WARNING, _NOTE = OperatorSeverity
_ID = SiteFindingId

_SEVERITY: Mapping[OperatorFindingId, OperatorSeverity] = {
    OperatorFindingId.RULES_EXPIRED: _ERROR,
    OperatorFindingId.RULE_BEGINS: _WARNING,
    OperatorFindingId.RULE_ENDS: _WARNING,
    OperatorFindingId.RULE_ENDED: _NOTE,
    OperatorFindingId.RULE_WARNING: _NOTE,
    OperatorFindingId.PRESET_UNVERIFIED: _WARNING,
    OperatorFindingId.HOME_MISSING: _WARNING,
    OperatorFindingId.CALL_RECORDS_MISSING: _ERROR,
    OperatorFindingId.SEGMENTS_OFF: _WARNING,
    OperatorFindingId.AMI_MISSING: _WARNING,
    OperatorFindingId.STAFF_MISSING: _NOTE,
    OperatorFindingId.DISK_LOW: _ERROR,
    OperatorFindingId.STORAGE_NOT_WRITABLE: _ERROR,
    OperatorFindingId.ENCRYPTION_OFF: _WARNING,
    OperatorFindingId.ONE_RECIPIENT: _WARNING,
    OperatorFindingId.RETENTION_MISSING: _WARNING,
    OperatorFindingId.REQUESTS_OVERDUE: _WARNING,
    OperatorFindingId.INCIDENTS_OVERDUE: _WARNING,
    OperatorFindingId.HEARING_DIRECTORY: _WARNING,
    OperatorFindingId.KEY_NOT_THE_PUBLISHED: _ERROR,
    OperatorFindingId.KEY_UNUSABLE: _ERROR,
    OperatorFindingId.KEY_NOT_PUBLISHED: _NOTE,
    OperatorFindingId.CHECKPOINTS_STAY_HERE: _WARNING,
    OperatorFindingId.ROLES_MISSING: _NOTE,
    OperatorFindingId.ACCOUNT_UNKNOWN: _WARNING,
    OperatorFindingId.ROLE_IDLE: _WARNING,
    OperatorFindingId.PAST_CALLS_IDLE: _WARNING,
    OperatorFindingId.NOT_PUBLISHED_YET: _ERROR,
    OperatorFindingId.PAGE_INCOMPLETE: _WARNING,
    OperatorFindingId.PAGE_CHANGED: _WARNING,
}

_ABOUT: Mapping[SiteFindingId, _About] = {
    _ID.SECRET_READABLE: _About(_ERROR, "chgrp it to the service's group, chmod 640, new secret"),
    _ID.SECRET_UNUSABLE: _About(_ERROR, "write it there; run check as root or the service's user"),
    _ID.CONFIG_WRITABLE: _About(_ERROR, "chown it to root, and chmod o-w"),
    _ID.PRIVATE_KEY_HERE: _About(
        _ERROR, "give it to the officer, and shred it here: docs/sealing.md"
    ),
    _ID.STORAGE_OPEN: _About(_ERROR, "chmod o-rwx; vault and store 700: docs/wiring.md"),
    _ID.SPOOL_STICKY: _About(_ERROR, "chmod -t: the service must delete Asterisk's files"),
    _ID.SPOOL_NO_SETGID: _About(_WARNING, "chmod g+s, so that files get the directory's group"),
    _ID.SPOOL_REMOTE: _About(_ERROR, "put the spool on a local disk of the service's host"),
    _ID.PROMPTS_WRITABLE: _About(_WARNING, "chmod o-w: a prompt is what the caller is told"),
    _ID.SERVICE_MAY_NOT: _About(_ERROR, "owner, group and mode as docs/wiring.md has them"),
    _ID.NOT_ON_LOOPBACK: _About(_WARNING, "bindaddr = 127.0.0.1: docs/wiring.md"),
    _ID.RETENTION_CONFLICT: _About(_WARNING, "make the two agree: docs/retention.md"),
    _ID.DISK_FOR_LOAD: _About(_WARNING, "make room, or lower limits.notices_max to your lines"),
    _ID.DISK_FILLING: _About(_WARNING, "make room, or keep recordings for less: docs/retention.md"),
    _ID.MEMORY_FOR_LOAD: _About(_WARNING, "add memory, or lower limits.notices_max to your lines"),
    _ID.RECORDS_NOT_YET: _About(_NOTE, "place a call, and run check again"),
    _ID.RECORDS_UNREADABLE: _About(_ERROR, "is it the right file? Let the service's user read it"),
    _ID.RECORDS_STALE: _About(_WARNING, "is this the file that Asterisk writes? docs/reconcile.md"),
    _ID.ARI_UNREACHABLE: _About(_ERROR, "is Asterisk running? http.conf: enabled, bindaddr, port"),
    _ID.ARI_REFUSES: _About(_ERROR, "compare user and password with ari.conf, reload res_ari"),
    _ID.ARI_READ_ONLY: _About(_ERROR, "ari.conf: read_only = no; then module reload res_ari"),
    _ID.ASTERISK_TOO_OLD: _About(_ERROR, "use Asterisk 16.17, 18.3 or later"),
    _ID.ASTERISK_OLDER: _About(_NOTE, "nothing, unless you want it: 20.14, 21.9 or 22.4 have it"),
    _ID.MODULE_MISSING: _About(_ERROR, "load it, and keep it loaded: modules.conf"),
    _ID.CALL_RECORDS_OFF: _About(_ERROR, "load cdr_csv or cel_custom, and enable it: cdr.conf"),
    _ID.SERVICE_DOWN: _About(_WARNING, "start it: systemctl start asterisk-compliance"),
    _ID.SERVICE_UNWELL: _About(_ERROR, "look the reason up: docs/operating.md#health"),
    _ID.APPLICATION_MISSING: _About(_ERROR, "look into the service's log: why has it no ARI?"),
    _ID.AMI_UNREACHABLE: _About(_ERROR, "is it enabled? manager.conf: enabled, bindaddr, port"),
    _ID.AMI_REFUSES: _About(_ERROR, "compare user, secret, permit and acl with manager.conf"),
    _ID.AMI_RIGHTS_MISSING: _About(_ERROR, "manager.conf: write = call; then manager reload"),
    _ID.AMI_RIGHTS_TOO_MANY: _About(_ERROR, "manager.conf: write = call and no more"),
    _ID.AMI_UNFILTERED: _About(_WARNING, "write the eventfilter lines of docs/wiring.md"),
    _ID.ROUTINES_NOT_LOADED: _About(
        _ERROR, "render the dialplan, include it, and reload: docs/wiring.md"
    ),
    _ID.ROUTINES_OUTDATED: _About(_ERROR, "render the dialplan again, and reload it"),
    _ID.SELF_TEST_IMPOSSIBLE: _About(_WARNING, "mend what is said here, and try again"),
    _ID.SELF_TEST_FAILED: _About(_ERROR, "mend the other errors first; then look into its log"),
    _ID.PROMPT_NOT_PLAYABLE: _About(
        _ERROR, "put the same file there, readable for Asterisk's user"
    ),
    _ID.AMI_EVENTS_MISSING: _About(
        _ERROR, "manager.conf: read = call,user, and the filters of docs/wiring.md"
    ),
    _ID.SPOOL_ELSEWHERE: _About(_ERROR, "let spool and spool_here be the same directory"),
    _ID.SPOOL_NOT_DELETABLE: _About(_ERROR, "let the group write the directory: docs/wiring.md"),
    _ID.CANARY_FAILED: _About(_ERROR, "look the reason up: docs/audit-kinds.md#canary-reasons"),
    _ID.TRANSFER_LOSES_AUDIO: _About(
        _ERROR, "wire compliance-features.conf, and leave segments out: docs/legs.md"
    ),
    _ID.TRANSFER_HEALED: _About(_NOTE, "nothing: the service begins a new segment each time"),
    _ID.SEGMENTS_NOT_WIRED: _About(
        _ERROR, "include compliance-features.conf in features.conf, and reload features"
    ),
}


def found(
    which: SiteFindingId | OperatorFindingId,
    address: str,
    what: str,
    todo: str = "",
    severity: OperatorSeverity | None = None,
) -> OperatorFinding:
    """A finding with the severity of its id.

    Args:
        which: Its id.
        address: Where in the configuration, or which file.
        what: What was found.
        todo: What the operator can do; required for an :class:`OperatorFindingId`.
        severity: Unless it is the one of the id.
    """
    if isinstance(which, SiteFindingId):
        todo = todo or _ABOUT[which].todo
    return OperatorFinding(which, severity or severity_of(which), address, what, todo)


def severity_of(which: SiteFindingId | OperatorFindingId) -> OperatorSeverity:
    return _ABOUT[which].severity if isinstance(which, SiteFindingId) else _SEVERITY[which]
