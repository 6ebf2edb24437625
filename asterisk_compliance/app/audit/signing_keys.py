"""The signing key of a log: loaded or created at start, rotated, and replaced after a loss."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.checkpoint import Checkpoint, sign_checkpoint
from asterisk_compliance.domain.audit.key_chain import FIRST, LOST, KeyChain, handover
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.audit.signed_note import SignerKey, VerifierKey
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.log.reader import Head, StoreReader
from asterisk_compliance.storage.log.writer import Sign, StoreWriter
from asterisk_compliance.storage.proofs.prover import key_chain
from asterisk_compliance.storage.proofs.signing_key import (
    create_key,
    load_key,
    next_path,
    take_over,
)


def origin_of(settings: Settings, log: str) -> str:
    """Name of a log among all logs, and of its key: site, nodes, the log's own id."""
    host = urlsplit(settings.controller.page).hostname or "site"
    nodes = ",".join(asterisk.node for asterisk in settings.asterisk)
    return f"{settings.audit.site or host}/{nodes}/{log}"


def own_key(settings: Settings, log: str) -> tuple[SignerKey, tuple[Draft, ...]]:
    """The key that signs for ``log``; a log that never had one gets it now. Blocking.

    Returns:
        The key, and the row that names it, if the log does not name it yet.

    Raises:
        StoreUnavailable: it is not there, others could use it, or it is not the log's.
    """
    path = settings.audit.key_path
    with StoreReader(settings.audit.store) as reader:
        current = key_chain(reader).current
    if current is None:
        if not path.exists():
            create_key(path, origin_of(settings, log))
        key = load_key(path)
        return key, (key_row(key.verifier, FIRST),)
    _finish_handover(path, current)
    key = load_key(path)
    if key.verifier != current:
        raise StoreUnavailable(
            f"{path} is not the key of this log: its fingerprint is {key.verifier.fingerprint},"
            f" the log names {current.fingerprint}",
            hint="put the right key there; if it is lost, audit key replace: docs/keys.md",
        )
    return key, ()


def key_row(key: VerifierKey, cause: str) -> Draft:
    """A key that no other has vouched for: the first one, or one after a loss."""
    return Draft(
        Kind.SIGNING_KEY_SET,
        unix_ms(),
        NodeName(SERVICE_NODE),
        detail={"key": str(key), "cause": cause},
    )


def prepare_rotation(path: Path, old: SignerKey, user: str) -> tuple[SignerKey, Draft]:
    """Make the next key, and the row by which the old one hands over. Blocking.

    Once the row is durable, :func:`~asterisk_compliance.storage.proofs.signing_key.take_over` ends
    it; if we die between, the next start does.
    """
    _finish_handover(path, old.verifier)
    next_path(path).unlink(missing_ok=True)  # of a rotation whose row was never stored
    create_key(next_path(path), old.name)
    new = load_key(next_path(path))
    row = Draft(
        Kind.SIGNING_KEY_ROTATED,
        unix_ms(),
        NodeName(SERVICE_NODE),
        detail={
            "key": str(new.verifier),
            "earlier": str(old.verifier),
            "signature": handover(old, new.verifier),
        },
    )
    return new, _by(row, user)


def signing(*signers: SignerKey) -> Sign:
    """What makes a checkpoint of a head."""

    def sign(head: Head) -> str:
        return sign_checkpoint(Checkpoint(signers[0].name, head.size, head.root), *signers)

    return sign


def first_key(settings: Settings) -> VerifierKey:
    """Make the first key of a log, and the store if there is none. With the store's lock.

    Raises:
        StoreError: the log has one already, or it cannot be made.
    """
    with StoreWriter.open(settings.audit.store) as writer:
        key, rows = own_key(settings, writer.log)
        if not rows:
            raise StoreUnavailable("this log has a key already", hint="audit key show prints it")
        writer.commit(rows)
        writer.checkpoint(signing(key))
    return key.verifier


def rotate_alone(settings: Settings, user: str) -> VerifierKey:
    """Hand over while no service runs, with the store's lock.

    Raises:
        StoreError: the store is in use, or the key cannot be read or written.
    """
    path = settings.audit.key_path
    with _writer(settings) as writer:
        old, rows = own_key(settings, writer.log)
        new, row = prepare_rotation(path, old, user)
        writer.commit([*rows, row])
        take_over(path)
        writer.checkpoint(signing(new, old))
    return new.verifier


def replace_alone(settings: Settings, user: str) -> VerifierKey:
    """A new key after the loss of the old one; nobody vouches for it. With the store's lock.

    Raises:
        StoreUnavailable: the old key is still there, or the log never had one.
    """
    path = settings.audit.key_path
    with _writer(settings) as writer:
        current = _chain(settings).current
        if current is None:
            raise StoreUnavailable("this log has no key yet", hint="the first start makes it")
        create_key(path, current.name)
        key = load_key(path)
        writer.commit([_by(key_row(key.verifier, LOST), user)])
        writer.checkpoint(signing(key))
    return key.verifier


def checkpoint_alone(settings: Settings) -> None:
    """Sign the head while no service runs, with the store's lock."""
    with _writer(settings) as writer:
        key, rows = own_key(settings, writer.log)
        if rows:
            writer.commit(rows)
        writer.checkpoint(signing(key))


def _writer(settings: Settings) -> StoreWriter:
    store = settings.audit.store
    if not store.is_dir():
        raise StoreUnavailable(f"{store}: there is no store yet")
    return StoreWriter.open(store)


def _chain(settings: Settings) -> KeyChain:
    with StoreReader(settings.audit.store) as reader:
        return key_chain(reader)


def _finish_handover(path: Path, current: VerifierKey) -> None:
    """If we died between the row and the file: the log names the key that lies beside."""
    if not next_path(path).exists():
        return
    try:
        beside = load_key(next_path(path))
    except StoreUnavailable:
        return  # torn: its row was never stored
    if beside.verifier == current:
        take_over(path)


def _by(row: Draft, user: str) -> Draft:
    who = staff(user)
    return replace(row, actor=who.actor, party=who.party, role="staff", facts=who.facts)
