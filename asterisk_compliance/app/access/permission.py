"""Whether somebody may use a recording: what he asks for, and what log and configuration say to it.

The rule itself is ``domain/access/purpose_limitation.py``. ``docs/use.md`` explains it to those who
ask.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TypeVar

from asterisk_compliance.app.policy.prompts import purposes_of
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.access.audibility import (
    audible_in,
    is_stopped,
    is_withheld,
    queue_of,
    told_before,
)
from asterisk_compliance.domain.access.purpose_limitation import (
    IMPLIED,
    OWN_CODES,
    Action,
    Facts,
    Use,
    UseGround,
    UseReason,
    UseRefusal,
    refusal,
)
from asterisk_compliance.domain.access.roles import Asker, role_for
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.domain.third_parties.provisions import provisions_of
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import (
    CallId,
    NodeName,
    RecordingId,
    RequestId,
    call_of,
    is_request_id,
)
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.queries.audibility import own_rows, rows_of
from asterisk_compliance.storage.queries.subject_requests import every_request

_Code = TypeVar("_Code", bound=StrEnum)

LONGEST_REFERENCE = 256
_LONGEST_NUMBER = 15


class NoSuchUse(ComplianceError):
    """What was asked for is no use that anybody could be permitted."""

    exit_code = 2


class NoSuchPurpose(NoSuchUse):
    pass


class UseRefused(ComplianceError):
    """It is no use of what was told, or not by whoever asks; the row says so too.

    The message begins with the :class:`UseRefusal`.
    """


_WORDS: Mapping[UseRefusal, tuple[str, str]] = {
    UseRefusal.NOT_IN_ROLE: (
        "no role of yours permits it",
        "roles stand in the configuration, as [[role]]: ask the compliance officer",
    ),
    UseRefusal.PURPOSE_UNFIT: (
        "this purpose does not go with this action",
        "RIGHTS is for answering a request, and DRILL for trying a key",
    ),
    UseRefusal.NO_REQUEST: (
        "no such request is granted, and about this call",
        "asterisk-compliance requests list",
    ),
    UseRefusal.NO_PROVISION: (
        "no record says that this recording is handed over",
        "asterisk-compliance provisions record, with the item RECORDING",
    ),
    UseRefusal.BIOMETRICS_OFF: (
        "this site uses no voice biometrics",
        "[use] biometrics says whether it does: docs/use.md",
    ),
    UseRefusal.GROUND_UNFIT: (
        "only the person's own prior consent permits biometrics",
        "docs/use.md names the grounds",
    ),
    UseRefusal.WITHDRAWN: (
        "somebody who can be heard withdrew, and the policy keeps it from use",
        "only a ground that does not depend on his will goes beyond that: docs/use.md",
    ),
    UseRefusal.STOPPED: (
        "a request stopped this use of the call",
        "only a ground that does not depend on the person's will goes beyond that: docs/use.md",
    ),
    UseRefusal.NOT_TOLD: (
        "this purpose was not told to everybody who can be heard",
        "nothing was told to all of them: only a legal ground permits a use: docs/use.md",
    ),
}


@dataclass(frozen=True, slots=True)
class UseJudgement:
    """What came of asking.

    Attributes:
        refusal: ``None``: it is permitted.
        role: The name of the role that permits it; empty where the site has none.
        told: The purpose was told to everybody who can be heard.
        told_to_all: What else was.
    """

    refusal: UseRefusal | None
    role: str = ""
    told: bool = False
    told_to_all: frozenset[str] = frozenset()


def use_of(settings: Settings, arguments: Mapping[str, str]) -> Use:
    """What is asked for: every field of :class:`Use`, by its name.

    Raises:
        NoSuchPurpose: the site knows no such purpose.
        NoSuchUse: a code is in no list, the reason is missing, or a ground has no reference.
    """
    said = {field.name: arguments.get(field.name, "") for field in fields(Use)}
    action = _one_of(Action, said.pop("action"), "action")
    check_purpose(settings, said["purpose"])
    reason = said.pop("reason") or IMPLIED.get(action, "")
    if said["ground"]:
        _one_of(UseGround, said["ground"], "ground")
    if bool(said["ground"]) != bool(said["reference"]):
        raise NoSuchUse("a ground and its reference go together", hint="name both, or none")
    if len(said["reference"]) > LONGEST_REFERENCE or not said["reference"].isprintable():
        raise NoSuchUse("this is no reference", hint="where the ground can be read, in one line")
    if said["request"] and not is_request_id(said["request"]):
        raise NoSuchUse("this is no id of a request: q-…")
    if said["provision"] and _number(said["provision"]) is None:
        raise NoSuchUse("this is no number of a row")
    if said["provision"] and action is not Action.HAND_OVER:
        raise NoSuchUse("a provision goes with HAND_OVER alone", hint="--action HAND_OVER")
    return Use(action=action, reason=_one_of(UseReason, reason, "reason"), **said)


def arguments_of(use: Use) -> dict[str, str]:
    """As :func:`use_of` reads it."""
    return {field.name: str(getattr(use, field.name)) for field in fields(Use)}


def check_purpose(settings: Settings, purpose: str) -> str:
    """A purpose that the site knows, or one of the product's own.

    Raises:
        NoSuchPurpose: there is no such code.
    """
    known = {*purposes_of(settings), *OWN_CODES}
    if purpose not in known:
        hint = f"one of {', '.join(sorted(known))}"
        raise NoSuchPurpose("there is no such purpose", hint=hint)
    return purpose


def judged(
    settings: Settings, user: str, use: Use, call: str, recording: RecordingId | None
) -> UseJudgement:
    """Whether ``user`` may do this.

    Args:
        settings: Where the log is, and which roles there are.
        user: Who asks, as the kernel knows it.
        use: What for.
        call: Whose recording, or rows.
        recording: Which; ``None`` where nobody's voice is handed out.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    with StoreReader(settings.audit.store) as reader:
        rows = rows_of(reader, call)
        heard = list(_heard(reader, settings.use.accepted, rows, recording))
        theirs = [rows, *(own for _, own in heard)]
        roles = [one.role for one in settings.role]
        role = role_for(roles, asker(user), use, queue_of(rows)) if roles else ""
        facts = Facts(
            told=None if recording is None else tuple(told for told, _ in heard),
            stopped=any(is_stopped(one, use.purpose) for one in theirs),
            withheld=any(map(is_withheld, theirs)),
            in_role=role is not None,
            granted=_is_granted(reader, use, call),
            provided=_is_provided(reader, use, call),
            biometrics=settings.use.biometrics != "off",
        )
    told = facts.told_to_all
    return UseJudgement(refusal(use, facts), role or "", use.purpose in told, told)


def told_to_all(reader: StoreReader, recording: RecordingId, accepted: str) -> frozenset[str]:
    """The purposes that everybody was told who can be heard in a recording.

    Args:
        reader: Of the store.
        recording: Which; also one that is not kept any more.
        accepted: As of ``[use]``: what those were told whom a policy takes in.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    rows = rows_of(reader, call_of(recording))
    heard = _heard(reader, accepted, rows, recording)
    return Facts(told=tuple(told for told, _ in heard)).told_to_all


def _heard(
    reader: StoreReader, accepted: str, rows: list[Row], recording: RecordingId | None
) -> Iterator[tuple[frozenset[str], list[Row]]]:
    """Of each party who can be heard what it was told, and the rows of calls of its own."""
    for one in audible_in(rows, recording) if recording is not None else ():
        if one.was_accepted and accepted == "covered":
            continue
        own = own_rows(reader, rows[0].node, one.channel) if one.channel else []
        told = told_before(own, one.joined) if one.was_told_elsewhere else one.told
        yield told, own


def _is_granted(reader: StoreReader, use: Use, call: str) -> bool:
    """Whether the request lets the person have or hear this call. Grants are about whole calls."""
    if not use.request:
        return False
    found = every_request(reader).get(RequestId(use.request))
    return found is not None and found.opens(CallId(call))


def _is_provided(reader: StoreReader, use: Use, call: str) -> bool:
    number = _number(use.provision)
    if number is None:
        return False
    stored = reader.rows(RowQuery(kind=Kind.PROVISION_RECORDED, call=call))
    found = provisions_of(decode(one.data) for one in stored).get(number)
    return found is not None and found.has_audio


def asker(user: str) -> Asker:
    """A user with his groups, as the operating system lists them now."""
    try:
        groups = os.getgrouplist(user, pwd.getpwnam(user).pw_gid)
    except KeyError:
        return Asker(user)
    return Asker(user, frozenset(filter(None, map(_group, groups))))


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""


def refused(found: UseJudgement) -> UseRefused:
    """What is said to who asked."""
    assert found.refusal is not None
    words, hint = _WORDS[found.refusal]
    if found.refusal is UseRefusal.NOT_TOLD and found.told_to_all:
        told = ", ".join(sorted(found.told_to_all))
        hint = f"told was {told}; for anything else name the legal ground: docs/use.md"
    return UseRefused(f"{found.refusal}: {words}", hint=hint)


def refused_draft(
    use: Use, found: UseJudgement, call: CallId | None, node: NodeName, recording: str, user: str
) -> Draft:
    """The row that says who was refused, what for, and why."""
    assert found.refusal is not None
    who = staff(user)
    return Draft(
        Kind.USE_REFUSED,
        unix_ms(),
        node,
        call=call,
        actor=who.actor,
        detail={
            "action": use.action,
            "ground": use.ground,
            "purpose": use.purpose,
            "reason": use.reason,
            "recording": recording,
            "refusal": found.refusal,
            "request": use.request,
        },
        party=who.party,
        role="staff",
        facts=(*who.facts, *reference_of(use)),
    )


def reference_of(use: Use) -> tuple[PersonalFact, ...]:
    """The reference of the ground: it can name a person, so it stands beside the row."""
    return (PersonalFact("reference", use.reference),) if use.reference else ()


def provision_number(use: Use) -> int | None:
    """The number of the record of its provision, as it stands in a row."""
    return _number(use.provision)


def _number(text: str) -> int | None:
    good = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if good else None


def _one_of(codes: type[_Code], code: str, what: str) -> _Code:
    if code not in set(codes):
        raise NoSuchUse(f"there is no such {what}", hint=f"one of {', '.join(codes)}")
    return codes(code)
