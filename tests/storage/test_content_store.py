from pathlib import Path

import pytest

from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.durable_files import write_durably

WORDS = "この通話は録音されます".encode()


def stored_file(store: Path, digest: str) -> Path:
    return store / "content" / "sha256" / digest[:2] / digest[2:4] / digest


def test_content_is_found_by_its_digest(tmp_path: Path) -> None:
    content = ContentStore(tmp_path)
    digest = content.put(WORDS)
    assert content.put(WORDS) == digest
    assert content.get(digest) == WORDS
    assert stored_file(tmp_path, digest).read_bytes() == WORDS
    assert [path.name for path in tmp_path.rglob("*.tmp")] == []


def test_changed_content_is_not_given_out_and_is_mended_by_the_next_put(tmp_path: Path) -> None:
    content = ContentStore(tmp_path)
    digest = content.put(WORDS)
    stored_file(tmp_path, digest).write_bytes(WORDS + b"!")
    with pytest.raises(LogBroken, match="was changed"):
        content.get(digest)
    content.put(WORDS)
    assert content.get(digest) == WORDS


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", ""])
def test_what_is_not_there_is_said_to_be_missing(tmp_path: Path, digest: str) -> None:
    with pytest.raises(StoreUnavailable):
        ContentStore(tmp_path).get(digest)


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "content").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="cannot keep content"):
        ContentStore(tmp_path).put(WORDS)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_durably(tmp_path / "taken", WORDS)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
