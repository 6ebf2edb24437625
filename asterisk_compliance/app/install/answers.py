"""Makes ``compliance.toml`` for a site: the shipped example with the operator's answers.

So an installation has every setting and every comment of ``examples/compliance.toml``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from asterisk_compliance.app.install.asterisk import FoundAsterisk
from asterisk_compliance.app.install.places import InstallPaths

LANGUAGES: Final = ("ja", "en")
"""In which the package has prompts."""
PRESETS: Final[Mapping[str, str]] = {"JP": "jp", "US": "us-all-party"}
"""Presets that the shipped notices satisfy, by the country of the site."""

_HEAD: Final = """\
# Written by asterisk-compliance init, and yours from now on: it is never written again.
# Every setting is explained in docs/configuration.md.
"""
_EXAMPLE_HEAD: Final = re.compile(r"\A# A complete configuration\..*\n")

ConfigValues = Mapping[tuple[str, str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What an installation has to be told.

    Attributes:
        name, contact: Of who is responsible for the recordings.
        home: The country, ISO 3166-1, if it is known.
        languages: Of notices, the first one for who speaks none of them.
        recipients: Public keys; without any, nothing is encrypted.
    """

    name: str
    contact: str
    node: str = "pbx1"
    home: str | None = None
    time_zone: str = "UTC"
    languages: tuple[str, ...] = LANGUAGES
    presets: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()


def configuration(answers: Answers, asterisk: FoundAsterisk, places: InstallPaths) -> str:
    """The text of a new ``compliance.toml``."""
    here, http, ami = asterisk.here, asterisk.http, asterisk.ami
    spool = _spool(asterisk)
    elsewhere = here(spool) != spool
    by_events = asterisk.events is not None and not asterisk.has_records
    host = f"[{http.host}]" if ":" in http.host else http.host
    values: ConfigValues = {
        ("controller", "name"): _text(answers.name),
        ("controller", "contact"): _text(answers.contact),
        ("asterisk", "node"): _text(answers.node),
        ("asterisk", "spool"): _text(spool),
        ("asterisk", "sounds"): _text(places.sounds),
        ("asterisk", "spool_here"): _text(here(spool)) if elsewhere else None,
        ("asterisk", "sounds_here"): _text(here(places.sounds)) if elsewhere else None,
        ("asterisk", "dialplan"): _text(asterisk.dialplan) if asterisk.dialplan else None,
        ("asterisk.ari", "url"): _text(f"http://{host}:{http.port}{http.prefix}/ari"),
        ("asterisk.ari", "secret_file"): _text(places.ari_secret),
        ("asterisk.ami", "host"): _text(ami.host),
        ("asterisk.ami", "port"): str(ami.port),
        ("asterisk.ami", "secret_file"): _text(places.ami_secret),
        ("policy", "languages"): _texts(answers.languages),
        ("rules", "home"): _text(answers.home) if answers.home else None,
        ("rules", "time_zone"): _text(answers.time_zone),
        ("rules", "presets"): _texts(answers.presets),
        ("audit", "store"): _text(places.site.state / "store"),
        ("vault", "recordings"): _text(places.site.state / "recordings"),
        ("vault", "recipients"): _texts(answers.recipients) if answers.recipients else None,
        ("vault", "encryption"): None if answers.recipients else _text("off"),
        ("service", "socket"): _text(places.site.socket),
        ("reconcile", "cdr"): None if by_events else _texts([asterisk.records]),
        ("reconcile", "cel"): _texts([asterisk.events]) if by_events else None,
    }
    example = (files("asterisk_compliance") / "data/compliance.toml").read_text(encoding="utf-8")
    return with_values(_EXAMPLE_HEAD.sub(_HEAD, example), values)


def _spool(asterisk: FoundAsterisk) -> Path:
    """FreePBX gives all that is below Asterisk's own spool back to Asterisk, again and again."""
    own = asterisk.spool
    return own.with_name(f"{own.name}-compliance") if asterisk.custom else own / "compliance"


def with_values(text: str, values: ConfigValues) -> str:
    """A configuration with other values; ``None`` leaves a setting to its default.

    A setting is found where it stands, commented out or not; a value equal to what a comment
    shows as the default stays a comment. In tables that are there several times all are set.

    Raises:
        KeyError: the text does not have one of the settings.
    """
    missing = set(values)
    lines = []
    table = ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"#?\[+([\w.]+)\]+", line):
            table = heading[1]
        setting = re.fullmatch(r"(#?)(\w+) = (.*)", line)
        key = (table, setting[2]) if setting else ("", "")
        if setting is None or key not in values:
            lines.append(line)
            continue
        missing.discard(key)
        value = values[key]
        is_default = value is None or (setting[1] == "#" and setting[3] == value)
        shown = setting[3] if value is None else value
        lines.append(f"{'#' if is_default else ''}{setting[2]} = {shown}")
    if missing:
        raise KeyError(*sorted(missing))
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    """As TOML writes it. JSON's escapes are TOML's, but for one character that JSON leaves bare."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: object) -> str:
    assert isinstance(values, tuple | list)
    return f"[{', '.join(map(_text, values))}]"
