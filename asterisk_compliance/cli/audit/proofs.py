"""``asterisk-compliance audit prove|consistency|verify-proof|checkpoint``: proofs to hand out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.audit.verify import KeyOption, given_key, read_text
from asterisk_compliance.cli.context import (
    DEFAULT_CONFIG,
    ConfigFileOption,
    ConfigOption,
    JsonOption,
    StoreOption,
    store_directory,
)
from asterisk_compliance.domain.audit.checkpoint import (
    Checkpoint,
    Consistency,
    Proof,
    open_checkpoint,
    parse_checkpoint,
)
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.signed_note import VerifierKey
from asterisk_compliance.errors import ComplianceError, StoreUnavailable
from asterisk_compliance.storage.log.checkpoints import StoredCheckpoint
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.tree import TreeReader
from asterisk_compliance.storage.proofs.prover import at_size, consistency, listed, newest, prove

checkpoint = typer.Typer(no_args_is_help=True, help="The signed checkpoints of the log.")


class NotProven(ComplianceError):
    """A proof does not show what it says."""

    exit_code = 1


def prove_row(
    seq: Annotated[int, typer.Argument(min=0, help="Number of the row.")],
    *,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Prove to somebody without the log that a row stands in it: the row, a path, a checkpoint."""
    with StoreReader(store_directory(config, store)) as reader:
        proven = prove(reader, [seq])
    proof = proven.proofs[seq]
    if json:
        said = {"seq": seq, "size": proven.checkpoint.size, "key": proven.vkey}
        output.print_json(said | {"proof": proof.to_text(), "row": decode(proof.row)})
    else:
        sys.stdout.write(proof.to_text())


def prove_consistency(
    old: Annotated[str, typer.Argument(help="An earlier checkpoint: its size, or its file.")],
    new: Annotated[int | None, typer.Argument(help="Size of a later one; the newest.")] = None,
    *,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Prove that the log of an earlier checkpoint is the beginning of that of a later one.

    Exit status 1 if the earlier one is not of this log.
    """
    with StoreReader(store_directory(config, store)) as reader:
        later = _chosen(reader, new)
        size = int(old) if old.isascii() and old.isdigit() else _size_of(reader, old)
        proof = consistency(reader, size, later)
    if json:
        said = {"old": size, "size": later.size, "proof": proof.to_text()}
        output.print_json(said)
    else:
        sys.stdout.write(proof.to_text())


def verify_proof(
    file: Annotated[Path, typer.Argument(help="What prove or consistency wrote.")],
    *,
    key: KeyOption = None,
    old: Annotated[
        Path | None, typer.Option("--checkpoint", help="The earlier checkpoint, for consistency.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a proof, without the log. Exit status 1 if it does not show what it says."""
    text, trusted = read_text(file), given_key(key)
    try:
        if text.startswith("old "):
            said = _consistent(Consistency.from_text(text), old, trusted)
        else:
            said = _included(Proof.from_text(text), trusted)
    except ValueError as error:
        raise NotProven(f"{file}: {error}") from None
    if json:
        output.print_json(said | {"origin_proven": trusted is not None})
        return
    for name, value in said.items():
        output.print_line(f"{name}  {value}")
    output.print_line("PROVEN" if trusted else "CONSISTENT, origin not proven")
    if trusted is None:
        output.say("hint: give the log's public key with --key")


@checkpoint.command("list")
def list_checkpoints(
    *,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """List checkpoints, the newest hundred unless asked otherwise, in order."""
    with StoreReader(store_directory(config, store)) as reader:
        found = listed(reader)[-limit:]
    if json:
        output.print_json([_as_json(one) for one in found])
        return
    lines = [(one.size, one.at, parse_checkpoint(one.note)[0].root.hex()) for one in found]
    output.stdout().print(output.table(("rows", "signed at", "root"), lines))


@checkpoint.command("show")
def show_checkpoint(
    size: Annotated[int | None, typer.Argument(help="Of how many rows; the newest.")] = None,
    *,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Print a checkpoint, to be kept elsewhere."""
    with StoreReader(store_directory(config, store)) as reader:
        found = _chosen(reader, size)
    if json:
        output.print_json(_as_json(found))
    else:
        sys.stdout.write(found.note)


@checkpoint.command("now")
def checkpoint_now(
    config: ConfigFileOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Sign all rows that are there now, and print the newest checkpoint.

    Through the running service; if it does not run, with the store's exclusive lock.
    """
    from asterisk_compliance.app.audit.signing_keys import checkpoint_alone
    from asterisk_compliance.app.shared.control_socket import ask
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    if ask(settings.service.socket, "checkpoint", {}) is None:
        checkpoint_alone(settings)
    show_checkpoint(json=json, store=settings.audit.store)


def _chosen(reader: StoreReader, size: int | None) -> StoredCheckpoint:
    found = newest(reader) if size is None else at_size(reader, size)
    if found is None:
        raise StoreUnavailable(
            "there is no checkpoint yet", hint="audit checkpoint now signs the first one"
        )
    return found


def _size_of(reader: StoreReader, name: str) -> int:
    """The size of an earlier checkpoint, whose root must be ours."""
    try:
        earlier, _ = parse_checkpoint(read_text(Path(name)))
    except ValueError as error:
        raise typer.BadParameter(f"{name}: {error}") from None
    size = reader.head().size
    if earlier.size > size:
        raise NotProven(f"{name} counts {earlier.size} rows, here are {size}")
    if TreeReader(reader.connection).root(earlier.size) != earlier.root:
        raise NotProven(
            f"the first {earlier.size} rows are not those of {name}",
            hint="audit verify --checkpoint says where the log was changed",
        )
    return earlier.size


def _included(proof: Proof, key: VerifierKey | None) -> dict[str, object]:
    checkpoint = _opened(proof.note, key)
    row = decode(proof.row)
    if row.seq != proof.index or not proof.holds(checkpoint):
        raise ValueError("the row does not stand in the log at this place")
    return {
        "origin": checkpoint.origin,
        "rows": checkpoint.size,
        "seq": row.seq,
        "row": proof.row.decode(),
    }


def _consistent(proof: Consistency, old: Path | None, key: VerifierKey | None) -> dict[str, object]:
    if old is None:
        raise typer.BadParameter("a proof of consistency needs --checkpoint, the earlier one")
    earlier, later = _opened(read_text(old), key), _opened(proof.note, key)
    if not proof.holds(earlier, later):
        raise ValueError("the earlier log is not the beginning of the later one")
    return {"origin": later.origin, "old": earlier.size, "rows": later.size}


def _opened(note: str, key: VerifierKey | None) -> Checkpoint:
    return parse_checkpoint(note)[0] if key is None else open_checkpoint(note, [key])


def _as_json(one: StoredCheckpoint) -> dict[str, object]:
    root = parse_checkpoint(one.note)[0].root.hex()
    return {"size": one.size, "at": one.at, "root": root, "note": one.note}
