"""The tree over the audit rows: RFC 9162, section 2, with SHA-256.

A leaf is hashed with the prefix 0x00, an inner node with 0x01, so that neither can pass for the
other. All functions below take *leaf hashes*, 32 bytes each, in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Self, TypeAlias

EMPTY_ROOT = sha256().digest()
"""Root of a tree without leaves (RFC 9162, 2.1.1)."""

BLOCK_LEVEL = 8
BLOCK = 1 << BLOCK_LEVEL
"""Leaves under one node that a store keeps: with these a proof reads no more than a few hundred
leaves, and one 256th of the tree."""

Subtree: TypeAlias = Callable[[int, int], bytes]
"""The root over the leaves from the first number up to, and without, the second."""

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

    def extend(self, leaves: Sequence[bytes]) -> list[bytes]:
        """Add leaf hashes; returns the roots of the blocks that they complete.

        Quicker than one by one where ``leaves`` is a whole block.
        """
        if len(leaves) == BLOCK and self.size % BLOCK == 0:
            block = _block_root(leaves)
            carry, node = self.size >> BLOCK_LEVEL, block
            while carry & 1:
                node = node_hash(self._roots.pop(), node)
                carry >>= 1
            self._roots.append(node)
            self.size += BLOCK
            return [block]
        completed: list[bytes] = []
        for leaf in leaves:
            if (done := self.block_with(leaf)) is not None:
                completed.append(done)
            self.append(leaf)
        return completed

    def root(self) -> bytes:
        """The root of the whole tree: subtrees joined from the smallest up."""
        if not self._roots:
            return EMPTY_ROOT
        *larger, root = self._roots
        for subtree in reversed(larger):
            root = node_hash(subtree, root)
        return root

    def root_with(self, tail: bytes) -> bytes:
        """The root if one more subtree, smaller than each of these, follows: its root is given."""
        root = tail
        for subtree in reversed(self._roots):
            root = node_hash(subtree, root)
        return root

    def block_with(self, leaf: bytes) -> bytes | None:
        """Root of the block of ``BLOCK`` leaves that ``leaf`` completes; ``None`` if it does not.

        To be asked before the leaf is appended.
        """
        if self.size % BLOCK != BLOCK - 1:
            return None
        for subtree in reversed(self._roots[-BLOCK_LEVEL:]):
            leaf = node_hash(subtree, leaf)
        return leaf

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


def _block_root(leaves: Sequence[bytes]) -> bytes:
    level = leaves
    while len(level) > 1:
        pairs = iter(level)
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs)]  # noqa: B905
    return level[0]


def root_of(leaves: Sequence[bytes]) -> bytes:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The path from leaf ``index`` to the root of a tree of ``size`` (RFC 9162, 2.1.3.1).

    ``subtree`` gives the root over the leaves from its first argument up to its second.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(subtree(split, end))
            end = split
        else:
            path.append(subtree(start, split))
            start = split
    return path[::-1]


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


def consistency_path(old_size: int, size: int, subtree: Subtree) -> list[bytes]:
    """Shows that the first ``old_size`` leaves were not changed since (RFC 9162, 2.1.4.1).

    Raises:
        ValueError: the tree has fewer leaves than the old one, or the old one has none.
    """
    if not 0 < old_size <= size:
        raise ValueError(f"no tree of {old_size} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end != old_size:
        split = start + _split(end - start)
        if old_size <= split:
            path.append(subtree(split, end))
            end = split
        else:
            path.append(subtree(start, split))
            start = split
    if start:  # else the old tree is itself a subtree here, and the verifier knows its root
        path.append(subtree(start, end))
    return path[::-1]


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
