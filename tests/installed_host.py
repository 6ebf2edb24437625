"""A host with the files of an Asterisk below one directory, for whoever installs beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from asterisk_compliance.cli.main import app

ASTERISK_CONF = """
[directories]
astetcdir => /etc/asterisk
astspooldir => /var/spool/asterisk
astrundir => /var/run/asterisk
astlogdir => /var/log/asterisk
"""
FILES = {
    "asterisk.conf": ASTERISK_CONF,
    "extensions.conf": "[from-trunk]\nexten => 1,1,Queue(support)\n",
    "features.conf": "[general]\n[featuremap]\nblindxfer = ##\n",
    "http.conf": "[general]\nenabled = no\n;enabled = yes\nbindaddr = 127.0.0.1\n",
    "ari.conf": "[general]\nenabled = yes\n",
    "manager.conf": "[general]\nenabled = no\nport = 5039\n",
    "cdr.conf": "[general]\n[csv]\nloguniqueid = yes\n",
}

Seen = Mapping[Path, tuple[int, int, int, bytes]]


class Host:
    """Below ``directory`` is Asterisk's root, and everything of ours beside it."""

    def __init__(self, directory: Path, version: str = "22.10.1") -> None:
        self.directory = directory
        self.version = version
        self.root = directory / "root"
        self.conf = self.root / "etc/asterisk"
        for name in ("etc/asterisk", "var/spool/asterisk", "var/run/asterisk", "usr/local/share"):
            (self.root / name).mkdir(parents=True, mode=0o755)
        for name, text in FILES.items():
            (self.conf / name).write_text(text)
        self.etc, self.state = directory / "ours/etc", directory / "ours/state"
        (directory / "ours").mkdir()
        (directory / "units").mkdir()
        self.config = self.etc / "compliance.toml"
        self.manifest = self.etc / "installed.json"

    @property
    def options(self) -> list[str]:
        return [
            *("--asterisk-root", str(self.root), "--asterisk-version", self.version),
            *("--state", str(self.state), "--units", str(self.directory / "units")),
            *("--socket", str(self.state / "control.sock")),
            *("--user", str(os.getuid()), "--group", str(os.getgid())),
        ]

    def run(self, command: str, *words: str) -> Result:
        return CliRunner().invoke(app, [command, "--etc", str(self.etc), *words])

    def init(self, *words: str) -> dict[str, Any]:
        """As somebody does who takes every default; what ``--json`` prints."""
        result = self.run("init", *self.options, "--yes", "--json", *words)
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    def again(self) -> dict[str, Any]:
        """Without any option: where everything is, it knows."""
        result = self.run("init", "--json")
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    def seen(self) -> Seen:
        """Everything there is, and when each file was written."""
        return dict(_seen(self.directory))


def _seen(directory: Path) -> Iterator[tuple[Path, tuple[int, int, int, bytes]]]:
    for path in sorted(directory.rglob("*")):
        found = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        at = found.st_mtime_ns if plain else 0
        yield path, (found.st_mode, found.st_uid, at, path.read_bytes() if plain else b"")


def states(said: Mapping[str, Any]) -> dict[str, str]:
    """What ``init`` says of each path, by the path."""
    return {one["path"]: one["is"] for one in said["paths"]}
