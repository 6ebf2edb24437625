"""What the demo leaves behind: a directory in which every command can be tried."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asterisk_compliance.age import decrypt, new_identity
from asterisk_compliance.shipped import catalogue
from lab.g711 import Pcm
from lab.site import Site
from lab.wav import read_wav

MARKER = ".compliance-demo"
"""Stands in a directory that a later demo may replace; nothing else is ever deleted."""


def make_output(output: Path) -> bool:
    """An empty directory for the demo's results; ``False`` if it holds somebody else's files."""
    if output.exists() and any(output.iterdir()):
        if not (output / MARKER).exists():
            return False
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / MARKER).write_text("Made by ./scripts/demo, which replaces it when run again.\n")
    return True


def make_officer(output: Path) -> tuple[str, str]:
    """The key pair of the demo's compliance officer, who keeps the private one elsewhere."""
    identity, recipient = new_identity()
    (output / "officer").mkdir(mode=0o700)
    key = output / "officer/officer.key"
    key.touch(mode=0o600)
    key.write_text(f"# public key: {recipient}\n{identity}\n")
    return identity, recipient


@contextmanager
def opened(sealed: Path, identity: str) -> Iterator[tuple[Path, str]]:
    """A recording as the officer hears it, in a file that goes again; and its SHA-256."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as plain:
        with sealed.open("rb") as file:
            sha256 = decrypt(file, plain, identity).sha256
        plain.flush()
        yield Path(plain.name), sha256


def install_prompts(sounds: Path) -> None:
    """The shipped prompts, as ``asterisk-compliance sounds install`` copies them."""
    for prompt in catalogue.shipped_prompts().values():
        (sounds / prompt.language).mkdir(exist_ok=True)
        for suffix in catalogue.SAMPLE_RATE_SUFFIXES:
            name = f"{prompt.id}{suffix}"
            source = catalogue.sounds() / prompt.language / name
            (sounds / prompt.language / name).write_bytes(source.read_bytes())


def shipped_audio(language: str) -> Pcm:
    return read_wav(Path(str(catalogue.sounds() / language / "notice-standard.wav")))[0]


def leave_behind(site: Site, output: Path) -> None:
    """Copy store, vault, spool, prompts and secrets, and a configuration that finds them there."""
    state = site.directory / "state"
    for name in ("store", "recordings", "secrets"):
        shutil.copytree(state / name, output / name)
    shutil.copytree(site.asterisk.spool_here, output / "spool")
    shutil.copy(site.service.log, output / "service.log")
    (output / "sounds").mkdir()
    install_prompts(output / "sounds")
    text = site.service.config.read_text()
    for before, after in (
        (f'spool_here = "{site.asterisk.spool_here}"', f'spool_here = "{output}/spool"'),
        (f'sounds_here = "{site.asterisk.sounds_here}"', f'sounds_here = "{output}/sounds"'),
        (str(state), str(output)),
    ):
        text = text.replace(before, after)
    (output / "compliance.toml").write_text(text)
    for path in (output, *output.rglob("*")):
        if os.getuid() == 0:
            os.chown(path, 0, 0)
