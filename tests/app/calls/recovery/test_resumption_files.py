"""Files in the spool that no call of the log knows: copied, said, and only then gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.recovered_site import CALLER, LOUD, Site, running
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import wav_header
from asterisk_compliance.storage.recordings.quarantine import QUARANTINE


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as site:
        yield site


# -- files that nobody knows -------------------------------------------------------------------

STRANGE = recording_id(call_id(1, bytes(8)), 1)


def strange(site: Site) -> Path:
    file = site.spool / spool_name(STRANGE, "rx")
    file.write_bytes(wav_header(len(LOUD) // 2, 1) + LOUD)
    return file


async def test_a_strange_file_leaves_the_spool_behind_its_row(site: Site) -> None:
    file = strange(site)
    await site.node.recover()
    assert not file.exists()
    assert (site.vault / QUARANTINE / file.name).read_bytes()[44:] == LOUD
    assert site.detail("file_quarantined")["file"] == file.name


async def test_a_file_of_a_call_is_none_of_nobody(site: Site) -> None:
    call = await site.recorded()
    site.asterisk.lives(CALLER)
    site.write(call)
    await site.node.recover()
    assert not (site.vault / QUARANTINE).exists()
    assert len(list(site.spool.iterdir())) == 2


async def test_a_file_that_asterisk_writes_is_left_alone(site: Site) -> None:
    file = strange(site)
    file.write_bytes(wav_header(0, 1) + LOUD)
    await site.node.recover()
    assert file.exists()
    assert not (site.vault / QUARANTINE).exists()


async def test_without_its_row_a_strange_file_stays(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = strange(site)

    async def refuse(*_: Draft) -> int:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as refusing:
        refusing.setattr(site.node._rows, "append", refuse)
        await site.node.recover()
    assert file.exists()
    assert site.serving.details("file_quarantined") == []
    await site.node.recover()
    assert not file.exists()
    assert site.detail("file_quarantined")["file"] == file.name


@pytest.mark.parametrize("at", ["copy", "row", "unlink"])
async def test_who_dies_between_two_steps_begins_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """A row twice says the same twice; the file is never in no place."""
    file, aside = strange(site), site.vault / QUARANTINE

    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    async def die_later(*_: object) -> None:
        raise Died

    with monkeypatch.context() as dying:
        if at == "copy":
            aside.mkdir()
            (aside / f"{file.name}.part").write_bytes(b"half")
            dying.setattr(site.node._intake, "copy_strangers_aside", die_later)
        elif at == "row":
            dying.setattr(site.node._rows, "append", die)
        else:
            dying.setattr(site.node._intake, "forget_stranger", die_later)
        async with site.node.recovery.turn:  # a machine that stood still recovers by itself
            with pytest.raises(Died):
                await site.node.adoption.set_strangers_aside()
            assert file.exists()
    await site.node.recover()
    assert not file.exists()
    assert [path.name for path in aside.iterdir()] == [file.name]
    rows = site.serving.details("file_quarantined")
    assert len(rows) == (2 if at == "unlink" else 1)
    assert all(row == rows[0] for row in rows)
