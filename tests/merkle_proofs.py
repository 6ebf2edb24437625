"""Proofs over a list of leaves: what the tree of a store is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from asterisk_compliance.domain.audit.merkle import (
    Subtree,
    consistency_path,
    inclusion_path,
    root_of,
)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The path from leaf ``index`` to the root of ``leaves``."""
    return inclusion_path(index, len(leaves), _over(leaves))


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Shows that the first ``old_size`` of ``leaves`` were not changed since."""
    return consistency_path(old_size, len(leaves), _over(leaves))


def _over(leaves: Sequence[bytes]) -> Subtree:
    return lambda start, end: root_of(leaves[start:end])
