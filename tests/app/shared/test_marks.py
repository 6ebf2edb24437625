"""Marks: a code of a closed list, and a user who stands only in the table of persons."""

from __future__ import annotations

import pytest

from asterisk_compliance.app.shared.marks import Mark, UnknownMark, mark_draft
from asterisk_compliance.domain.audit.encoding import encode, place
from asterisk_compliance.domain.audit.rows import Kind, PersonalFact
from asterisk_compliance.ids import call_of, is_call_id


@pytest.mark.parametrize("mark", Mark)
def test_a_mark_is_a_row(mark: Mark) -> None:
    draft = mark_draft(mark, "yamada")
    assert (draft.kind, draft.call, draft.detail) == (Kind.MARK, None, {"code": mark})
    assert (draft.role, draft.facts) == ("staff", (PersonalFact("user", "yamada", "yamada"),))
    assert draft.party == draft.actor
    row = place(draft, seq=0, log="log-0", nonce=bytes(16), salts={draft.facts[0]: bytes(32)})
    assert b"yamada" not in encode(row)


def test_every_mark_is_by_a_party_of_its_own() -> None:
    parties = {mark_draft("TEST", "yamada").party for _ in range(3)}
    assert len(parties) == 3
    assert all(party and is_call_id(call_of(party)) for party in parties)


@pytest.mark.parametrize("code", ["", "test", "PARTY", "TEST\n", "x" * 10_000])
def test_other_marks_are_refused_with_the_list(code: str) -> None:
    with pytest.raises(UnknownMark) as caught:
        mark_draft(code, "yamada")
    assert caught.value.exit_code == 2
    assert caught.value.hint == "one of INSPECTION, MAINTENANCE, INCIDENT, TEST"
