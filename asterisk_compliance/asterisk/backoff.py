"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with full jitter: many services do not return to one Asterisk at one moment.

    Attributes:
        shortest_s: Upper bound of the first wait.
        longest_s: Upper bound of every later wait; reached by doubling.
    """

    shortest_s: float = 0.2
    longest_s: float = 10.0

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait after failure number ``attempt`` (from 0), between 0 and the bound."""
        bound = min(self.longest_s, self.shortest_s * 2 ** min(attempt, 32))
        return random.uniform(0.0, bound)  # noqa: S311  # spreads load, keeps no secret
