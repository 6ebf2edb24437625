"""``asterisk-compliance audit verify``: what the log shows, how far, and what it does not show."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.context import ConfigOption, JsonOption, StoreOption, store_directory
from asterisk_compliance.domain.audit.signed_note import VerifierKey, parse_verifier_key
from asterisk_compliance.storage.proofs.verdict import LogVerdict, ProofLevel
from asterisk_compliance.storage.proofs.verification import parse_head, verify

KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--key", metavar="VKEY", help="The log's public key, or a file that holds it."),
]
_LONGEST_FILE = 1_000_000

_LEFT_OPEN = {
    ProofLevel.TREE: "not proven: that the log was not rewritten as a whole. No checkpoint of it is"
    " signed, and whoever can write the store can write a head that fits.",
    ProofLevel.SIGNED: "not proven: that whoever holds the signing key did not rewrite the log as a"
    " whole. A checkpoint that was kept elsewhere shows that: --checkpoint.",
    ProofLevel.ANCHORED: "not proven: that of the rows from {rows} on none was rewritten by whoever"
    " can write the store and holds the key.",
}
NEVER_PROVEN = "Nor that a row was true when it was written, or that a fact was not left out."


def verify_log(
    *,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="SIZE:ROOT", help="A head kept from an earlier verify."),
    ] = None,
    key: KeyOption = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", help="A checkpoint kept elsewhere, or a directory of them."),
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Check every row, the tree, the checkpoints and the lists. Exit 1 if anything does not fit."""
    try:
        earlier = parse_head(expect) if expect else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expect") from None
    trusted = given_key(key)
    anchors = [note for path in checkpoint or () for note in notes_at(path)]
    started = time.monotonic()
    verdict = verify(store_directory(config, store), earlier, key=trusted, anchors=anchors)
    if json:
        output.print_json(_as_json(verdict))
    else:
        _print_verdict(verdict, time.monotonic() - started)
    if not verdict.intact:
        raise typer.Exit(1)


def given_key(text: str | None) -> VerifierKey | None:
    """The key of ``--key``.

    Raises:
        typer.BadParameter: it is none.
    """
    if text is None:
        return None
    try:
        said = read_text(Path(text)) if "+" not in text else text
        return parse_verifier_key(said)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--key") from None


def notes_at(path: Path) -> list[str]:
    """The checkpoint in a file, or all in a directory as the service ships them.

    Raises:
        typer.BadParameter: there is none.
    """
    files = sorted(path.rglob("*.checkpoint")) if path.is_dir() else [path]
    if not files:
        raise typer.BadParameter(f"{path}: no checkpoint there", param_hint="--checkpoint")
    return [read_text(file) for file in files]


def read_text(path: Path) -> str:
    """A small file.

    Raises:
        typer.BadParameter: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as source:
            return source.read(_LONGEST_FILE)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path}: not text") from None


def not_proven(verdict: LogVerdict) -> str:
    """What this result leaves open, in one paragraph."""
    said = _LEFT_OPEN[verdict.level].format(rows=verdict.anchored_rows)
    if verdict.signed_rows and not verdict.key_given:
        said += (
            " Nor whose key it is: compare its fingerprint with the published one, and give the"
            " key with --key."
        )
    return f"{said} {NEVER_PROVEN}"


def _as_json(verdict: LogVerdict) -> dict[str, object]:
    return {
        "intact": verdict.intact,
        "level": verdict.level,
        "log": verdict.log,
        "origin": verdict.origin,
        "rows": verdict.rows,
        "root": verdict.root.hex(),
        "head": str(verdict.head),
        "expected": str(verdict.expected) if verdict.expected else None,
        "checkpoints": verdict.checkpoints,
        "signed_rows": verdict.signed_rows,
        "key": verdict.key,
        "key_given": verdict.key_given,
        "anchored_rows": verdict.anchored_rows,
        "commitments_opened": verdict.opened,
        "fault_count": verdict.fault_count,
        "faults": [{"seq": fault.seq, "what": fault.what} for fault in verdict.faults],
        "not_proven": not_proven(verdict),
    }


def _print_verdict(verdict: LogVerdict, took_s: float) -> None:
    output.print_line(f"log   {verdict.log}")
    output.print_line(f"rows  {verdict.rows}")
    output.print_line(f"root  {verdict.root.hex()}")
    output.print_line(f"head  {verdict.head}")
    if verdict.checkpoints:
        whose = "given" if verdict.key_given else "as the log names it"
        output.print_line(f"key   {verdict.key or '-'} ({whose})")
        counted = _count(verdict.checkpoints, "checkpoint")
        output.print_line(f"signed    {verdict.signed_rows} rows, {counted}")
    if verdict.anchored_rows:
        output.print_line(f"anchored  {verdict.anchored_rows} rows, elsewhere")
    for fault in verdict.faults:
        output.print_line(f"FAULT {fault}")
    if verdict.fault_count > len(verdict.faults):
        output.print_line(f"FAULT and {verdict.fault_count - len(verdict.faults)} more")
    output.print_line(f"INTACT, level: {verdict.level}" if verdict.intact else "BROKEN")
    output.say(f"read in {took_s:.1f} s; {verdict.opened} commitments opened")
    if verdict.intact and verdict.expected:
        output.say(f"the first {verdict.expected.size} rows are those of the expected head")
    if verdict.intact:
        output.say(not_proven(verdict))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
