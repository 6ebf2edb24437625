"""The tree over the audit rows: RFC 9162, section 2, with SHA-256.

A leaf is hashed with the prefix 0x00, an inner node with 0x01, so that neither can pass for the
other. All functions below take *leaf hashes*, 32 bytes each, in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Self

EMPTY_ROOT = sha256().digest()
"""Root of a tree without leaves (RFC 9162, 2.1.1)."""

_HASH_BYTES = 32
_SIZE_BYTES = 8


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """What must be kept of a tree to append to it: the roots of its perfect subtrees.

    There is one per bit that is set in ``size``, largest first. Appending costs as much at the
    ten millionth leaf as at the first: one node hash on average, 24 at most.
    """

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash: every trailing 1 of ``size`` is a subtree that it completes."""
        roots, carry = self._roots, self.size
        while carry & 1:
            leaf = sha256(b"\x01" + roots.pop() + leaf).digest()
            carry >>= 1
        roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the whole tree: subtrees joined from the smallest up."""
        if not self._roots:
            return EMPTY_ROOT
        *larger, root = self._roots
        for subtree in reversed(larger):
            root = node_hash(subtree, root)
        return root

    def to_bytes(self) -> bytes:
        """``size`` as 8 bytes, big endian, then the roots, largest subtree first."""
        return self.size.to_bytes(_SIZE_BYTES) + b"".join(self._roots)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of :meth:`to_bytes`.

        Raises:
            ValueError: the length does not fit the size that the bytes state.
        """
        size, roots = int.from_bytes(data[:_SIZE_BYTES]), data[_SIZE_BYTES:]
        if len(data) < _SIZE_BYTES or len(roots) != size.bit_count() * _HASH_BYTES:
            raise ValueError("these bytes are no frontier")
        frontier = cls()
        frontier.size = size
        frontier._roots = [roots[i : i + _HASH_BYTES] for i in range(0, len(roots), _HASH_BYTES)]
        return frontier


def root_of(leaves: Sequence[bytes]) -> bytes:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The path from leaf ``index`` to the root of ``leaves`` (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return [*inclusion_proof(left, index), root_of(right)]
    return [*inclusion_proof(right, index - split), root_of(left)]


def inclusion_holds(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether ``proof`` shows that ``leaf`` is number ``index`` of the tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    here, last, node = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            node = node_hash(step, node)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            node = node_hash(node, step)
        here, last = here >> 1, last >> 1
    return last == 0 and node == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Shows that the first ``old_size`` leaves were not changed since (RFC 9162, 2.1.4.1)."""
    if not 0 < old_size <= len(leaves):
        raise ValueError(f"no tree of {old_size} in a tree of {len(leaves)}")
    return _subproof(leaves, old_size, whole=True)


def _subproof(leaves: Sequence[bytes], old_size: int, *, whole: bool) -> list[bytes]:
    """``whole``: the old tree is exactly a subtree here, and its root is known to the verifier."""
    if old_size == len(leaves):
        return [] if whole else [root_of(leaves)]
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if old_size <= split:
        return [*_subproof(left, old_size, whole=whole), root_of(right)]
    return [*_subproof(right, old_size - split, whole=False), root_of(left)]


def consistency_holds(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether ``proof`` shows that the old tree is a prefix of the new one (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    path = list(proof)
    if old_size.bit_count() == 1:
        path.insert(0, old_root)
    if not path:
        return False
    here, last = old_size - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, step)
        here, last = here >> 1, last >> 1
    return last == 0 and old == old_root and new == root


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << (size - 1).bit_length() - 1
