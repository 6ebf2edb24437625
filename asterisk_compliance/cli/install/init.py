"""``asterisk-compliance init``: install beside a local Asterisk, or make the officer's keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.cli.context import JsonOption
from asterisk_compliance.cli.output import print_json, print_line, say

RECIPIENT_WORDS = """\
The public key goes into compliance.toml:

    [vault]
    recipients = ["{recipient}"]"""


def init(
    *,
    name: Annotated[
        str | None, typer.Option("--name", help="Who is responsible for the recordings.")
    ] = None,
    contact: Annotated[
        str | None, typer.Option("--contact", help="Where people ask about theirs.")
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option("--recipient", help="A public key (age1…) that opens recordings; repeatable."),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option("--identity", help="A new file for the officer's private key."),
    ] = None,
    home: Annotated[
        str | None, typer.Option("--home", help="The country, such as JP; of the time zone.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", help="Such as Asia/Tokyo; the machine's.")
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option("--language", help="Of notices, ja or en; repeatable, the first one leads."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option("--preset", help="Rules of a country, such as jp; repeatable."),
    ] = None,
    node: Annotated[
        str | None, typer.Option("--node", help="What the log calls this Asterisk; pbx1.")
    ] = None,
    asterisk_conf: Annotated[
        Path | None,
        typer.Option(
            "--asterisk-conf",
            help="As Asterisk sees it; /etc/asterisk/asterisk.conf.",
        ),
    ] = None,
    asterisk_root: Annotated[
        Path | None,
        typer.Option("--asterisk-root", help="Where we see Asterisk's /, of a chroot or such."),
    ] = None,
    asterisk_version: Annotated[
        str | None,
        typer.Option("--asterisk-version", help="Where the program cannot be asked."),
    ] = None,
    etc: Annotated[Path, typer.Option("--etc", help="For compliance.toml and secrets.")] = Path(
        "/etc/asterisk-compliance"
    ),
    state: Annotated[
        Path | None,
        typer.Option("--state", help="For log and recordings; /var/lib/asterisk-compliance."),
    ] = None,
    sounds: Annotated[
        Path, typer.Option("--sounds", help="For the prompts, as Asterisk sees it.")
    ] = Path("/usr/local/share/asterisk-compliance/sounds"),
    socket: Annotated[
        Path | None,
        typer.Option("--socket", help="Of the service, for commands; in /run/asterisk-compliance."),
    ] = None,
    units: Annotated[
        Path | None,
        typer.Option("--units", help="Of systemd; /etc/systemd/system, if it is there."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", help="The service's, made if it is not there; compliance."),
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="The service's; the user's own.")
    ] = None,
    keys_only: Annotated[
        bool, typer.Option("--keys-only", help="Make the key pair of --identity, and no more.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and touch nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take defaults.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Install beside the Asterisk of this host, and say what to add to its files.

    Writes a configuration, secrets, users of ARI and AMI, the dialplan, prompts, directories and
    systemd units; changes no file of Asterisk's. Run it again after an upgrade, or after a change
    of compliance.toml: what is edited by hand is kept, and the rest follows the configuration.

    Exit status: 2 if an answer is missing, there is no Asterisk, or something cannot be made.
    """
    from asterisk_compliance.cli.install.dialogue import InstallAnswers, install

    if keys_only:
        _make_keys(identity, as_json=as_json)
        return
    given = InstallAnswers(
        name=name,
        contact=contact,
        recipients=tuple(recipient or ()),
        identity=identity,
        home=home,
        time_zone=time_zone,
        languages=tuple(language or ()),
        presets=None if preset is None else tuple(preset),
        node=node,
    )
    told = {
        "asterisk_conf": asterisk_conf,
        "asterisk_root": asterisk_root,
        "asterisk_version": asterisk_version,
        "state": state,
        "socket": socket,
        "units": units,
        "user": user,
        "group": group,
    }
    install(given, told, etc, sounds, dry_run=dry_run, asks=not yes, as_json=as_json)


def _make_keys(identity: Path | None, *, as_json: bool) -> None:
    """A key pair in a new file; status 2 if the file is there already."""
    from asterisk_compliance.age import new_identity
    from asterisk_compliance.app.install.files import write_private
    from asterisk_compliance.cli.install.dialogue import KEY_WORDS

    if identity is None:
        raise typer.BadParameter("say where the private key goes", param_hint="--identity")
    secret, recipient = new_identity()
    try:
        write_private(identity, f"# public key: {recipient}\n{secret}\n".encode())
    except FileExistsError:
        raise typer.BadParameter("there is a file already", param_hint="--identity") from None
    except OSError as error:
        raise typer.BadParameter(str(error.strerror), param_hint="--identity") from None
    if as_json:
        print_json({"identity": str(identity), "recipient": recipient})
    else:
        print_line(recipient)
    say(KEY_WORDS.format(file=identity))
    say(RECIPIENT_WORDS.format(recipient=recipient))
