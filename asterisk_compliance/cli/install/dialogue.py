"""What ``init`` asks, and what it says; ``asterisk_compliance.app.install.installation`` does the
work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from asterisk_compliance.app.install.answers import LANGUAGES, PRESETS, Answers
from asterisk_compliance.app.install.asterisk import find_asterisk
from asterisk_compliance.app.install.files import read_manifest
from asterisk_compliance.app.install.installation import (
    Installation,
    officers_key,
    prepare,
    unreachable,
)
from asterisk_compliance.app.install.manifest import MANIFEST, InstalledSite
from asterisk_compliance.app.install.places import (
    UNITS,
    InstallPaths,
    country_of,
    group_of,
    host_name,
    invoking_user,
    this_program,
    time_zone,
)
from asterisk_compliance.app.install.plan import InstallPlan, InstallStep
from asterisk_compliance.cli.output import print_json, print_line, say, stdout, table
from asterisk_compliance.domain.phone_numbers import COUNTRIES
from asterisk_compliance.errors import ConfigError

if TYPE_CHECKING:
    from asterisk_compliance.app.install.installation import OfficersKey

KEY_WORDS = """\
{file} opens every recording that is sealed from now on. Nothing else does.
Take it away from this machine before the first call: to the compliance officer, on a medium of
its own, with a copy in a safe. Then delete it here. Without it no recording can ever be heard.
A second recipient is recommended, such as the officer's deputy: make another pair with
init --keys-only, and name both in [vault].
When recordings are sealed, let the officer prove that his key opens one: recordings drill"""

_ONE_BY_ONE = 8
"""More files of one directory, all alike, are one line of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallAnswers:
    """What options say of a new configuration; what they leave out is asked."""

    name: str | None = None
    contact: str | None = None
    recipients: tuple[str, ...] = ()
    identity: Path | None = None
    home: str | None = None
    time_zone: str | None = None
    languages: tuple[str, ...] = ()
    presets: tuple[str, ...] | None = None
    node: str | None = None


def install(
    given: InstallAnswers,
    told: Mapping[str, Any],
    etc: Path,
    sounds: Path,
    *,
    dry_run: bool,
    asks: bool,
    as_json: bool,
) -> None:
    """Install, and say what is left to do.

    Args:
        given: Answers for a new configuration.
        told: Fields of a :class:`InstalledSite`; those that are ``None`` are as in the run before.
        etc: As of :class:`InstallPaths`.
        sounds: As of :class:`InstallPaths`.
        dry_run: Touch nothing.
        asks: Whether somebody may be asked.
        as_json: Print JSON.
    """
    before = read_manifest(etc.absolute() / MANIFEST).site
    places = InstallPaths(
        etc=etc.absolute(),
        site=_site(before, told),
        sounds=sounds,
        administrator=invoking_user(),
        program=this_program(),
    )
    site = places.site
    found = find_asterisk(site.asterisk_conf, site.asterisk_root, site.asterisk_version)
    say(f"Asterisk {found.version}, configured in {found.etc_here}, runs as user {found.user}")
    answers, key = None, None
    if os.path.lexists(places.config):
        _say_kept(given, places)
    else:
        if asks:
            given = _asked(given) if sys.stdin.isatty() and sys.stderr.isatty() else _whole(given)
        answers, key = _answers(given)
    prepared = prepare(answers, found, places, node=given.node, key=key)
    if not dry_run:
        _need_rights(prepared.plan)
        prepared.carry_out()
    if as_json:
        print_json(_as_json(prepared))
    else:
        _show(prepared)
    for warning in _warnings(prepared):
        say(f"warning: {warning}")
    if key is not None and key.text and not dry_run:
        say(KEY_WORDS.format(file=key.path))


def _site(before: InstalledSite | None, told: Mapping[str, Any]) -> InstalledSite:
    """What options say, else what the run before was told, else the defaults."""
    said = {name: value for name, value in told.items() if value is not None}
    for name in ("asterisk_root", "state", "socket", "units"):
        if name in said:
            said[name] = said[name].absolute()
    first = InstalledSite(units=UNITS if UNITS.is_dir() else None)
    site = replace(before or first, **said)
    if before is None or "user" in said:
        site = replace(site, group=said.get("group") or group_of(site.user))
    return site


def _say_kept(given: InstallAnswers, places: InstallPaths) -> None:
    if given != InstallAnswers(node=given.node):
        say(f"{places.config} is there, and stays as it is: what it says holds, not the options")


# -- answers -----------------------------------------------------------------------------------


def _asked(given: InstallAnswers) -> InstallAnswers:
    """With what somebody at the terminal answers."""

    def ask(said: str | None, question: str, default: str) -> str:
        return said if said is not None else str(typer.prompt(question, default, err=True)).strip()

    host = host_name()
    name = ask(given.name, "Who is responsible for the recordings", host)
    contact = ask(given.contact, "Where people ask about theirs", f"root@{host}")
    home = country_of(given.time_zone or time_zone()) or ""
    if given.home is None:
        question = "Country of this site (JP, US, …)"
        home = typer.prompt(question, home, err=True, value_proc=_country)
    given = replace(given, name=name, contact=contact, home=given.home or home)
    if given.recipients or given.identity:
        return given
    say("Recordings are encrypted to public keys of the compliance officer, age1… Without one,")
    say("they are NOT ENCRYPTED. A file name makes a new key pair, the private key in that file.")
    key = ask(None, "Public key, or a new file, or nothing", "")
    if key.startswith("age1"):
        return replace(given, recipients=(key,))
    return replace(given, identity=Path(key)) if key else given


def _country(said: str) -> str:
    """A country, or nothing; whatever else is asked for again."""
    country = said.strip().upper()
    if country and country not in COUNTRIES:
        raise typer.BadParameter(f"{country} is no ISO 3166-1 country code")
    return country


def _whole(given: InstallAnswers) -> InstallAnswers:
    """What is given, where nobody can be asked.

    Raises:
        ConfigError: something is missing.
    """
    said = {
        "--name NAME": given.name,
        "--contact ADDRESS": given.contact,
        "--recipient age1… or --identity FILE": given.recipients or given.identity,
    }
    problems = [f"{option}: is missing" for option, value in said.items() if not value]
    if problems:
        hint = "--yes takes defaults: this host's name, and no encryption"
        raise ConfigError("init", problems, hint=hint)
    return given


def _answers(given: InstallAnswers) -> tuple[Answers, OfficersKey | None]:
    """Answers for a new configuration, with defaults for the rest."""
    key = officers_key(given.identity) if given.identity else None
    zone = given.time_zone or time_zone()
    home = given.home if given.home is not None else country_of(zone)
    usual = (PRESETS[home],) if home and home in PRESETS else ()
    answers = Answers(
        name=given.name or host_name(),
        contact=given.contact or f"root@{host_name()}",
        node=given.node or "pbx1",
        home=home or None,
        time_zone=zone,
        languages=given.languages or (LANGUAGES if home == "JP" else ("en",)),
        presets=usual if given.presets is None else given.presets,
        recipients=(*given.recipients, *([key.recipient] if key else [])),
    )
    return answers, key


def _need_rights(plan: InstallPlan) -> None:
    """Only root gives files away.

    Raises:
        ConfigError: somebody else wants to.
    """
    own = invoking_user()
    others = [step for step in plan.work if step.wanted.owner != own[0]]
    if os.geteuid() != 0 and (others or plan.account):
        hint = "run it as root; --dry-run says what it would do"
        raise ConfigError("init", ["files and users are made that are not yours"], hint=hint)


# -- what is said ------------------------------------------------------------------------------


def _warnings(prepared: Installation) -> Iterator[str]:
    yield from prepared.advice.warnings
    closed = unreachable(prepared.places.program)
    if prepared.places.site.units and closed:
        yield (
            f"the service cannot reach {prepared.places.program}: {closed} is closed to it."
            " Install the package elsewhere, such as in /opt, and run init again"
        )
    if os.geteuid() != 0:
        yield "you are not root: what you cannot read of Asterisk's files says nothing here"


def _show(prepared: Installation) -> None:
    columns = ("path", "is", "mode", "owner", "why")
    stdout().print(table(columns, _lines(prepared)))
    advice = prepared.advice
    if advice.additions:
        print_line("Add to Asterisk's own files, which are yours:")
        for one in advice.additions:
            print_line("")
            print_line(f"    {one.file}, {one.where} ({one.why}):")
            for line in one.lines:
                print_line(f"        {line}")
        print_line("")
    if advice.dialplan:
        print_line("Before the Queue() or Dial() of each call that shall be recorded:")
        print_line("")
        for line in advice.dialplan:
            print_line(f"    {line}")
        print_line("")
    if advice.commands or advice.additions:
        print_line("Then:")
        print_line("")
        config = prepared.places.config
        named = "" if config == InstallPaths().config else f" -c {config}"
        for command in (*advice.commands, f"asterisk-compliance check{named}"):
            print_line(f"    {command}")


def _lines(prepared: Installation) -> Iterator[tuple[object, ...]]:
    plan = prepared.plan
    if account := plan.account:
        groups = f" (in {', '.join(account.joined)})" if account.joined else ""
        yield f"user {account.user}{groups}", "new" if account.made else "changed", "", "", ""
    for _, group in groupby(plan.steps, _kind):
        steps = list(group)
        if len(steps) > _ONE_BY_ONE:
            name = f"{steps[0].wanted.path.parent}/* ({len(steps)} files)"
            yield name, *_cells(steps[0])
        else:
            yield from ((step.wanted.path, *_cells(step)) for step in steps)
    why = "" if plan.manifest_has_rights else "owner or mode"
    yield prepared.places.manifest, _manifest_is(plan), "0644", plan.steps[0].wanted.owner, why


def _kind(step: InstallStep) -> tuple[object, ...]:
    """Files of one directory that are alike, and each directory by itself."""
    is_file = step.wanted.content is not None
    return (step.wanted.path.parent, *_cells(step)) if is_file else (step.wanted.path,)


def _cells(step: InstallStep) -> tuple[str, str, str, str]:
    wanted = step.wanted
    return step.state, f"{wanted.mode:04o}", f"{wanted.owner}:{wanted.group}", step.why


def _manifest_is(plan: InstallPlan) -> str:
    if plan.changes_nothing:
        return "same"
    return "changed" if plan.before.site else "new"


def _as_json(prepared: Installation) -> dict[str, object]:
    plan, found = prepared.plan, prepared.found
    return {
        "asterisk": {
            "version": found.version,
            "etc": str(found.etc_here),
            "user": found.user,
            "group": found.group,
        },
        "configuration": str(prepared.places.config),
        "recipients": prepared.settings.vault.recipients,
        "account": plan.account and {"user": plan.account.user, "joins": plan.account.joined},
        "paths": [
            {
                "path": str(step.wanted.path),
                "is": step.state,
                "mode": f"{step.wanted.mode:04o}",
                "owner": step.wanted.owner,
                "group": step.wanted.group,
                "why": step.why,
            }
            for step in plan.steps
        ],
        "manifest": {"path": str(prepared.places.manifest), "is": _manifest_is(plan)},
        "additions": [
            {"file": str(one.file), "where": one.where, "lines": one.lines, "why": one.why}
            for one in prepared.advice.additions
        ],
        "dialplan": prepared.advice.dialplan,
        "commands": prepared.advice.commands,
        "warnings": list(_warnings(prepared)),
    }
