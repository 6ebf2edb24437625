"""The simulated call, whose service dies at any moment, and is followed by another life of it.

What dies with it: whatever it was not told yet, its waits, and rows that it had not stored. What
goes on: Asterisk, its MixMonitor, and everybody on the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from asterisk_compliance.domain.audit.encoding import Row, place
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.commands import AppendRow, Command
from asterisk_compliance.domain.call.events import (
    Bridged,
    CompanyChanged,
    FileAppeared,
    LookedAway,
    Unbridged,
)
from asterisk_compliance.domain.call.recovery import Clock, finish, follow_again
from asterisk_compliance.domain.call.replay import ReplayedCall, replay_call
from asterisk_compliance.domain.call.state import SLIP_BEFORE_MS
from asterisk_compliance.domain.policy.notice import OnJoin, Policy
from asterisk_compliance.ids import NodeName
from domain.simulated_legs import Legs
from domain.simulated_recorder import UNIX_MS, Fault, Presence
from domain.simulated_store import Store
from domain.simulator import CALL
from values import replace


class Killed(Exception):
    """The service is dead."""


def stored(row: AppendRow, at_ms: int, seq: int) -> Row:
    """A row as the log holds it; ``at_ms`` on the simulated clock."""
    draft = Draft(
        row.kind,
        UNIX_MS + at_ms,
        NodeName("pbx1"),
        CALL,
        row.actor,
        row.detail,
        row.party,
        facts=row.facts,
    )
    salts = {fact: bytes(32) for fact in row.facts}
    return place(draft, seq=seq, log="simulated", nonce=bytes(16), salts=salts)


class _Dated(list[AppendRow]):
    """Rows, and when the domain wrote each."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.times: dict[int, int] = {}

    def append(self, row: AppendRow, /) -> None:
        super().append(row)
        self.times[id(row)] = self.now_ms


@dataclass
class DatedStore(Store):
    """Knows when each row was written."""

    attempted: _Dated = field(default_factory=_Dated)

    def as_stored(self) -> list[Row]:
        times = self.attempted.times
        return [stored(row, times[id(row)], seq) for seq, row in enumerate(self.rows)]


@dataclass
class Mortal(Legs):
    """A call whose service can die.

    Attributes:
        dies_in: How many commands it still performs.
        terms: Of its policy, whatever its next life knows of it.
        lives: How often it came back.
    """

    store: Store = field(default_factory=DatedStore)
    dies_in: int | None = None
    terms: Policy | None = None
    lives: int = 0

    @property
    def policy(self) -> Policy:
        return self.terms or super().policy

    @property
    def dated(self) -> DatedStore:
        assert isinstance(self.store, DatedStore)
        return self.store

    def remembered(self) -> ReplayedCall:
        known = replay_call(self.dated.as_stored())
        assert known is not None
        return known

    def pass_time(self, ms: int) -> None:
        super().pass_time(ms)
        self.dated.attempted.now_ms = self.now_ms

    def _perform(self, command: Command) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in < 0:
                raise Killed
        super()._perform(command)

    def faults(self) -> tuple[Iterable[Fault], Iterable[Fault]]:
        """Who is not covered. What came in between a wish and its mute has no row, and no place."""
        _, others = super().faults()
        return (), [one for one in others if one.who is not None]

    # -- death and life --------------------------------------------------------------------

    def dies(self, *, segment_begins: bool) -> None:
        """Whoever it saw and left no row of, nobody will know of."""
        self.terms = self.policy
        self.dies_in = None
        if self.asked_to_begin is not None and segment_begins and self.there:
            self.segment_begins()
        self.asked_to_begin = self.telling = None
        joined = {r.detail["channel"] for r in self.store.rows if r.kind is Kind.PARTY_JOINED}
        self.met = bool(joined)
        for presence in self._presences():
            presence.domain_knows &= presence.channel in joined
        for channel, (peer, presence) in self.there.items():
            if not presence.domain_knows:  # of whoever is there from now on, nothing may be kept
                self.there[channel] = peer, Presence(channel)
        self.told_of.clear()
        self.told_of.append([presence for _, presence in self.there.values()])
        self._nothing_is_on_its_way()

    def _presences(self) -> list[Presence]:
        heard = [
            fault.who
            for files in self.recorder.files.values()
            for stretch in files.stretches
            for fault in stretch.others
            if fault.who is not None
        ]
        return [*heard, *(presence for _, presence in self.there.values())]

    def _nobody_was_seen(self) -> None:
        """Whoever was there meanwhile, the domain has to reckon with him."""
        for presence in (one for there in self.told_of for one in there):
            presence.domain_knows = True
        self.told_of.clear()

    def _nothing_is_on_its_way(self) -> None:
        self.inbox.clear()
        self.outcomes.clear()
        self.waits.clear()
        concluded = {r.detail.get("recording") for r in self.store.rows if r.kind in _CONCLUSIONS}
        self.recorder.judged = [one for one in self.recorder.judged if one in concluded]

    def comes_back(self, policy: Policy | None, unseen_ms: int) -> None:
        """Another life looks at the log, and at what is there."""
        self._nothing_is_on_its_way()
        self._nobody_was_seen()
        assert self.call is not None
        self.lives += 1
        known, before = self.remembered(), self.call
        now = Clock(self.now_ms, UNIX_MS + self.now_ms)
        unseen_ms += SLIP_BEFORE_MS
        if self.hung_up:
            self.call, commands = finish(known, limits=self.limits, now=now, unseen_ms=unseen_ms)
            self.perform(commands)
            self._hear_outcomes()
            return
        self.call, commands = follow_again(
            known,
            policy,
            limits=self.limits,
            wiring=before.wiring,
            now=now,
            unseen_ms=unseen_ms,
        )
        self.asked_mute = self.call.capture.segment.mute
        self.perform(commands)
        self._hear_outcomes()
        self._is_told_what_is_there(known)

    def looks_away(self, unseen_ms: int) -> None:
        """Nobody told of bridges meanwhile; now the same life looks again."""
        self.inbox.clear()
        self._nobody_was_seen()
        self.post(LookedAway(self.now_ms - unseen_ms, blind=True))
        self._company_is_told()

    def _is_told_what_is_there(self, known: ReplayedCall) -> None:
        for recording in (known.coming, known.running):
            if recording in self.recorder.files:
                self.post(FileAppeared(recording, self.now_ms))
                break
        self._company_is_told()

    def _company_is_told(self) -> None:
        """By ARI, as late as AMI would."""
        at_ms, lag_ms = self.now_ms + self.ami_lag_ms, self.ami_lag_ms
        self.post(Bridged(at_ms) if self.there else Unbridged(at_ms), lag_ms=lag_ms)
        peers = tuple(sorted(peer for peer, _ in self.there.values()))
        self.post(CompanyChanged(at_ms, peers, two_party=len(peers) < 2), lag_ms=lag_ms)
        self.told_of.append([presence for _, presence in self.there.values()])
        self.tell_all()


_CONCLUSIONS = {
    Kind.RECORDING_CLOSED,
    Kind.RECORDING_EMPTY,
    Kind.RECORDING_MISSING,
    Kind.RECORDING_UNJUDGED,
}


def stricter(policy: Policy) -> Policy:
    """The policy of the same name that says something else now."""
    return replace(policy, on_join=OnJoin.STOP)
