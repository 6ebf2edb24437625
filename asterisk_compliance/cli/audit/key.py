"""``asterisk-compliance audit key``: the key that signs the log's checkpoints."""

from __future__ import annotations

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.context import (
    DEFAULT_CONFIG,
    ConfigFileOption,
    ConfigOption,
    JsonOption,
    StoreOption,
    store_directory,
)
from asterisk_compliance.domain.audit.signed_note import VerifierKey, parse_verifier_key
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.proofs.prover import key_chain

app = typer.Typer(no_args_is_help=True, help="The key that signs checkpoints of the log.")


@app.command("show")
def show(
    *, json: JsonOption = False, config: ConfigOption = None, store: StoreOption = None
) -> None:
    """Print the public key and its fingerprint, and those before it. No secret is read."""
    with StoreReader(store_directory(config, store)) as reader:
        entries = key_chain(reader).entries
    if not entries:
        raise StoreUnavailable("this log has no key yet", hint="the first start makes it")
    current = entries[-1].key
    if json:
        history = [{"seq": one.seq, "key": str(one.key), "vouched": one.vouched} for one in entries]
        output.print_json(_as_json(current) | {"history": history})
        return
    _print_key(current)
    for one in entries[:-1]:
        output.say(f"before, from row {one.seq} on: {one.key.fingerprint}")
    if len(entries) > 1 and not entries[-1].vouched:
        output.say("the key before it has not vouched for it: docs/keys.md")


@app.command("new")
def new(config: ConfigFileOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Make the first key of a log, and the log with it; the first start does the same."""
    from asterisk_compliance.app.audit.signing_keys import first_key
    from asterisk_compliance.config.settings import load

    _print(first_key(load(config, secrets=False)), json=json)


@app.command("rotate")
def rotate(config: ConfigFileOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Hand over to a new key, which the old one signs, in your name. Publish its fingerprint.

    Through the running service; if it does not run, with the store's exclusive lock.
    """
    from asterisk_compliance.app.audit.signing_keys import rotate_alone
    from asterisk_compliance.app.shared.control_socket import ask
    from asterisk_compliance.cli.audit.mark import this_user
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    answer = ask(settings.service.socket, "rotate-key", {})
    if answer is None:
        _print(rotate_alone(settings, this_user()), json=json)
    else:
        _print(parse_verifier_key(str(answer["key"])), json=json)


@app.command("replace")
def replace(config: ConfigFileOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Make a new key after the old one was lost; nobody vouches for it. Publish its fingerprint.

    The service must not run, and the file of the old key must not be there.
    """
    from asterisk_compliance.app.audit.signing_keys import replace_alone
    from asterisk_compliance.cli.audit.mark import this_user
    from asterisk_compliance.config.settings import load

    _print(replace_alone(load(config, secrets=False), this_user()), json=json)


def _print(key: VerifierKey, *, json: bool) -> None:
    if json:
        output.print_json(_as_json(key))
    else:
        _print_key(key)


def _print_key(key: VerifierKey) -> None:
    output.print_line(f"key          {key}")
    output.print_line(f"fingerprint  {key.fingerprint}")


def _as_json(key: VerifierKey) -> dict[str, object]:
    return {"key": str(key), "fingerprint": key.fingerprint}
