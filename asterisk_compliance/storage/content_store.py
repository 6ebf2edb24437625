"""Content by digest: the wording and audio of every notice that was ever used.

Rows refer to it by SHA-256, so the words of years ago can still be shown.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.durable_files import sync_directory, write_durably

CONTENT = "content"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ContentStore:
    """Files under ``content/sha256/aa/bb/<digest>``; never changed, written once."""

    def __init__(self, store: Path) -> None:
        self._root = store / CONTENT / "sha256"

    def put(self, content: bytes) -> str:
        """Keep ``content``; returns its SHA-256 in hex, under which :meth:`get` finds it.

        Raises:
            StoreUnavailable: it could not be made durable.
        """
        digest = sha256(content).hexdigest()
        path = self._path(digest)
        try:
            if path.exists() and path.read_bytes() == content:
                return digest
            for directory in (self._root.parent, self._root, path.parent.parent, path.parent):
                if not directory.exists():
                    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                    sync_directory(directory.parent)
            write_durably(path, content)
        except OSError as error:
            raise StoreUnavailable(f"cannot keep content {digest}: {error.strerror}") from error
        return digest

    def get(self, digest: str) -> bytes:
        """The content, compared with its digest.

        Raises:
            StoreUnavailable: it is not there or cannot be read.
            LogBroken: what is there is something else.
        """
        try:
            content = self._path(digest).read_bytes()
        except OSError as error:
            raise StoreUnavailable(f"no content {digest}: {error.strerror}") from error
        if sha256(content).hexdigest() != digest:
            raise LogBroken(f"content {digest} was changed")
        return content

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise StoreUnavailable(f"{digest!r} is no SHA-256 digest")
        return self._root / digest[:2] / digest[2:4] / digest
