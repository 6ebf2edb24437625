"""What the dialplan recorded alone, taken in: everything is real but Asterisk, which we are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.recovered_site import LOUD, Site, running
from app.serving import write_config
from asterisk_compliance.app.calls.recovery import adoption
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.audit.rows import Detail, Draft, Kind
from asterisk_compliance.errors import AsteriskUnavailable, StoreUnavailable
from asterisk_compliance.ids import CallId, ChannelId, call_id, fallback_call_id, fallback_code
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.recordings.assembly import wav_header
from asterisk_compliance.storage.recordings.quarantine import QUARANTINE
from fallback_files import fallback_name

RECORDS = 'fallback = "record"'


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path, policy=RECORDS) as site:
        yield site


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "AGAIN_S", 0.05)


def channel(number: int = 1) -> ChannelId:
    """One that was made just now, so under the configuration that is loaded."""
    return ChannelId(f"{unix_ms() // 1_000}.{number}")


def code(site: Site) -> str:
    (promise,) = site.serving.service._configuration.current.promises
    return fallback_code(promise.digest)


def recorded(site: Site, of: ChannelId, *, named: str = "", closed: bool = True) -> Path:
    file = site.spool / (named or fallback_name(code(site), of))
    file.write_bytes(wav_header(len(LOUD) // 2 if closed else 0, 1) + LOUD)
    return file


def own(site: Site, of: ChannelId) -> CallId:
    return fallback_call_id(site.node.node, of)


ALL = [
    "call_arrived",
    "decision",
    "recording_adopted",
    "call_ended",
    "recording_closed",
    "spool_removed",
]


async def test_a_file_of_a_channel_that_is_gone_is_adopted(site: Site) -> None:
    of = channel()
    recorded(site, of)
    await site.node.recover()
    await site.over(own(site, of))
    assert site.kinds(own(site, of)) == ALL
    assert list(site.spool.iterdir()) == []
    assert len(list(site.vault.glob("r-*.wav"))) == 1
    assert site.detail("recording_closed")["tx"] == "not_kept"


async def test_while_its_channel_lives_it_waits(site: Site) -> None:
    of = channel()
    file = recorded(site, of)
    site.asterisk.lives(of)
    await site.node.recover()
    asked = site.asterisk.listed
    await site.serving.until(lambda: site.asterisk.listed > asked)
    assert file.exists()
    assert site.kinds(own(site, of)) == []
    del site.asterisk.there[of]
    await site.seen("spool_removed")


async def test_a_file_that_grows_waits_and_one_that_is_still_does_not(site: Site) -> None:
    """Asterisk died with it: nobody writes the header any more."""
    of = channel()
    file = recorded(site, of, closed=False)
    await site.node.recover()
    assert site.kinds(own(site, of)) == []
    long_ago = file.stat().st_mtime - 60
    os.utime(file, (long_ago, long_ago))
    await site.seen("spool_removed")
    assert site.detail("recording_closed")["header_closed"] is False


async def test_a_file_that_is_still_waits_until_its_channel_is_gone_for_a_while(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of a quiet call Asterisk is about to write what it holds."""
    monkeypatch.setattr(adoption, "AGAIN_S", 60.0)
    monkeypatch.setattr(site.node._intake, "file_closed_alone", lambda: None)
    of = channel()
    file = recorded(site, of, closed=False)
    long_ago = file.stat().st_mtime - 60
    os.utime(file, (long_ago, long_ago))
    await site.node.adoption.run()
    assert site.kinds(own(site, of)) == []
    await site.node.adoption.run()
    await site.over(own(site, of))
    assert site.kinds(own(site, of)) == ALL


async def test_where_no_such_file_is_asterisk_is_not_asked(site: Site) -> None:
    await site.node.adoption.run()
    assert site.asterisk.listed == 0


async def test_the_kernel_tells_when_it_is_closed(site: Site) -> None:
    of = channel()
    recorded(site, of)
    await site.seen("spool_removed")
    assert site.kinds(own(site, of)) == ALL


async def test_a_call_that_the_log_knows_gets_the_recording(site: Site) -> None:
    of = channel()
    call = call_id(unix_ms(), b"8 bytes!")
    arrived: dict[str, Detail] = {"channel": of, "entry": "ari", "leg": "caller", "linkedid": of}
    decided: dict[str, Detail] = {
        "notice": "",
        "purposes": (),
        "reason": "TAKEN_BACK",
        "status": "NOT_RECORDED",
    }
    ended: dict[str, Detail] = {"bridged_ms": None}
    rows = [(Kind.CALL_ARRIVED, arrived), (Kind.DECISION, decided), (Kind.CALL_ENDED, ended)]
    await site.log(call, *rows)
    recorded(site, of)
    await site.node.recover()
    await site.over(call)
    before = ["call_arrived", "decision", "call_ended"]
    assert site.kinds(call) == [*before, "recording_adopted", "recording_closed", "spool_removed"]
    assert site.kinds(own(site, of)) == []
    assert site.detail("recording_closed")["purposes"] == ["SERVICE", "QUALITY"]


# -- what is nobody's --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["d-0312345678-rx.wav", f"d-{'0' * 16}-1700000000.1-tx.wav", "d-.wav"]
)
async def test_a_name_that_says_something_else_is_not_kept(site: Site, name: str) -> None:
    """It could be a number; in quarantine and in its row the file has another."""
    file = recorded(site, channel(), named=name)
    await site.node.recover()
    row = await site.seen("file_quarantined")
    assert row["file"].startswith("d-unknown-")
    assert [path.name for path in (site.vault / QUARANTINE).iterdir()] == [row["file"]]
    assert not file.exists()
    assert list(site.spool.iterdir()) == []


async def test_a_link_is_no_recording(site: Site) -> None:
    link = site.spool / fallback_name(code(site), channel())
    link.symlink_to(site.serving.config)
    await site.node.recover()
    assert link.is_symlink()
    assert not (site.vault / QUARANTINE).exists()


async def test_what_nobody_promised_is_set_aside(site: Site) -> None:
    file = recorded(site, channel(), named=fallback_name("0" * 16, channel()))
    await site.node.recover()
    assert (await site.seen("file_quarantined"))["file"] == file.name
    await site.serving.until(lambda: not file.exists())


async def test_what_is_not_promised_any_more_is_set_aside(site: Site, tmp_path: Path) -> None:
    """The dialplan was rendered for a policy that records no more without the service."""
    old = code(site)
    write_config(tmp_path)
    site.serving.reload.set()
    await site.serving.until(lambda: len(site.serving.details("config_loaded")) == 2)
    later = ChannelId(f"{unix_ms() // 1_000 + 10}.1")
    recorded(site, later, named=fallback_name(old, later))
    await site.node.recover()
    await site.seen("file_quarantined")


async def test_words_that_were_changed_are_no_words(site: Site) -> None:
    (promise,) = site.serving.service._configuration.current.promises
    kept = ContentStore(site.node.store)._path(promise.digest)
    kept.chmod(0o600)
    kept.write_bytes(b"something else")
    recorded(site, channel())
    await site.node.recover()
    await site.seen("file_quarantined")


# -- dying in between --------------------------------------------------------------------------


class Died(BaseException):
    pass


@pytest.mark.parametrize("at", ["rows", "name", "begin"])
async def test_who_dies_in_between_decides_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    of = channel()
    intake = site.node._intake
    monkeypatch.setattr(intake, "file_closed_alone", lambda: None)

    async def die(*_: object) -> bool:
        raise Died

    def die_now(*_: object) -> None:
        raise Died

    recorded(site, of)
    with monkeypatch.context() as dying:
        if at == "rows":
            dying.setattr(site.node.adoption, "_rows", type("R", (), {"append": die_now})())
        elif at == "name":
            dying.setattr(intake, "take_over", die)
        else:
            dying.setattr(site.node, "begin", die_now)
        with pytest.raises(Died):
            await site.node.adoption.run()
    intake._spool._seen.clear()
    await site.node.recover()
    await site.over(own(site, of))
    assert site.kinds(own(site, of)) == ALL
    assert list(site.spool.iterdir()) == []


async def test_without_its_rows_a_file_stays_as_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = channel()

    async def refuse(*_: Draft) -> int:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as refusing:
        refusing.setattr(site.node._rows, "append", refuse)
        file = recorded(site, of)
        await site.node.recover()
        assert file.exists()
    await site.seen("spool_removed")
    assert site.kinds(own(site, of)) == ALL


async def test_asterisk_that_does_not_answer_is_asked_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        monkeypatch.setattr(site.asterisk, "asking", lambda: None)
        raise AsteriskUnavailable("no answer")

    monkeypatch.setattr(site.asterisk, "asking", refuse)
    recorded(site, channel())
    await site.seen("spool_removed")


async def test_without_ari_a_file_stays_in_the_spool(tmp_path: Path) -> None:
    async with running(tmp_path, policy=RECORDS, ari=False) as site:
        file = recorded(site, channel())
        await site.node.adoption.run()
        await asyncio.sleep(0)
        assert file.exists()
