"""One form for each row, and no other; the vectors hold for an implementation that is not ours."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.audit.encoding import (
    LARGEST_INTEGER,
    Row,
    commitment,
    decode,
    decode_block,
    encode,
    milliseconds,
    place,
    search_digest,
    timestamp,
)
from asterisk_compliance.domain.audit.merkle import leaf_hash, root_of
from asterisk_compliance.domain.audit.rows import Actor, Draft, Kind, PersonalFact
from asterisk_compliance.ids import CallId, NodeName, PartyId

VECTORS = Path(__file__).parents[2] / "vectors"
CALL = CallId("c-0193a5c2f7e14b6d90f1a2b3c4d5")
ROW = Row(
    actor="service",
    at="2026-11-24T08:00:00.123Z",
    call=CALL,
    detail={"status": "ALLOWED", "purposes": ("QUALITY", "TRAINING"), "length_ms": 12000},
    kind="decision",
    log="log-0123456789abcdef",
    node=NodeName("pbx1"),
    nonce="00112233445566778899aabbccddeeff",
    seq=7,
)
LINE = (
    b'{"actor":"service","at":"2026-11-24T08:00:00.123Z",'
    b'"call":"c-0193a5c2f7e14b6d90f1a2b3c4d5",'
    b'"detail":{"length_ms":12000,"purposes":["QUALITY","TRAINING"],"status":"ALLOWED"},'
    b'"kind":"decision","log":"log-0123456789abcdef","node":"pbx1",'
    b'"nonce":"00112233445566778899aabbccddeeff","seq":7}'
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
details = st.dictionaries(
    st.text("abcz019_.", min_size=1, max_size=8),
    st.one_of(
        texts,
        st.integers(-LARGEST_INTEGER, LARGEST_INTEGER),
        st.booleans(),
        st.none(),
        st.lists(texts, max_size=3).map(tuple),
    ),
    max_size=6,
)


def with_detail(**detail: Any) -> Row:
    return msgspec.structs.replace(ROW, detail=detail)


def draft(**fields: Any) -> Draft:
    given_ = {"kind": Kind.CALL_ARRIVED, "at_ms": 0, "node": NodeName("pbx1"), "call": CALL}
    return Draft(**(given_ | fields))


def placed(a_draft: Draft) -> Row:
    salts = {fact: bytes(32) for fact in a_draft.facts}
    return place(a_draft, seq=0, log="log-0", nonce=bytes(16), salts=salts)


def test_a_row_is_this_line() -> None:
    assert encode(ROW) == LINE
    assert decode(LINE) == ROW


@given(details)
def test_what_is_written_is_read_back_and_is_what_plain_json_writes(detail: Any) -> None:
    row = with_detail(**detail)
    data = encode(row)
    assert decode(data) == row
    plain = json.dumps(json.loads(data), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert plain.encode() == data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"actor"', b'{ "actor"'),
        (b'"seq":7}', b'"seq":07}'),
        (b'"seq":7}', b'"seq":-7}'),
        (b'"seq":7}', b'"seq":7.0}'),
        (b'"seq":7}', b'"seq":9999999999999999}'),
        (b'"seq":7}', b'"seq":7}\n'),
        (b'"length_ms":12000', b'"length_ms":12000.0'),
        (b'"length_ms":12000', b'"length_ms":1.2e4'),
        (b'"length_ms":12000', b'"length_ms":9007199254740992'),
        (b'"length_ms":12000', b'"length_ms": 12000'),
        (b'"length_ms":12000', b'"length_ms":{}'),
        (b'"length_ms":12000', b'"length_ms":1,"length_ms":12000'),
        (b'"length_ms"', b'"Length"'),
        (b'"length_ms"', b'""'),
        (b"ALLOWED", rb"\u0041LLOWED"),
        (b"ALLOWED", rb"\/"),
        (b"ALLOWED", b"\xff"),
        (b'["QUALITY","TRAINING"]', b'["QUALITY",1]'),
        (b'"purposes":["QUALITY","TRAINING"],"status":"ALLOWED"', b'"b":1,"a":2'),
        (b'"kind":"decision"', b'"kind":"Decision"'),
        (b'"kind":"decision",', b""),
        (b'"node":"pbx1"', b'"node":""'),
        (b'"call":"c-', b'"call":"x-'),
        (b"2026-11-24T08", b"2026-02-30T08"),
        (b"08:00:00.123Z", b"08:00:00.123456Z"),
        (b"ccddeeff", b"CCDDEEFF"),
        (b'"seq":7}', b'"seq":7,"more":1}'),
    ],
)
def test_every_other_way_to_write_it_is_refused(old: bytes, new: bytes) -> None:
    assert LINE.count(old) == 1
    other = LINE.replace(old, new)
    with pytest.raises(ValueError, match="not "):
        decode(other)
    for block in ([other], [LINE, other], [other, LINE]):
        with pytest.raises(ValueError, match="not all of these are rows"):
            decode_block(block)


_HALVES = [LINE[:cut] for cut in range(0, len(LINE), 7)] + [
    LINE[cut:] for cut in range(0, len(LINE), 7)
]


@given(
    st.lists(
        st.one_of(
            details.map(lambda detail: encode(with_detail(**detail))),
            st.sampled_from([LINE, LINE + b"," + LINE, b"", b"null", *_HALVES]),
        ),
        max_size=4,
    )
)
def test_a_block_is_read_as_its_rows_are(lines: list[bytes]) -> None:
    try:
        expected = [decode(line) for line in lines]
    except ValueError:
        with pytest.raises(ValueError, match="not all of these are rows"):
            decode_block(lines)
    else:
        assert decode_block(lines) == expected


def test_no_row_hides_beside_another_one_in_a_block() -> None:
    with pytest.raises(ValueError, match="not all of these are rows"):
        decode_block([LINE + b"," + LINE])
    with pytest.raises(ValueError, match="not all of these are rows"):
        decode_block([LINE + b"," + LINE, b""])


def test_a_detail_that_looks_like_the_end_of_a_row_stays_a_detail() -> None:
    row = with_detail(text='},"kind":"mark","log":"x","node":"n"')
    assert decode(encode(row)) == row


@pytest.mark.parametrize(
    "row",
    [
        with_detail(x=1.5),
        with_detail(x=float("nan")),
        with_detail(x=2**53),
        with_detail(x="\ud800"),
        with_detail(x=object()),
        with_detail(x={"y": 1}),
        with_detail(**{"with space": 1}),
        with_detail(x=2**80),
        msgspec.structs.replace(ROW, seq=-1),
        msgspec.structs.replace(ROW, node=NodeName("a b")),
        msgspec.structs.replace(ROW, actor="Jane Doe"),
    ],
)
def test_what_has_no_canonical_form_cannot_be_written(row: Row) -> None:
    with pytest.raises(ValueError):
        encode(row)


@given(st.integers(0, 253_402_300_799_999))
def test_times_are_exact_to_the_millisecond(at_ms: int) -> None:
    text = timestamp(at_ms)
    assert len(text) == 24
    assert milliseconds(text) == at_ms


@pytest.mark.parametrize("at_ms", [-1, 253_402_300_800_000])
def test_times_that_have_no_such_form_are_refused(at_ms: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        timestamp(at_ms)


def test_a_person_stands_in_a_row_as_a_commitment_only() -> None:
    fact = PersonalFact("number", "0312345678", "312345678")
    row = placed(draft(party=PartyId("y-1"), role="caller", facts=(fact,), detail={"entry": "ari"}))
    assert row.detail == {
        "entry": "ari",
        "party": "y-1",
        "role": "caller",
        "commit.number": commitment(bytes(32), "number", "0312345678"),
    }
    assert b"12345678" not in encode(row)


def test_enumerations_are_written_as_their_text() -> None:
    row = placed(draft(actor=Actor.CALLER, detail={"kind": Kind.MARK, "kinds": (Kind.MARK,)}))
    assert b'"detail":{"kind":"mark","kinds":["mark"]}' in encode(row)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"facts": (PersonalFact("number", "1"),)}, "need a party"),
        (
            {
                "party": "y-1",
                "facts": (PersonalFact("number", "1"), PersonalFact("number", "2")),
            },
            "each personal field once",
        ),
        ({"party": "y-1", "detail": {"party": "y-2"}}, "set by the log"),
        ({"party": "y-1", "facts": (PersonalFact("Number!", "1"),)}, "no name of a personal field"),
    ],
)
def test_drafts_that_make_no_row(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        placed(draft(**fields))


def test_the_field_is_part_of_what_is_committed_to() -> None:
    assert commitment(bytes(32), "number", "1") != commitment(bytes(32), "name", "1")
    assert search_digest(bytes(32), "a", "bc") != search_digest(bytes(32), "ab", "c")


# From here on an implementation of docs/audit-format.md that shares nothing with ours: the
# standard library's json, hashlib and hmac, and the recursive definition of the tree.


def plain_line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def plain_root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + plain_root(leaves[:k]) + plain_root(leaves[k:])).digest()


def plain_hmac(key: str, field: str, value: str) -> str:
    message = field.encode() + b"\x00" + value.encode()
    return hmac.new(bytes.fromhex(key), message, hashlib.sha256).hexdigest()


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def test_vectors_of_rows_hold_for_both_implementations() -> None:
    leaves = []
    for vector in vectors("audit-rows.json")["rows"]:
        line = plain_line(vector["row"])
        assert line.decode() == vector["line"]
        leaves.append(hashlib.sha256(b"\x00" + line).digest())
        assert leaves[-1].hex() == vector["leaf"]
        assert plain_root(leaves).hex() == vector["root"]
        assert encode(decode(line)) == line
        assert leaf_hash(line) == leaves[-1]
        assert root_of(leaves).hex() == vector["root"]


def test_vectors_of_refused_lines() -> None:
    for vector in vectors("audit-refused.json")["refused"]:
        with pytest.raises(ValueError):
            decode(bytes.fromhex(vector["hex"]))


def test_vectors_of_commitments_hold_for_both_implementations() -> None:
    for vector in vectors("audit-keyed.json")["keyed"]:
        field, value, key = vector["field"], vector["value"], vector["key"]
        assert plain_hmac(key, field, value) == vector["hmac"]
        assert commitment(bytes.fromhex(key), field, value) == vector["hmac"]
        assert search_digest(bytes.fromhex(key), field, value).hex() == vector["hmac"]
