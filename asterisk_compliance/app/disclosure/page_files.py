"""The files of the page about recording, and what a published copy of one says otherwise.

One HTML file for each language, which needs no script and no other file, and prints on A4; and the
same for machines, as JSON.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, StrictUndefined

from asterisk_compliance.domain.disclosure.publication import LegalBasis
from asterisk_compliance.domain.disclosure.published_page import (
    PublishedPage,
    PublishedPeriod,
    PublishedPurpose,
    differences,
    lines_apart,
    read_lines,
)
from asterisk_compliance.domain.periods import read_period
from asterisk_compliance.domain.policy.notice import Consent
from asterisk_compliance.errors import ConfigError

LANGUAGES = ("ja", "en")
"""In which the page is written; a site's own texts stand in the one that it says."""
JSON_NAME = "recording.json"
LARGEST_BYTES = 1 << 20
"""Of a published copy: many times what we write."""

NAMES = (*(f"recording.{language}.html" for language in LANGUAGES), JSON_NAME)
"""Of all files that are made."""

_TEMPLATE = Path(__file__).with_name("page.html")


def html_name(language: str) -> str:
    return f"recording.{language}.html"


def files_of(page: PublishedPage, languages: Iterable[str] = LANGUAGES) -> Mapping[str, bytes]:
    """Every file by its name; the same page has the same bytes."""
    made = {html_name(language): as_html(page, language) for language in languages}
    return {**made, JSON_NAME: as_json(page)}


def as_json(page: PublishedPage) -> bytes:
    body = msgspec.json.encode(page, order="sorted")
    return msgspec.json.format(body, indent=2) + b"\n"


def as_html(page: PublishedPage, language: str) -> bytes:
    """The page for people, UTF-8. Whatever a configuration says is escaped."""
    words = _words()[language]
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )

    def tongue(by_language: Mapping[str, Any]) -> str:
        """In which language it is said: the page's own if it can be; empty: in none."""
        known = (language, *LANGUAGES, *sorted(by_language))
        return next((one for one in known if one in by_language), "")

    def text(by_language: Mapping[str, Any]) -> Any:
        return by_language.get(tongue(by_language), "")

    def label(purpose: PublishedPurpose) -> str:
        return str(text(purpose.label) or purpose.code)

    def kept(periods: PublishedPeriod) -> list[str]:
        limits = ("needed", "at_least", "at_most")
        said = {name: getattr(periods, name) for name in limits}
        lines = [words[name].format(_period(one, words)) for name, one in said.items() if one]
        return lines if periods.needed or periods.at_most else [words["undated"], *lines]

    rendered = environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        page=page,
        language=language,
        words=words,
        text=text,
        tongue=tongue,
        label=label,
        kept=kept,
        period=lambda one: _period(one, words),
        day=lambda one: _day(one, words),
        country=lambda code: _country(code, language),
        based=any(purpose.basis for purpose in page.purposes),
        consented=_consented(page),
    )
    return rendered.encode() + b"\n"


def differs(name: str, content: bytes, page: PublishedPage) -> list[str]:
    """What a published copy says otherwise than the page as it is now; empty: nothing.

    A copy is known by what it is, not by its name: JSON, or HTML in the language that it says. What
    a site puts around our part of it, and how it is laid out, does not count.

    Args:
        name: Of the file, for the error.
        content: Of the published copy.
        page: As the configuration has it now.

    Raises:
        ConfigError: it is no copy of such a page.
    """
    if len(content) > LARGEST_BYTES:
        raise ConfigError(name, [f"is longer than {LARGEST_BYTES} bytes"])
    try:
        copy = content.decode()
    except UnicodeDecodeError:
        raise ConfigError(name, ["is not UTF-8 text"]) from None
    if not copy.lstrip().startswith("<"):
        return _json_differs(name, content, page)
    published = read_lines(copy)
    if not published:
        problem = 'has no part of ours: <main id="call-recording">'
        raise ConfigError(name, [problem], hint="name a file that publish notice-page has written")
    pages = {language: read_lines(as_html(page, language).decode()) for language in LANGUAGES}
    own = max(LANGUAGES, key=lambda language: len({*pages[language]} & {*published}))
    return list(lines_apart(published, pages[own]))


def _json_differs(name: str, content: bytes, page: PublishedPage) -> list[str]:
    try:
        published = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        raise ConfigError(name, ["is neither HTML nor JSON"]) from None
    return list(differences(published, msgspec.json.decode(as_json(page))))


def _period(text: str, words: Mapping[str, Any]) -> str:
    period = read_period(text)
    one_or_many = str(period.unit) if period.count == 1 else f"{period.unit}s"
    forms = words["periods"]
    return str(forms.get(one_or_many, forms[str(period.unit)]).format(period.count))


def _day(text: str, words: Mapping[str, Any]) -> str:
    day = date.fromisoformat(text)
    return str(words["date"].format(year=day.year, month=day.month, day=day.day))


def _country(code: str, language: str) -> str:
    """Its name, and the code of ISO 3166-1; the code alone where no name is known."""
    from phonenumbers import example_number, geocoder

    number = example_number(code)
    name = geocoder.country_name_for_number(number, language) if number is not None else ""
    return f"{name} ({code})" if name else code


def _consented(page: PublishedPage) -> bool:
    """Whether anybody gives a consent that can be taken back (GDPR Article 13(2)(c))."""
    asked = {asks for notice in page.notices for asks in notice.asks}
    bases = {purpose.basis for purpose in page.purposes}
    return LegalBasis.CONSENT in bases or not asked <= {Consent.NOTICE}


@cache
def _words() -> Mapping[str, Any]:
    source = files("asterisk_compliance") / "data" / "publication.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


def copies_in(paths: Iterable[Path]) -> list[Path]:
    """The files themselves, and of a directory those of our names.

    Raises:
        ConfigError: a directory has none of them.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        there = [path / name for name in NAMES if (path / name).exists()]
        if not there:
            raise ConfigError(str(path), [f"has none of {', '.join(NAMES)}"])
        found += there
    return found


def absent_in(paths: Iterable[Path]) -> list[Path]:
    """What a directory could have of our names, and has not: a site may publish less."""
    directories = [path for path in paths if path.is_dir()]
    possible = [path / name for path in directories for name in NAMES]
    return [path for path in possible if not path.exists()]


def read_copy(path: Path) -> bytes:
    """A published copy, at most as long as one can be.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from None


def write_files(directory: Path, made: Mapping[str, bytes]) -> list[Path]:
    """Write the files, each whole or not at all; returns their paths.

    Raises:
        ConfigError: one cannot be written.
    """
    written = []
    for name, content in made.items():
        path = directory / name
        aside = path.with_name(f".{name}.part")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(content)
            aside.chmod(0o644)
            aside.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise ConfigError(str(path), [f"cannot be written: {error.strerror}"]) from None
        written.append(path)
    return written
