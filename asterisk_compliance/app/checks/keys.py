"""Findings about the key that signs the log, and about the places where checkpoints go."""

from __future__ import annotations

import os
from collections.abc import Iterator

from asterisk_compliance.app.checks.finding import OperatorFinding, OperatorFindingId, found
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.signed_note import VerifierKey
from asterisk_compliance.errors import StoreError
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.proofs.prover import key_chain
from asterisk_compliance.storage.proofs.signing_key import load_key

_KEYS_PAGE = "docs/keys.md"


def key_findings(settings: Settings) -> list[OperatorFinding]:
    """Compares key, log and published fingerprint, as far as the caller may read them."""
    return [*_differs(settings), *_unusable(settings), *_unanchored(settings)]


def _differs(settings: Settings) -> Iterator[OperatorFinding]:
    published, address = settings.controller.fingerprint, "controller.fingerprint"
    if not published:
        what = "nobody outside can tell this log's key from another one"
        todo = f"publish what audit key show prints, and set it: {_KEYS_PAGE}"
        yield found(OperatorFindingId.KEY_NOT_PUBLISHED, address, what, todo)
        return
    key = _named(settings)
    if key is not None and key.fingerprint != published:
        what = f"the log's key is {key.fingerprint}, and that is not the published one"
        todo = f"find out who changed the key; after a rotation, publish the new one: {_KEYS_PAGE}"
        yield found(OperatorFindingId.KEY_NOT_THE_PUBLISHED, address, what, todo)


def _unusable(settings: Settings) -> Iterator[OperatorFinding]:
    path = settings.audit.key_path
    if not os.access(path, os.R_OK):
        return  # not made yet, or not ours to read: serve says so
    try:
        load_key(path)
    except StoreError as error:
        yield found(
            OperatorFindingId.KEY_UNUSABLE,
            "audit.signing_key",
            str(error),
            error.hint or f"put the right key there: {_KEYS_PAGE}",
        )


def _unanchored(settings: Settings) -> Iterator[OperatorFinding]:
    if not settings.audit.checkpoints_to:
        what = "checkpoints stay here: whoever holds the key can rewrite the log unseen"
        todo = "name a place that this host cannot change afterwards"
        address = "audit.checkpoints_to"
        yield found(OperatorFindingId.CHECKPOINTS_STAY_HERE, address, what, todo)


def _named(settings: Settings) -> VerifierKey | None:
    """The key that the log names; ``None`` if there is no log yet, or we may not read it."""
    if not os.access(settings.audit.store / DATABASE, os.R_OK):
        return None
    try:
        with StoreReader(settings.audit.store) as reader:
            return key_chain(reader).current
    except StoreError:
        return None  # of an older version, or broken: audit verify says what it is
