"""Which calls a request is about: found by a number, or named."""

from __future__ import annotations

from collections.abc import Mapping

from asterisk_compliance.app.retention.erasure import PersonSelector, seek
from asterisk_compliance.app.subject_requests.rows import Search
from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.subject_requests.codes import SearchBasis
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import CallId, call_of, is_call_id, party_id
from asterisk_compliance.storage.log.reader import CallQuery, StoreReader
from asterisk_compliance.storage.queries import persons

MOST_CALLS = 1_000
"""Of one request; a person with more asks again for the rest."""


class BadRequest(ComplianceError):
    """What was asked for makes no sense."""

    exit_code = 2


def search(reader: StoreReader, arguments: Mapping[str, str], home: str | None) -> list[Search]:
    """The searches that somebody asks for; none, if he names nothing.

    A time alone finds nothing: it would give everybody who called then to one person.

    Args:
        reader: Of the store.
        arguments: ``number``, ``calls`` (ids of calls, or of parties in them, with spaces
            between), ``since`` and ``until`` as in rows, for calls that began then.
        home: In which country numbers without a country are.

    Raises:
        BadRequest: an id is none, or of no call; too many calls; a time alone.
        StoreUnavailable: the store cannot be read.
    """
    since, until = arguments.get("since", ""), arguments.get("until", "")
    number, ids = arguments.get("number", ""), words(arguments.get("calls", ""))
    if (since or until) and not number:
        hint = "calls list --since … shows who called then: name a call of his with --call"
        raise BadRequest("a time alone does not say whose call it is", hint=hint)
    found = []
    if number:
        theirs = _numbered(reader, number, home)
        found.append(Search(SearchBasis.NUMBER, since, until, _within(theirs, since, until)))
    if ids:
        named = dict(_named(reader, one) for one in ids)
        found.append(Search(SearchBasis.ID, "", "", named))
    if sum(len(one.calls) for one in found) > MOST_CALLS:
        hint = "narrow it with --since and --until, and open several"
        raise BadRequest(f"a request is about at most {MOST_CALLS} calls", hint=hint)
    return found


def moment_ms(text: str) -> int:
    """A time as it stands in rows.

    Raises:
        BadRequest: it is none.
    """
    try:
        return milliseconds(text)
    except (ValueError, TypeError):
        raise BadRequest("this is no time: 2026-11-24T08:00:00.000Z") from None


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _numbered(reader: StoreReader, number: str, home: str | None) -> dict[CallId, str]:
    theirs = seek(reader, PersonSelector(number=number), home)
    return {one.call: one.party for one in theirs if one.call and one.is_whom_we_sought}


def _within(calls: Mapping[CallId, str], since: str, until: str) -> dict[CallId, str]:
    first = moment_ms(since) if since else 0
    last = moment_ms(until) if until else None
    return {
        call: person
        for call, person in calls.items()
        if first <= minted_ms(call) and (last is None or minted_ms(call) < last)
    }


def _named(reader: StoreReader, text: str) -> tuple[CallId, str]:
    """A call and the person in it: who was named, else the party whose channel it was."""
    party = persons.party(reader, text)
    if party is not None and party.call == call_of(party.party):
        return party.call, party.party
    if not is_call_id(text) or not reader.calls(CallQuery(call=text)):
        raise BadRequest("there is no such call, and no such party of one", hint="c-… or y-…")
    call = CallId(text)
    known = persons.party(reader, party_id(call, 1))
    return call, known.party if known else ""
