"""Who is in a call, and what is known of each of them.

The *told* party heard the notice, and MixMonitor runs on its channel. Everybody else who can be
heard on that channel is a *participant*. The audio of the participants may be kept while every
one of them is covered; the rules are in ``domain/call/transitions/participants.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from asterisk_compliance.domain.policy.notice import AgentConsent
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
    """A channel that is heard by the told party.

    Attributes:
        consenting: The site has this agent's consent on file.
        endpoint: As Asterisk names it, ``PJSIP/anna``; empty if that is not known.
    """

    channel: ChannelId
    cover: CoverageBasis = CoverageBasis.UNKNOWN
    consenting: bool = False
    endpoint: str = field(default="", compare=False)


class Participants(Struct, frozen=True):
    """Who is in the call with the told party, and who has been accepted.

    Attributes:
        peers: Who was there when we last looked.
        covered: Channels whose audio may be kept: staff, told, or told by us in a whisper.
        controller: Channels that stand for the controller of the recording.
        met: Somebody has been there already.
        transfer_seen: Somebody else may join soon; nobody has yet.
        numbered: How many parties of the call have a number, with the told one.
    """

    peers: tuple[Participant, ...] = ()
    covered: frozenset[ChannelId] = frozenset()
    controller: frozenset[ChannelId] = frozenset()
    met: bool = False
    transfer_seen: bool = False
    numbered: int = 1

    @property
    def uncovered(self) -> tuple[Participant, ...]:
        """Peers who may not be kept. A refusal ends whatever covered a peer before."""
        return tuple(
            peer
            for peer in self.peers
            if peer.channel not in self.covered or peer.cover is CoverageBasis.REFUSED
        )

    @property
    def has_controller(self) -> bool:
        return any(peer.channel in self.controller for peer in self.peers)

    def may_keep_others(self, agent_consent: AgentConsent) -> bool:
        """Whether the others' direction may be captured, as far as consent of agents goes."""
        if agent_consent is AgentConsent.NONE:
            return True
        return bool(self.peers) and all(peer.consenting for peer in self.peers)

    def accept(self, peer: Participant, *, as_controller: bool) -> Participants:
        controller = self.controller | {peer.channel} if as_controller else self.controller
        return replace(self, covered=self.covered | {peer.channel}, controller=controller)


ALONE = Participants()
