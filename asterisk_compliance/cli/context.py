"""What every command needs: where the store is, and what a time on the command line means."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.errors import ConfigError

_HERE = Path("compliance.toml")
_INSTALLED = Path("/etc/asterisk-compliance/compliance.toml")


def default_config(here: Path = _HERE, installed: Path = _INSTALLED) -> Path:
    """The configuration in the current directory; without one, that of ``init``, if it was run."""
    return installed if installed.parent.is_dir() and not here.exists() else here


DEFAULT_CONFIG = default_config()

ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Configuration; compliance.toml here, or init's, unless given."
    ),
]
ConfigFileOption: TypeAlias = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.")
]
StoreOption: TypeAlias = Annotated[
    Path | None, typer.Option("--store", help="The store itself, instead of a configuration.")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]

LONGEST_LINE = 256
"""Of what is read instead of a number."""

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def store_directory(config: Path | None, store: Path | None) -> Path:
    """The store that ``--store`` names, else the one of the configuration.

    Raises:
        ConfigError: neither is given and there is no :data:`DEFAULT_CONFIG`, or it is wrong.
    """
    if store is not None:
        return store
    path = config or DEFAULT_CONFIG
    if config is None and not path.exists():
        raise ConfigError(
            str(path),
            ["there is no such file"],
            hint="say --config FILE, or --store DIR to read a store without its configuration",
        )
    from asterisk_compliance.config.settings import load

    return Path(load(path, secrets=False).audit.store)


def typed(number: str) -> str:
    """A number from the command line; ``-`` is read from standard input.

    Then no list of processes and no history of a shell has it.
    """
    return sys.stdin.readline(LONGEST_LINE).strip() if number == "-" else number


def moment(text: str | None, zone: tzinfo = UTC) -> str | None:
    """A time from the command line as it stands in rows.

    ISO 8601, in ``zone`` unless it says another one (``2026-11-24``, ``2026-11-24T09:00+09:00``),
    or how long ago (``90s``, ``15m``, ``2h``, ``7d``, ``4w``).

    Raises:
        typer.BadParameter: it is neither.
    """
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        seconds = time.time() - int(ago[1]) * _SECONDS[ago[2]]
        return timestamp(max(0, int(seconds * 1000)))
    try:
        when = datetime.fromisoformat(text)
        at = when if when.tzinfo else when.replace(tzinfo=zone)
        return timestamp(int(at.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time; write 2026-11-24, 2026-11-24T09:00+09:00, or 2h (ago)"
        ) from None


def duration_ms(text: str | None) -> int | None:
    """How long, from the command line, in milliseconds: ``90s``, ``5m``, ``2h``.

    Raises:
        typer.BadParameter: it is none.
    """
    if text is None:
        return None
    if (said := _AGO.fullmatch(text)) is None:
        raise typer.BadParameter(f"{text!r} is no length of time; write 90s, 5m or 2h")
    return int(said[1]) * _SECONDS[said[2]] * 1_000
