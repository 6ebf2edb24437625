"""The tree against the vectors of Certificate Transparency and against the RFC's words."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.audit import merkle
from merkle_proofs import consistency_proof, inclusion_proof

ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}

leaf_lists = st.integers(0, 70).map(lambda n: [merkle.leaf_hash(i.to_bytes(2)) for i in range(n)])
trees = leaf_lists.filter(bool)


def recursive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + recursive_root(leaves[:k]) + recursive_root(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert merkle.root_of(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int) -> None:
    proof = inclusion_proof(LEAVES[:size], index)
    assert [step.hex() for step in proof] == INCLUSION[index, size]


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(old: int, size: int) -> None:
    proof = consistency_proof(LEAVES[:size], old)
    assert [step.hex() for step in proof] == CONSISTENCY[old, size]


@given(leaf_lists)
def test_a_frontier_has_the_root_of_the_recursive_definition(leaves: list[bytes]) -> None:
    assert merkle.root_of(leaves) == recursive_root(leaves)


@given(leaf_lists, st.data())
def test_a_frontier_goes_on_from_its_bytes(leaves: list[bytes], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(leaves)))
    first = merkle.Frontier()
    for leaf in leaves[:cut]:
        first.append(leaf)
    second = merkle.Frontier.from_bytes(first.to_bytes())
    for leaf in leaves[cut:]:
        second.append(leaf)
    assert (second.size, second.root()) == (len(leaves), recursive_root(leaves))


@given(st.lists(st.just(merkle.BLOCK) | st.integers(0, 700), max_size=5))
def test_a_frontier_that_grows_by_stretches_is_the_same(stretches: list[int]) -> None:
    quick, slow, blocks = merkle.Frontier(), merkle.Frontier(), []
    for stretch in stretches:
        leaves = [merkle.leaf_hash(number.to_bytes(2)) for number in range(stretch)]
        completed = quick.extend(leaves)
        for leaf in leaves:
            if (block := slow.block_with(leaf)) is not None:
                blocks.append(block)
            slow.append(leaf)
        assert completed == blocks[len(blocks) - len(completed) :]
    assert quick.to_bytes() == slow.to_bytes()
    assert len(blocks) == slow.size // merkle.BLOCK


@given(st.integers(0, 6), st.integers(0, 255))
def test_the_nodes_over_whole_blocks_and_the_rest_make_the_root(whole: int, rest: int) -> None:
    leaves = [merkle.leaf_hash(n.to_bytes(4)) for n in range(whole * merkle.BLOCK + rest)]
    blocks = [
        merkle.root_of(leaves[start : start + merkle.BLOCK])
        for start in range(0, whole * merkle.BLOCK, merkle.BLOCK)
    ]
    frontier, one_by_one = merkle.Frontier(), merkle.Frontier()
    for block in blocks:
        frontier.append(block)
    assert one_by_one.extend(leaves) == blocks
    tail = merkle.root_of(leaves[whole * merkle.BLOCK :])
    root = frontier.root_with(tail) if rest else frontier.root()
    assert root == merkle.root_of(leaves)


@pytest.mark.parametrize("data", [b"", bytes(7), bytes(9), (1).to_bytes(8), bytes(8) + bytes(32)])
def test_bytes_that_are_no_frontier_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no frontier"):
        merkle.Frontier.from_bytes(data)


@given(trees, st.data())
def test_an_inclusion_proof_holds_for_its_leaf_and_place_only(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size, root = len(leaves), merkle.root_of(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    holds = merkle.inclusion_holds
    assert holds(leaves[index], index, size, proof, root)
    assert not holds(merkle.leaf_hash(b"other"), index, size, proof, root)
    assert not holds(leaves[index], index, size, [*proof, root], root)
    other = data.draw(st.integers(-1, size))
    if other != index:
        assert not holds(leaves[index], other, size, proof, root)
    if proof:
        assert not holds(leaves[index], index, size, proof[:-1], root)
        assert not holds(leaves[index], index, size, [root, *proof[1:]], root)


@given(trees, st.data())
def test_a_consistency_proof_holds_for_its_two_trees_only(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size, root = len(leaves), merkle.root_of(leaves)
    old = data.draw(st.integers(1, size))
    old_root = merkle.root_of(leaves[:old])
    proof = consistency_proof(leaves, old)
    holds = merkle.consistency_holds
    other = merkle.leaf_hash(b"other")
    assert holds(old, old_root, size, root, proof)
    assert not holds(old, other, size, root, proof)
    assert not holds(old, old_root, size, other, proof)
    assert not holds(old, old_root, size, root, [*proof, other])
    assert not holds(0, old_root, size, root, proof)
    assert not holds(size + 1, old_root, size, root, proof)
    if proof:
        assert not holds(old, old_root, size, root, proof[:-1])
        assert not holds(old, old_root, size, root, [other, *proof[1:]])


def test_an_empty_proof_shows_nothing_between_different_trees() -> None:
    assert not merkle.consistency_holds(3, LEAVES[0], 5, LEAVES[1], [])


def test_a_proof_that_stops_below_the_root_shows_nothing() -> None:
    assert not merkle.inclusion_holds(LEAVES[0], 0, 2, [], LEAVES[0])


def test_proofs_of_what_is_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="no leaf 8"):
        inclusion_proof(LEAVES, 8)
    for old in (0, 9):
        with pytest.raises(ValueError, match="no tree of"):
            consistency_proof(LEAVES, old)


def test_a_leaf_cannot_pass_for_an_inner_node() -> None:
    left, right = LEAVES[:2]
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)
