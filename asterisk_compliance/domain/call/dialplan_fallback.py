"""What the dialplan does alone while the service is not there, and how that is adopted. Pure.

Rule 19: the dialplan records only what is safe without anybody who looks: the caller, who heard
         the whole notice, and of him only what comes from his own channel.
Rule 20: what it recorded counts only if the log says, by its digest, what it promised to do.

A rendered dialplan carries out a :class:`Promise`, and names each file by its digest. Promises are
kept with the wordings, and the row of each loaded configuration says which of them held then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.audit_rows import decision_row
from asterisk_compliance.domain.call.commands import AppendRow
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.events import Leg
from asterisk_compliance.domain.call.replay import ReplayedCall
from asterisk_compliance.domain.policy.notice import (
    CaptureFrom,
    Consent,
    OnJoin,
    Policy,
    ToldBy,
    Withdrawal,
)
from asterisk_compliance.domain.policy.reachability import Reach
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.ids import (
    CallId,
    ChannelId,
    NodeName,
    RecordingId,
    fallback_call_id,
    recording_id,
)

LEVEL = "dialplan"
"""How much is proven: Asterisk said that the prompt was played, and nobody else saw it."""

_NEEDS_THE_SERVICE: Mapping[str, tuple[Any, ...]] = {
    "consent": (Consent.OPT_OUT, Consent.OPT_IN),
    "capture": (CaptureFrom.ON_DEMAND,),
    "on_join": (OnJoin.STOP,),
    "withdrawal": (Withdrawal.ON,),
}
_ALIKE_FOR_ALL = ("capture", "beep_s")
"""What MixMonitor is told, so that the dialplan must know it beforehand."""


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What the dialplan of one Asterisk does for the calls of one policy, in one language.

    Attributes:
        policy_digest: Of the policy as it is where no rule knows the call better.
        notice: ``id/version/language``.
        length_ms: Of the prompt; a playback that took less was not heard to the end.
        retention: As in :class:`~asterisk_compliance.domain.policy.notice.Policy`.
    """

    node: NodeName
    policy: str
    policy_digest: str
    language: str
    notice: str
    purposes: tuple[PurposeCode, ...]
    text_digest: str
    audio_digest: str
    length_ms: int
    capture: CaptureFrom
    beep_s: int | None = None
    retention: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """As it is kept in the content store; its SHA-256 names it."""
        return msgspec.json.encode(self, order="sorted")

    @property
    def digest(self) -> str:
        return sha256(self.encode()).hexdigest()


def read_promise(content: bytes) -> Promise:
    """The inverse of :meth:`Promise.encode`.

    Raises:
        msgspec.MsgspecError: it is no promise.
    """
    return msgspec.json.decode(content, type=Promise)


def promises(node: NodeName, policy: Policy) -> Iterator[Promise]:
    """One for each language of a policy, in its order."""
    for language in policy.languages:
        wording = policy.notice.wordings[language]
        yield Promise(
            node=node,
            policy=policy.name,
            policy_digest=policy.digest,
            language=language,
            notice=policy.notice.label(language),
            purposes=policy.notice.purposes,
            text_digest=wording.text_digest,
            audio_digest=wording.audio_digest,
            length_ms=wording.length_ms,
            capture=policy.capture,
            beep_s=policy.beep_s,
            retention=policy.retention,
        )


def unfit(reach: Mapping[str, Reach]) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """What a policy can ask for in some call, and the dialplan alone cannot do.

    Nobody knows in an outage which rules a call meets, so the strictest is taken for granted.

    Yields:
        Field, value, and who can ask for it, as :func:`~.reachable.reachable` says.
    """
    for field, values in _NEEDS_THE_SERVICE.items():
        for value in values:
            if value in reach[field]:
                yield field, value, reach[field][value]
    for field in _ALIKE_FOR_ALL:
        values = tuple(reach[field])
        for value in values[1:]:
            if value not in _NEEDS_THE_SERVICE.get(field, ()):
                yield field, value, reach[field][value]


@dataclass(frozen=True, slots=True)
class Adopted:
    """A recording of the dialplan's, as the log will know it."""

    call: CallId
    recording: RecordingId
    rows: tuple[AppendRow, ...]


def attaches_to(known: ReplayedCall) -> bool:
    """Whether a recording of the dialplan's belongs to a call that the log knows.

    The service saw it arrive and could not tell it. A call that was allowed has purposes of its
    own, so what the dialplan recorded on the same channel is another one.
    """
    allowed = known.decision is not None and known.decision.allowed
    return known.leg is Leg.CALLER and not allowed


def adopt(promise: Promise, file: str, channel: ChannelId, known: ReplayedCall | None) -> Adopted:
    """Which call and recording a file becomes, and the rows that say so.

    Args:
        promise: What the file's name says.
        file: Its name in the spool.
        channel: Asterisk's id, from the name.
        known: The call of this channel, if it :func:`attaches_to` it.
    """
    call = fallback_call_id(promise.node, channel) if known is None else known.id
    recording = recording_id(call, 1 if known is None else known.last_number + 1)
    decision = Decision(
        Status.ALLOWED,
        Reason.FALLBACK_NOTICE,
        promise.purposes,
        notice=promise.notice,
        told_by=ToldBy.NOTICE,
    )
    arrived = (_arrived_row(promise, channel),) if known is None else ()
    undecided = known is None or known.decision is None
    decided = (replace(decision_row(decision), actor=Actor.DIALPLAN),) if undecided else ()
    return Adopted(call, recording, (*arrived, *decided, _adopted_row(promise, file, recording)))


def _arrived_row(promise: Promise, channel: ChannelId) -> AppendRow:
    return AppendRow(
        Kind.CALL_ARRIVED,
        {
            "channel": channel,
            "entry": "dialplan",
            "leg": Leg.CALLER,
            "linkedid": "",
            "policy": promise.policy,
            "policy_digest": promise.policy_digest,
            "queue": "",
            "rules": (),
            "synthetic": False,
        },
        actor=Actor.DIALPLAN,
    )


def _adopted_row(promise: Promise, file: str, recording: RecordingId) -> AppendRow:
    return AppendRow(
        Kind.RECORDING_ADOPTED,
        {
            "audio_digest": promise.audio_digest,
            "capture": promise.capture,
            "file": file,
            "length_ms": promise.length_ms,
            "level": LEVEL,
            "notice": promise.notice,
            "others": False,
            "policy": promise.policy,
            "policy_digest": promise.policy_digest,
            "promise": promise.digest,
            "purposes": promise.purposes,
            "recording": recording,
            "retention": promise.retention,
            "text_digest": promise.text_digest,
        },
        actor=Actor.DIALPLAN,
    )


def named_by(code: str, digests: Iterable[str]) -> str | None:
    """The promise that a file's name means, among those that held; ``None`` if not just one."""
    found = {digest for digest in digests if digest.startswith(code)}
    return found.pop() if len(found) == 1 else None
