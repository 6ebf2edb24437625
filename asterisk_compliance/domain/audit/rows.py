"""What the audit log can say: a closed list of kinds, and the shape of a row before it is stored.

A row is one fact. It names no person: what identifies one (a number, a name, a user of the
operating system) travels beside the row as a :class:`PersonalFact` and enters it only as a
commitment, so that erasing the person leaves every leaf of the tree checkable.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

from asterisk_compliance.ids import CallId, NodeName, PartyId

Detail: TypeAlias = str | int | bool | tuple[str, ...] | None
"""Values of a row's detail. No float: a binary float has no single decimal form."""


class Kind(StrEnum):
    """Kinds of rows. Values go into stored rows: never renamed, never reused.

    ``docs/audit-kinds.md`` says of each what it proves and which details it carries.
    """

    SERVICE_STARTED = "service_started"
    SERVICE_STOPPED = "service_stopped"
    CONFIG_LOADED = "config_loaded"
    CONFIG_REFUSED = "config_refused"
    NOTICE_REGISTERED = "notice_registered"
    ASTERISK_CONNECTED = "asterisk_connected"
    ASTERISK_DISCONNECTED = "asterisk_disconnected"
    EVENT_MALFORMED = "event_malformed"
    STORAGE_FAILED = "storage_failed"
    STORAGE_MENDED = "storage_mended"
    SIGNING_KEY_SET = "signing_key_set"
    SIGNING_KEY_ROTATED = "signing_key_rotated"
    CHECKPOINT_NOT_SHIPPED = "checkpoint_not_shipped"
    CHECKPOINT_SHIPPED = "checkpoint_shipped"
    MARK = "mark"
    CANARY_PASSED = "canary_passed"
    CANARY_FAILED = "canary_failed"

    CALL_ARRIVED = "call_arrived"
    NOTICE_STARTED = "notice_started"
    NOTICE_COMPLETED = "notice_completed"
    NOTICE_INCOMPLETE = "notice_incomplete"
    CONSENT = "consent"
    DECISION = "decision"
    CALL_CONTINUED = "call_continued"
    CALL_REENTERED = "call_reentered"
    CALL_FOLLOWED = "call_followed"
    CALL_RELEASED = "call_released"
    CALL_ENDED = "call_ended"
    ANOMALY = "anomaly"

    RECORDING_REQUESTED = "recording_requested"
    RECORDING_ADOPTED = "recording_adopted"
    RECORDING_STARTED = "recording_started"
    RECORDING_GROWING = "recording_growing"
    RECORDING_STALLED = "recording_stalled"
    RECORDING_EMPTY = "recording_empty"
    RECORDING_MISSING = "recording_missing"
    RECORDING_CLOSED = "recording_closed"
    RECORDING_UNJUDGED = "recording_unjudged"
    RECORDING_SEALED = "recording_sealed"
    SPOOL_REMOVED = "spool_removed"
    RECORDING_REMOVED = "recording_removed"
    RECORDING_RELEASED = "recording_released"
    RECORDING_DRILLED = "recording_drilled"
    EVIDENCE_EXPORTED = "evidence_exported"
    CALL_EXPORTED = "call_exported"
    DISPOSAL_BEGUN = "disposal_begun"
    DISPOSAL_FAILED = "disposal_failed"
    RECORDING_DISPOSED = "recording_disposed"
    CAPTURE_PAUSED = "capture_paused"
    CAPTURE_RESUMED = "capture_resumed"
    CAPTURE_STOPPED = "capture_stopped"
    CAPTURE_ASKED = "capture_asked"
    AUDIO_LOST = "audio_lost"
    FILE_QUARANTINED = "file_quarantined"
    RECORDING_OBSERVED = "recording_observed"
    OBSERVED_ENDED = "observed_ended"

    INTRODUCTION_COMPLETED = "introduction_completed"
    DO_NOT_CALL_ADDED = "do_not_call_added"
    DO_NOT_CALL_REMOVED = "do_not_call_removed"
    CALL_BLOCKED = "call_blocked"

    RETENTION_RUN = "retention_run"
    HOLD_PLACED = "hold_placed"
    HOLD_RELEASED = "hold_released"

    PROVISION_RECIPIENT = "provision_recipient"
    PROVISION_RECORDED = "provision_recorded"
    PROVISION_SOURCE = "provision_source"
    PROVISION_RECEIVED = "provision_received"

    PARTY_JOINED = "party_joined"
    PARTY_TOLD = "party_told"
    PARTY_NOT_TOLD = "party_not_told"
    CALL_DIVERTED = "call_diverted"

    PERSON_ERASED = "person_erased"

    INCIDENT_OPENED = "incident_opened"
    INCIDENT_AMENDED = "incident_amended"
    INCIDENT_ASSESSED = "incident_assessed"
    INCIDENT_REPORTED = "incident_reported"
    INCIDENT_NOTED = "incident_noted"
    INCIDENT_OVERDUE = "incident_overdue"
    INCIDENT_CLOSED = "incident_closed"

    HEARING_LENT = "hearing_lent"
    HEARING_REFUSED = "hearing_refused"
    HEARING_BEGUN = "hearing_begun"
    HEARING_COMPLETED = "hearing_completed"
    HEARING_ENDED = "hearing_ended"
    HEARING_REMOVED = "hearing_removed"
    ANSWER_PACKAGED = "answer_packaged"

    REQUEST_OPENED = "request_opened"
    REQUEST_REQUESTER = "request_requester"
    REQUEST_SEARCHED = "request_searched"
    REQUEST_CALL = "request_call"
    REQUEST_IDENTIFIED = "request_identified"
    REQUEST_EXTENDED = "request_extended"
    REQUEST_DECIDED = "request_decided"
    REQUEST_BEGUN = "request_begun"
    REQUEST_CARRIED_OUT = "request_carried_out"
    REQUEST_ANSWERED = "request_answered"
    REQUEST_WITHDRAWN = "request_withdrawn"
    REQUEST_OVERDUE = "request_overdue"
    USE_REFUSED = "use_refused"
    PAST_CALLS_SHOWN = "past_calls_shown"
    USE_STOPPED = "use_stopped"
    USE_RESUMED = "use_resumed"
    CALL_ANNOTATED = "call_annotated"


class Actor(StrEnum):
    """Who caused a fact. Staff appear as the id of a party, never as a name."""

    SERVICE = "service"
    CALLER = "caller"
    AGENT = "agent"
    DIALPLAN = "dialplan"
    ASTERISK = "asterisk"


class PersonalFact(Struct, frozen=True):
    """One value that identifies a person; stored apart from the row, erasable.

    Attributes:
        field: ``number``, ``name``, ``dialled`` (the DID), ``user``, ``text`` (of a note)…
        value: As Asterisk or the kernel gave it, already bounded in length.
        search_key: A normal form to search by (for a number its digits), or ``None``.
    """

    field: str
    value: str
    search_key: str | None = None


class Draft(Struct, frozen=True):
    """A row before the log gives it a place.

    Attributes:
        at_ms: When the fact was seen here: Unix milliseconds, UTC.
        call: ``None`` for facts of the service itself.
        actor: A value of :class:`Actor`, or the id of a party for staff.
        party: Whom ``facts`` identify; required when there are any.
        role: That party's role (``caller``, ``agent``, ``staff``).
        listed: The number that a row about the list of numbers not to be called is about. Its
            keyed digest goes into that list, with the row; the number goes nowhere.
        erases: The party whose values, salts and digests go with this row.
        held: The number that a legal hold is about, in every notation; their keyed digests go to
            the hold, with the row.
    """

    kind: Kind
    at_ms: int
    node: NodeName
    call: CallId | None = None
    actor: str = Actor.SERVICE
    detail: Mapping[str, Detail] = field(default_factory=dict)
    party: PartyId | None = None
    role: str | None = None
    facts: tuple[PersonalFact, ...] = ()
    listed: str = ""
    erases: PartyId | None = None
    held: tuple[str, ...] = ()
