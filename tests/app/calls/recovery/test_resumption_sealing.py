"""A sealing that was interrupted is finished by the next life, wherever it was when it died.

What can be left at which step is made by ``tests/storage/killed_sealing.py``, which kills itself at
each of them: nothing, half a file, or a whole one, and the spool untouched. Behind the rows only
the spool is left to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path

import pytest

from app.recovered_site import CALLER, LOUD, Site, running
from app.serving import write_config
from asterisk_compliance.age import decrypt, fingerprint, new_identity
from asterisk_compliance.app.policy.configuration import load_configuration
from asterisk_compliance.app.service.runner import Service
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, RecordingId, call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import measure_and_join, wav_header
from asterisk_compliance.storage.recordings.quarantine import QUARANTINE
from asterisk_compliance.storage.recordings.vault import vault_path

IDENTITY, RECIPIENT = new_identity()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path, vault=f'recipients = ["{RECIPIENT}"]') as site:
        yield site


def nothing(site: Site, recording: RecordingId) -> None:
    pass


def half_a_file(site: Site, recording: RecordingId) -> None:
    (site.vault / f"{recording}.part").write_bytes(b"age-encryption.org/v1\nhalf")


def whole_file(site: Site, recording: RecordingId) -> None:
    measure_and_join(site.spool, recording, site.vault, Expected(None), (RECIPIENT,))


def whole_and_half(site: Site, recording: RecordingId) -> None:
    whole_file(site, recording)
    half_a_file(site, recording)


def plain_file(site: Site, recording: RecordingId) -> None:
    """Encryption was off in the earlier life."""
    measure_and_join(site.spool, recording, site.vault, Expected(None))


def opened(site: Site, recording: RecordingId) -> bytes:
    plain = BytesIO()
    with vault_path(site.vault, recording, sealed=True).open("rb") as sealed:
        decrypt(sealed, plain, IDENTITY)
    return plain.getvalue()


@pytest.mark.parametrize("left", [nothing, half_a_file, whole_file, whole_and_half, plain_file])
async def test_it_is_sealed_again_before_its_row(
    site: Site, left: Callable[[Site, RecordingId], None]
) -> None:
    call = await site.recorded()
    recording = recording_id(call, 1)
    site.write(call)
    left(site, recording)
    await site.node.recover()
    await site.seen("spool_removed")
    kinds = site.kinds(call)[4:]
    assert kinds == ["call_ended", "recording_closed", "recording_sealed", "spool_removed"]
    assert site.detail("recording_closed")["encryption"] == "age"
    sealed = site.detail("recording_sealed")
    assert sealed["recipients"] == [fingerprint(RECIPIENT)]
    assert [path.name for path in site.vault.iterdir()] == [f"{recording}.wav.age"]
    assert opened(site, recording).startswith(wav_header(len(LOUD) // 2, 2))
    assert list(site.spool.iterdir()) == []


async def _sealed(site: Site) -> tuple[CallId, RecordingId]:
    """A call whose rows are durable, and nothing is done behind them."""
    closed = {"sha256": "ab" * 32, "whole": True}
    call = await site.recorded()
    recording = recording_id(call, 1)
    site.write(call)
    whole_file(site, recording)
    await site.log(
        call,
        (Kind.CALL_ENDED, {"bridged_ms": 1_000, "observed_late": False}),
        (Kind.RECORDING_CLOSED, {"recording": recording, **closed}),
        (Kind.RECORDING_SEALED, {"recording": recording, "sha256": "cd" * 32, "bytes": 1}),
    )
    return call, recording


@pytest.mark.parametrize("left", [("rx", "tx"), ("tx",), ()])
async def test_behind_its_rows_only_the_spool_is_left(site: Site, left: tuple[str, ...]) -> None:
    call, recording = await _sealed(site)
    for direction in {"rx", "tx"} - set(left):
        (site.spool / spool_name(recording, direction)).unlink()
    before = vault_path(site.vault, recording, sealed=True).read_bytes()
    await site.node.recover()
    await site.seen("spool_removed")
    assert site.kinds(call)[7:] == ["spool_removed"]
    assert site.detail("spool_removed")["files"] == len(left)
    assert list(site.spool.iterdir()) == []
    assert vault_path(site.vault, recording, sealed=True).read_bytes() == before


async def test_a_sealed_recording_of_who_withdrew_is_removed(site: Site) -> None:
    call, _ = await _sealed(site)
    await site.log(call, (Kind.CONSENT, {"state": "withdrawn", "earlier": "delete"}))
    await site.node.recover()
    await site.seen("recording_removed")
    assert site.kinds(call)[8:] == ["spool_removed", "recording_removed"]
    assert list(site.vault.iterdir()) == []
    assert list(site.spool.iterdir()) == []


async def test_a_file_that_nobody_knows_is_sealed_too(site: Site) -> None:
    name = spool_name(recording_id(call_id(1, bytes(8)), 1), "rx")
    (site.spool / name).write_bytes(wav_header(len(LOUD) // 2, 1) + LOUD)
    await site.node.recover()
    await site.seen("file_quarantined")
    assert [path.name for path in (site.vault / QUARANTINE).iterdir()] == [f"{name}.age"]
    assert list(site.spool.iterdir()) == []


async def test_the_log_says_to_whom_it_is_sealed(site: Site) -> None:
    site.asterisk.lives(CALLER)
    (loaded,) = site.serving.details("config_loaded")
    assert (loaded["encryption"], loaded["recipients"]) == ("age", [fingerprint(RECIPIENT)])


async def test_a_service_does_not_start_where_others_can_read_the_vault(tmp_path: Path) -> None:
    vault = tmp_path / "recordings"
    vault.mkdir()
    vault.chmod(0o750)
    service = Service(load_configuration(write_config(tmp_path)))
    with pytest.raises(StoreUnavailable, match="others can read it"):
        await service.run(asyncio.Event())
    assert not (tmp_path / "store").exists(), "before anything else"
