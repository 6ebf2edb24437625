"""What somebody could have reached in a time window, by what the log and the disk say. Pure.

1. What lay anywhere in that time (:mod:`~asterisk_compliance.domain.incidents.recording_lifecycle`)
   was reached; what was removed before was not, and what was being acquired was (APPI, since
   2024-04-01).
2. What the disk holds and the log does not account for was there too; what the log says is kept and
   the disk does not hold is lost.
   Of a stranger nobody knows to whom it was encrypted, nor whether: no secret was kept.
3. The store holds numbers and names in plain, from a party's arrival until it is erased.
4. A window is half open: [since, until). What ended at its beginning was not reached.
5. Persons: everybody outside who is in a call of which something was reached, or whose number or
   name was. One number is one person, and one name of who asked for or received something; who has
   neither counts once each. At least: the different numbers, or names, or one. At most: in each
   call everybody is somebody else. A synthetic call has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from asterisk_compliance.domain.incidents.recording_lifecycle import (
    Document,
    Form,
    Lifecycles,
    Release,
)
from asterisk_compliance.domain.incidents.state import IncidentPlace
from asterisk_compliance.ids import RecordingId, call_of


class OnDisk(StrEnum):
    """What kind of file lies where."""

    SEALED = "sealed"
    PLAIN = "plain"
    SPOOLED = "spooled"


_PLACES = {
    Form.SEALED: IncidentPlace.VAULT,
    Form.PLAIN: IncidentPlace.VAULT,
    Form.SPOOLED: IncidentPlace.SPOOL,
    Form.LENT: IncidentPlace.HEARING,
    Form.RELEASED: IncidentPlace.RELEASES,
}


@dataclass(frozen=True, slots=True)
class Window:
    """From ``since_ms`` on and before ``until_ms``, Unix milliseconds; ``None``: open."""

    since_ms: int | None = None
    until_ms: int | None = None

    def meets(self, since_ms: int | None, until_ms: int | None) -> bool:
        begins = self.until_ms is None or since_ms is None or since_ms < self.until_ms
        return begins and (self.since_ms is None or until_ms is None or until_ms > self.since_ms)


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file that a look at the disk found.

    Attributes:
        recording: Whose it is by its name; empty: its name says none.
        since_ms: It may have been there since then: nobody knows since when it was.
    """

    name: str
    recording: str
    kind: OnDisk
    since_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at vault and spools, begun at ``at_ms``; the log is read after it."""

    at_ms: int
    files: tuple[FileSeen, ...]


@dataclass(frozen=True, slots=True)
class KnownBy:
    """By what parties can be told apart; whoever is in neither cannot.

    Attributes:
        numbers: Of who called or was called, one form of the number.
        names: Of who asked for or received something.
    """

    numbers: dict[str, str]
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reached:
    """One recording, or file of none, with every form in which it could be reached.

    Attributes:
        call: Empty for a file of no call.
        recipients: Fingerprints of the keys that open what is sealed of it.
    """

    what: str
    call: str
    forms: tuple[Form, ...]
    recipients: tuple[str, ...] = ()

    def as_json(self) -> Mapping[str, object]:
        return {
            "call": self.call or None,
            "forms": self.forms,
            "recipients": self.recipients,
            "what": self.what,
        }


@dataclass(frozen=True, slots=True)
class Assessment:
    """What could have been reached.

    Attributes:
        size: So many rows of the log were looked at.
        reached: Everything, by name.
        releases: Those in the window.
        documents: What the log says of calls, as far as it was handed out in the window.
        lost: Recordings that the log says are kept, and of which the disk holds nothing.
        strangers: Names of files that the log does not account for, among ``reached``.
        copies_before: Of what was reached, so many were handed out before the window: where those
            copies are, nobody here knows.
        named: Parties whose number or name was reached in the store.
        persons_least, persons, persons_most: See the module's rule 5.
    """

    size: int
    window: Window
    places: tuple[IncidentPlace, ...]
    reached: tuple[Reached, ...]
    releases: tuple[Release, ...]
    documents: tuple[Document, ...]
    lost: tuple[str, ...]
    strangers: tuple[str, ...]
    copies_before: int
    named: int
    persons_least: int
    persons: int
    persons_most: int

    @property
    def all_sealed(self) -> bool:
        """Something was reached, all of it as ciphertext of known keys, and nothing is lost."""
        plain = any(one.forms != (Form.SEALED,) for one in self.reached)
        more = self.documents or self.strangers or self.lost or self.named
        return bool(self.reached) and not (plain or more)

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(sorted({key for one in self.reached for key in one.recipients}))

    def counts(self) -> dict[str, int]:
        """By the names of the row's details."""
        forms = [one.forms for one in self.reached]
        return {
            "calls": len({one.call for one in self.reached if one.call}),
            "copies_before": self.copies_before,
            "documents": len(self.documents),
            "lent": sum(Form.LENT in one for one in forms),
            "lost": len(self.lost),
            "persons": self.persons,
            "persons_least": self.persons_least,
            "persons_most": self.persons_most,
            "plain": sum(Form.PLAIN in one for one in forms),
            "recordings": len(forms),
            "released": sum(Form.RELEASED in one for one in forms),
            "sealed": sum(one == (Form.SEALED,) for one in forms),
            "spooled": sum(Form.SPOOLED in one for one in forms),
            "strangers": len(self.strangers),
            "values": self.named,
        }


def assess(
    lives: Lifecycles,
    seen: Seen,
    window: Window,
    places: Iterable[IncidentPlace],
    known: KnownBy,
    size: int,
) -> Assessment:
    """Put log and disk together.

    Args:
        lives: Every row that speaks of a recording or of who is in a call.
        seen: The disk; looked at before the log was read.
        window: When.
        places: Where somebody may have been.
        known: By what parties can be told apart.
        size: Rows of the log.
    """
    where = frozenset(places)
    found, strangers = _found(lives, seen, window, where)
    reached = tuple(_reached(lives, what, found[what]) for what in sorted(found))
    named = set(_named(lives, window)) if IncidentPlace.STORE in where else set()
    documents = tuple(_documents(lives, window)) if IncidentPlace.RELEASES in where else ()
    calls = {one.call or one.what for one in reached} | {one.call for one in documents}
    least, persons, most = _persons(lives, calls, named, known)
    given = [one for one in lives.releases if one.recording in found]
    return Assessment(
        size,
        window,
        tuple(sorted(where)),
        reached,
        tuple(one for one in given if window.meets(one.at_ms, one.at_ms + 1)),
        documents,
        _lost(lives, seen) if IncidentPlace.VAULT in where else (),
        strangers,
        len({one.recording for one in given if one.at_ms < (window.since_ms or 0)}),
        len(named),
        least,
        persons,
        most,
    )


def _found(
    lives: Lifecycles, seen: Seen, window: Window, where: frozenset[IncidentPlace]
) -> tuple[dict[str, set[Form]], tuple[str, ...]]:
    """What was reached, in which forms; and the names of files that the log does not know."""
    found: dict[str, set[Form]] = {}
    for what, form, since_ms, until_ms in lives.stays():
        if _PLACES[form] in where and window.meets(since_ms, until_ms):
            found.setdefault(what, set()).add(form)
    strangers = []
    for file in _unaccounted(lives, seen):
        form = Form(file.kind)
        if _PLACES[form] in where and window.meets(file.since_ms, None):
            found.setdefault(file.recording or file.name, set()).add(form)
            strangers.append(file.name)
    real = {what: forms for what, forms in found.items() if _call(what) not in lives.synthetic}
    return real, tuple(sorted(strangers))


def _documents(lives: Lifecycles, window: Window) -> Iterator[Document]:
    for one in lives.documents:
        if one.call not in lives.synthetic and window.meets(one.at_ms, one.at_ms + 1):
            yield one


def _named(lives: Lifecycles, window: Window) -> Iterator[tuple[str, str]]:
    """Call and party of whom the store held a number or a name."""
    for party, (call, since_ms) in lives.named.items():
        if call not in lives.synthetic and window.meets(since_ms, lives.erased.get(party)):
            yield call, party


def _unaccounted(lives: Lifecycles, seen: Seen) -> Iterator[FileSeen]:
    """Files of which the log says something else, or nothing."""
    for file in seen.files:
        life = lives.recordings.get(file.recording)
        if life is None:
            if file.name.removesuffix(".age") not in lives.aside:
                yield file
        elif file.kind is OnDisk.SPOOLED:
            if not life.in_spool_at(seen.at_ms):
                yield file
        elif life.in_vault_at(seen.at_ms):
            if file.kind is OnDisk.PLAIN and life.sealed:
                yield file
        elif not life.in_spool_at(seen.at_ms):  # else it is on its way in
            yield file


def _lost(lives: Lifecycles, seen: Seen) -> tuple[str, ...]:
    there = {file.recording for file in seen.files if file.kind is not OnDisk.SPOOLED}
    return tuple(
        sorted(
            recording
            for recording, life in lives.recordings.items()
            if life.vault_since is not None
            and life.vault_since < seen.at_ms
            and life.vault_until is None
            and not life.going
            and recording not in there
        )
    )


def _reached(lives: Lifecycles, what: str, forms: set[Form]) -> Reached:
    life = lives.recordings.get(what)
    known = life or lives.aside.get(what)
    sealed = known.recipients if known is not None and Form.SEALED in forms else ()
    return Reached(what, _call(what), tuple(sorted(forms)), sealed)


def _persons(
    lives: Lifecycles,
    calls: Iterable[str],
    named: Iterable[tuple[str, str]],
    known: KnownBy,
) -> tuple[int, int, int]:
    """At least, counted, and at most."""
    # A file of no call, and a call that no row speaks of, holds at least somebody.
    everybody = {(call, party) for call in calls for party in lives.parties.get(call) or [""]}
    everybody |= set(named)
    parties = [party for _, party in everybody]
    numbers = {known.numbers.get(party, "") for party in parties} - {""}
    names = {known.names.get(party, "") for party in parties} - {""}
    unknown = sum(not (known.numbers.get(one) or known.names.get(one)) for one in parties)
    # Who asked can be one of those who called.
    least = max(len(numbers), len(names), int(unknown > 0))
    return least, len(numbers) + len(names) + unknown, len(everybody)


def _call(what: str) -> str:
    return call_of(RecordingId(what)) if what.startswith("r-") else ""
