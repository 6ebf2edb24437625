"""Places a canary call when ``asterisk-compliance check --self-test`` asks for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from asterisk_compliance.app.calls.recording_control import NotAskable
from asterisk_compliance.app.shared.control_socket import SocketPeer

if TYPE_CHECKING:
    from asterisk_compliance.app.checks.live.canary import Canary


class AskedCanaries:
    """The verb ``canary``. A request is answered at once, and a call takes longer.

    So whoever asks says by an id of his own which call he means, and asks again until he is told
    how it ended. One at a time on each Asterisk; the outcome is kept until somebody else asks.
    """

    def __init__(self, canaries: Callable[[], Sequence[Canary]]) -> None:
        self._canaries = canaries
        self._asked: dict[str, tuple[str, str]] = {}

    async def verb(self, _peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, str]:
        """``node``, ``policy`` and ``id``; answers ``outcome``, which is empty until it is over.

        Raises:
            NotAskable: there is no such Asterisk, or no such policy.
        """
        node, policy, mine = (arguments.get(name, "") for name in ("node", "policy", "id"))
        canary = next((one for one in self._canaries() if one.node.node == node), None)
        if canary is None:
            raise NotAskable("there is no such Asterisk, or it has no ARI")
        if policy not in canary.node.policies.by_name:
            raise NotAskable("there is no such policy")
        whose, outcome = self._asked.get(node, ("", "over"))
        if whose == mine:
            return {"outcome": outcome}
        if outcome:
            self._asked[node] = (mine, "")
            canary.node.spawn(self._fly(canary, policy, mine))
        return {"outcome": ""}

    async def _fly(self, canary: Canary, policy: str, whose: str) -> None:
        outcome = "INTERNAL_ERROR"
        try:
            outcome = await canary.once(policy)
        finally:
            self._asked[canary.node.node] = (whose, outcome)
