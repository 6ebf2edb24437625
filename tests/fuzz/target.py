"""What a target of the fuzz is, and what it must keep to."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from fuzz.mutators import BYTES, Mutator

LONGEST_WHY = 400
"""Characters of an error's text: it may hold nothing of the input."""


class Violation(AssertionError):
    """A target did what its documentation does not say."""


class Target:
    """Something of ours that reads bytes. One object lives through a whole run.

    Attributes:
        share: Of the inputs of a run.
        slowest_s: How much processor time one input may cost, beside 1 µs a byte.
        quick: Inputs in a quick run.
    """

    name: ClassVar[str]
    share: ClassVar[float]
    quick: ClassVar[int] = 1_000
    slowest_s: ClassVar[float] = 0.5
    kinds: ClassVar[tuple[Mutator, ...]] = BYTES

    @property
    def seeds(self) -> Sequence[bytes]:
        raise NotImplementedError

    async def open(self) -> None:
        """Make the object that is fed from now on."""

    async def close(self) -> None:
        """End what :meth:`open` began."""

    async def feed(self, data: bytes, rng: random.Random) -> str:
        """Give it one input; the word for what came of it.

        Raises anything but what the documentation of the object says: that is a finding.
        """
        raise NotImplementedError

    async def good(self) -> None:
        """The same object still serves a good input, else :class:`Violation`."""
        raise NotImplementedError

    def held(self) -> Mapping[str, int]:
        """How much it holds, of what could grow."""
        return {}
