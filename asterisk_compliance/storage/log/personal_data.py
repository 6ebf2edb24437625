"""What identifies people: values and salts beside the log, and the key to search them by.

Rows hold commitments only (``domain/audit/encoding.py``). Removing a party's values, salts and
digests from these tables erases the person; every leaf of the tree stays checkable.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, overload

from msgspec.structs import replace

from asterisk_compliance.domain.audit.encoding import SALT_BYTES, search_digest
from asterisk_compliance.domain.audit.rows import Draft, PersonalFact
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.durable_files import write_durably
from asterisk_compliance.storage.log.schema import DATABASE, insert

Salts: TypeAlias = Mapping[PersonalFact, bytes]

SEARCH_KEY = "search.key"
_KEY_BYTES = 32


def load_search_key(directory: Path, *, create: bool = False) -> bytes:
    """Read the key; with ``create``, make one for a store that has no database yet.

    Raises:
        StoreUnavailable: it is missing although there is a log, is no key, or others may read it.
    """
    path = directory / SEARCH_KEY
    try:
        if create and not path.exists() and not (directory / DATABASE).exists():
            write_durably(path, secrets.token_bytes(_KEY_BYTES))
        key = path.read_bytes()
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise StoreUnavailable(
            f"cannot read {path}: {error.strerror}",
            hint="restore it from a backup: without it no stored number can be found again",
        ) from error
    if len(key) != _KEY_BYTES:
        raise StoreUnavailable(f"{path} is not a key of {_KEY_BYTES} bytes")
    if mode & 0o077:
        raise StoreUnavailable(f"{path} can be read by others", hint=f"chmod 600 {path}")
    return key


def storable(draft: Draft) -> Draft:
    """The draft with values that have a UTF-8 form: a lone surrogate becomes ``?``.

    A caller chooses his name; he must not be able to choose that no row is written.
    """
    if all(_utf8(fact.value) and _utf8(fact.search_key or "") for fact in draft.facts):
        return draft
    facts = tuple(
        replace(fact, value=_cleaned(fact.value), search_key=_cleaned(fact.search_key))
        for fact in draft.facts
    )
    return replace(draft, facts=facts)


def salted(draft: Draft) -> tuple[Draft, Salts]:
    """The draft as it can be stored, and a new salt for each value of its facts."""
    draft = storable(draft)
    return draft, {fact: os.urandom(SALT_BYTES) for fact in draft.facts}


def keep(
    db: sqlite3.Connection,
    key: bytes,
    seq: int,
    draft: Draft,
    salts: Salts,
) -> None:
    """Write the values of row ``seq`` in its transaction; of who was erased, none any more."""
    if draft.party is None or not draft.facts:
        return
    party = (draft.party, draft.role, draft.call)
    if db.execute(_KEEP_PARTY, party).fetchone() is None:
        return
    values = [(seq, one.field, draft.party, salts[one], one.value) for one in draft.facts]
    insert(db, _INTO_VALUES, values)
    sought = [
        (search_digest(key, fact.field, fact.search_key), draft.party, fact.field)
        for fact in draft.facts
        if fact.search_key is not None
    ]
    if sought:
        insert(db, _INTO_DIGESTS, sought)


_KEEP_PARTY = """
INSERT INTO parties (party, role, call) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET role = coalesce(excluded.role, role) WHERE erased_at IS NULL
    RETURNING 1
"""
"""Gives nothing for a party that was erased."""


_INTO_VALUES = "INSERT INTO party_values (seq, field, party, salt, value)"
_INTO_DIGESTS = "INSERT OR IGNORE INTO party_digests (digest, party, field)"


def _utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@overload
def _cleaned(text: str) -> str: ...
@overload
def _cleaned(text: str | None) -> str | None: ...
def _cleaned(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "replace").decode()
