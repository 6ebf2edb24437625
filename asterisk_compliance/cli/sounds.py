"""``asterisk-compliance sounds``: the shipped prompts, and a linter for the words of any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.app.policy.policies import Policies
from asterisk_compliance.cli.context import JsonOption
from asterisk_compliance.cli.output import print_json, say, stdout, table
from asterisk_compliance.domain.disclosure.wording_lint import (
    LintSeverity,
    PromptKind,
    WordingFinding,
    lint,
)
from asterisk_compliance.domain.policy.notice import Consent, ToldBy
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped import catalogue

app = typer.Typer(help="The shipped prompts.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_prompts(as_json: JsonOption = False) -> None:
    """List the prompts: id, language, kind, length, the purposes and keys they say, their words."""
    prompts = list(catalogue.shipped_prompts().values())
    if as_json:
        print_json(prompts)
        return
    lines = [
        (
            p.id,
            p.language,
            p.kind,
            f"{p.length_ms / 1_000:.1f} s",
            "&".join(p.purposes),
            " ".join(f"{role}={key}" for role, key in p.digits.items()),
            p.text,
        )
        for p in prompts
    ]
    columns = ("prompt", "language", "kind", "length", "purposes", "keys", "words")
    stdout().print(table(columns, lines))


@app.command("install")
def install(
    directory: Annotated[
        Path, typer.Argument(help="Asterisk's directory for them: `sounds` in the configuration.")
    ],
) -> None:
    """Copy the prompts to where Asterisk plays them from, one directory per language.

    A file that is there already is replaced only if it differs.
    """
    written = 0
    try:
        for prompt in catalogue.shipped_prompts().values():
            target = directory / prompt.language
            target.mkdir(parents=True, exist_ok=True)
            for suffix in catalogue.SAMPLE_RATE_SUFFIXES:
                file = target / f"{prompt.id}{suffix}"
                source = catalogue.sounds() / prompt.language / file.name
                audio = source.read_bytes()
                if not file.exists() or file.read_bytes() != audio:
                    file.write_bytes(audio)
                    file.chmod(0o644)
                    written += 1
    except OSError as error:
        raise ConfigError(str(directory), [f"{error.filename}: {error.strerror}"]) from None
    say(f"{written} files written to {directory}")


@dataclass(frozen=True, slots=True)
class _Linted:
    """A wording, by the id of its prompt or notice, and what is wrong with it."""

    wording: str
    language: str
    findings: tuple[WordingFinding, ...]


@app.command("lint")
def lint_wordings(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Lint the notices of this configuration instead."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with the words of the shipped prompts, or of a configuration's notices.

    Ends with status 1 if a finding is an error; advice alone is status 0.
    """
    linted = list(_shipped() if config is None else _configured(config))
    lines = [
        {"wording": entry.wording, "language": entry.language}
        | {name: getattr(finding, name) for name in ("id", "severity", "what", "hint")}
        for entry in linted
        for finding in entry.findings
    ]
    errors = sum(line["severity"] is LintSeverity.ERROR for line in lines)
    if as_json:
        print_json(lines)
    elif lines:
        columns = ("wording", "language", "id", "severity", "what", "hint")
        stdout().print(table(columns, [tuple(line.values()) for line in lines]))
    say(
        f"{_count(len(linted), 'wording')}: {_count(errors, 'error')}, {len(lines) - errors} advice"
    )
    raise typer.Exit(1 if errors else 0)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _shipped() -> Iterator[_Linted]:
    purposes = catalogue.shipped_purposes()
    for prompt in catalogue.shipped_prompts().values():
        findings = lint(
            prompt.text,
            prompt.language,
            purposes=[purposes[code] for code in prompt.purposes],
            length_ms=prompt.length_ms,
            kind=prompt.kind,
            digits=prompt.digits,
            pointers={} if prompt.told_by is ToldBy.PUBLICATION else None,
        )
        yield _Linted(prompt.id, prompt.language, findings)


def _configured(path: Path) -> Iterator[_Linted]:
    """Each notice of each language once, even if several Asterisks play it.

    What a wording has to say of keys follows from the policies that use its notice.
    """
    from asterisk_compliance.app.policy.prompts import pointers, policies_for, purposes_of
    from asterisk_compliance.config.settings import load

    settings = load(path, secrets=False)
    purposes = purposes_of(settings)
    seen: set[tuple[str, str]] = set()
    for asterisk in settings.asterisk:
        policies = policies_for(asterisk, settings, str(path))
        for entry in policies.registered:
            notice, wording = entry.notice, entry.wording
            key = (notice.label(wording.language), wording.audio_digest)
            if key in seen:
                continue
            seen.add(key)
            kind, digits = _asked(policies, notice.id)
            findings = lint(
                wording.text,
                wording.language,
                purposes=[purposes[code] for code in notice.purposes],
                length_ms=wording.length_ms,
                kind=kind,
                digits=digits,
                pointers=pointers(settings, wording.language)
                if notice.told_by is ToldBy.PUBLICATION
                else None,
            )
            yield _Linted(notice.id, wording.language, findings)


def _asked(policies: Policies, notice: str) -> tuple[PromptKind, dict[str, str]]:
    """What the policies that use a notice ask by it, and by which keys."""
    kind, digits = PromptKind.NOTICE, {}
    for name, plan in policies.plans.items():
        for consent in policies.reach(name)["consent"]:
            if plan.notices[consent].id != notice or consent is Consent.NOTICE:
                continue
            digits["refuse"] = plan.keys.refuse
            if consent is Consent.OPT_IN:
                kind = PromptKind.QUESTION
                digits["accept"] = plan.keys.accept
    return kind, digits
