"""Build the wheel and the source distribution twice, and keep them if both times are the same.

    dist.py [DIRECTORY]    dist unless given; a SHA256SUMS is written beside them

Both times from the source distribution, in two places, with other dates of files and another umask:
so it is whole, and anybody can make the same bytes again.
SOURCE_DATE_EPOCH sets the date inside; without it that is a fixed one, whenever it is built.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build(source: Path, into: Path, umask: int = 0o022, *, only: str = "sdist,wheel") -> Path:
    """What ``source`` makes, in the directory ``into``."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", into.resolve()]
    for target in only.split(","):
        command += ["--target", target]
    subprocess.run(
        command, check=True, cwd=source, umask=umask, stdout=subprocess.DEVNULL, timeout=300
    )
    return into


def digests(directory: Path) -> dict[str, str]:
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in directory.iterdir()}


def unpacked(archive: Path, into: Path, unix_s: int) -> Path:
    """Its one directory, with files of this date."""
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    (directory,) = into.iterdir()
    for path in directory.rglob("*"):
        os.utime(path, (unix_s, unix_s))
    return directory


def main() -> int:
    into = Path(sys.argv[1] if sys.argv[1:] else ROOT / "dist")
    with tempfile.TemporaryDirectory(prefix="dist-") as name:
        home = Path(name)
        (source,) = build(ROOT, home / "source", only="sdist").iterdir()
        made = build(unpacked(source, home / "here", 1_000_000_000), home / "made")
        again = build(unpacked(source, home / "there", 2_000_000_000), home / "again", 0o077)
        first, second = {**digests(made), **digests(home / "source")}, digests(again)
        if first != second:
            differing = sorted(one for one in second if first.get(one) != second[one])
            print(f"error: built twice, and not the same: {', '.join(differing)}", file=sys.stderr)
            print("hint: what in it depends on a date, a path or an order?", file=sys.stderr)
            return 1
        into.mkdir(parents=True, exist_ok=True)
        for file in again.iterdir():
            (into / file.name).write_bytes(file.read_bytes())
    sums = "".join(f"{digest}  {file}\n" for file, digest in sorted(second.items()))
    (into / "SHA256SUMS").write_text(sums, "utf-8")
    print(sums, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
