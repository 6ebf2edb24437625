"""Who is on the line with a call, and what is known of each of them.

The *told* party is the one who heard the notice, and whose channel MixMonitor runs on. Everybody
else who can be heard on that channel is its *company*. A company may be kept while everybody in
it is covered; the rules are in ``domain/call/transitions/participants.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from asterisk_compliance.ids import ChannelId


class CoverageBasis(StrEnum):
    """Why a channel may be kept, as far as its Asterisk can tell."""

    STAFF = "staff"
    """An endpoint of the controller's own, by the site's list."""
    TOLD = "told"
    """Entered our routine itself, heard the notice and did not refuse."""
    REFUSED = "refused"
    """Entered our routine, and may not be kept."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Participant:
    """A channel in company with the told party.

    Attributes:
        consenting: The site has this agent's consent on file.
        endpoint: As Asterisk names it, ``PJSIP/anna``; empty if that is not known.
    """

    channel: ChannelId
    cover: CoverageBasis = CoverageBasis.UNKNOWN
    consenting: bool = False
    endpoint: str = field(default="", compare=False)


class Participants(Struct, frozen=True):
    """Who is there now, and who has been accepted.

    Attributes:
        peers: As last seen.
        covered: Channels whose audio may be kept: staff, told, or told by us in a whisper.
        controller: Channels that stand for the controller of the recording.
        met: Somebody has been there already.
    """

    peers: tuple[Participant, ...] = ()
    covered: frozenset[ChannelId] = frozenset()
    controller: frozenset[ChannelId] = frozenset()
    met: bool = False

    @property
    def uncovered(self) -> tuple[Participant, ...]:
        """Who refused is not covered any more, whatever he was before."""
        return tuple(
            peer
            for peer in self.peers
            if peer.channel not in self.covered or peer.cover is CoverageBasis.REFUSED
        )

    @property
    def has_controller(self) -> bool:
        return any(peer.channel in self.controller for peer in self.peers)

    @property
    def all_consent(self) -> bool:
        return all(peer.consenting for peer in self.peers)

    def accept(self, peer: Participant, *, as_controller: bool) -> Participants:
        controller = self.controller | {peer.channel} if as_controller else self.controller
        return replace(self, covered=self.covered | {peer.channel}, controller=controller)


ALONE = Participants()
