"""What the commands print by which a person gets his recording; nothing is left where one fails."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from app.serving import Serving, write_config
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.assembly import wav_header
from sample_rows import a_call, a_recorded_call, draft
from values import replace

CALL = a_call(1)
RECORDING = f"r-{CALL[2:]}-1"
LEFT = np.arange(800, dtype="<i2")
WAV = wav_header(800, 2) + np.stack((LEFT, -LEFT), axis=1).tobytes()
OWN = wav_header(800, 1) + LEFT.tobytes()
ABOUT = ("--recording", RECORDING)


def as_kept(row: Draft) -> Draft:
    if row.kind is not Kind.RECORDING_CLOSED:
        return row
    return replace(row, detail={**row.detail, "sha256": hashlib.sha256(WAV).hexdigest()})


@pytest.fixture
def memory() -> Iterator[Path]:
    with TemporaryDirectory(dir="/dev/shm", prefix="compliance-test-") as made:
        yield Path(made) / "lent"


@pytest.fixture
def config(tmp_path: Path, memory: Path) -> Path:
    """A recorded call, in the log and in the vault; one can hear by telephone."""
    hearing = f'[hearing]\ndirectory = "{memory}"\nlanguages = ["ja"]\n'
    number = '[publication]\nhearing_number = "0120-000-000"\n'
    config = write_config(tmp_path, rules=hearing + number)
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit([as_kept(row) for row in a_recorded_call(CALL)])
    (tmp_path / "recordings").mkdir(mode=0o700)
    (tmp_path / "recordings" / f"{RECORDING}.wav").write_bytes(WAV)
    return config


def run(config: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["requests", *words, "--config", str(config)])
    status = getattr(result.exception, "exit_code", result.exit_code)
    assert status == code, (result.output, result.exception)
    return result


def asked(config: Path, *words: str) -> Any:
    """The last line: a service of this process may log above it."""
    return json.loads(run(config, *words, "--json").stdout.splitlines()[-1])


def granted(config: Path, right: str = "HEAR") -> str:
    who = ("--contact", "by post", "--call", CALL)
    request = str(asked(config, "open", right, *who)["request"])
    run(config, "identify", request, "--how", "LETTER")
    run(config, "decide", request, "GRANTED", "--reason", "LAW")
    return request


def rows(config: Path, kind: Kind) -> list[Row]:
    with StoreReader(config.parent / "store") as reader:
        found = [decode(row.data) for row in reader.rows()]
    return [row for row in found if row.kind == kind]


async def test_lending_prints_the_code_and_nothing_else(config: Path, memory: Path) -> None:
    request = await asyncio.to_thread(granted, config)
    async with Serving(config).running():
        told = await asyncio.to_thread(run, config, "lend", request, *ABOUT)
        code = told.stdout.splitlines()[-1]
        assert code.isdigit()
        assert len(code) == 10
        assert "not shown again" in told.stderr
        assert "the number to call is 0120-000-000\n" in told.stderr
        (copy,) = list(memory.iterdir())  # noqa: ASYNC240 - of a test
        assert copy.read_bytes() == OWN
        (row,) = rows(config, Kind.HEARING_LENT)
        assert row.detail["sha256"] == hashlib.sha256(OWN).hexdigest()
        assert [one.detail["action"] for one in rows(config, Kind.RECORDING_RELEASED)] == ["HEAR"]
        ended = await asyncio.to_thread(asked, config, "unlend", request, *ABOUT)
        assert ended == {"ended": 1}
        assert list(memory.iterdir()) == []  # noqa: ASYNC240 - of a test
        await asyncio.to_thread(run, config, "unlend", request, *ABOUT, code=1)


async def test_the_only_recording_needs_no_name_and_of_several_one_is_named(
    config: Path, memory: Path
) -> None:
    request = await asyncio.to_thread(granted, config)
    async with Serving(config).running():
        assert len((await asyncio.to_thread(asked, config, "lend", request))["code"]) == 10
        assert await asyncio.to_thread(asked, config, "unlend", request) == {"ended": 1}
        assert list(memory.iterdir()) == []  # noqa: ASYNC240 - of a test
    second = {"recording": f"r-{CALL[2:]}-2", "sha256": "ab" * 32}
    with StoreWriter.open(config.parent / "store") as store:
        store.commit([draft(Kind.RECORDING_CLOSED, CALL, detail=second)])
    told = await asyncio.to_thread(run, config, "lend", request, code=2)
    assert all(one in told.output for one in (RECORDING, second["recording"]))
    gone = [draft(Kind.RECORDING_REMOVED, CALL, detail={"recording": f"r-{CALL[2:]}-{segment}"})
            for segment in (1, 2)]  # fmt: skip
    with StoreWriter.open(config.parent / "store") as store:
        store.commit(gone)
    assert "none is kept" in (await asyncio.to_thread(run, config, "lend", request, code=2)).output


async def test_a_copy_goes_with_its_recording_and_with_its_request(
    config: Path, memory: Path
) -> None:
    """An erasure that is carried out leaves no voice in memory."""
    hear, erase = await asyncio.to_thread(granted, config), ""
    serving = Serving(config)
    async with serving.running():

        def lent() -> None:
            run(config, "lend", hear, *ABOUT)
            assert len(list(memory.iterdir())) == 1

        await asyncio.to_thread(lent)
        await asyncio.to_thread(run, config, "withdraw", hear)
        await serving.until(lambda: len(serving.details("hearing_removed")) == 1)
        assert list(memory.iterdir()) == []  # noqa: ASYNC240 - of a test

        hear = await asyncio.to_thread(granted, config)
        await asyncio.to_thread(lent)
        opened = ("open", "ERASE", "--contact", "by post", "--call", CALL)
        erase = str((await asyncio.to_thread(asked, config, *opened))["request"])
        await asyncio.to_thread(run, config, "identify", erase, "--how", "LETTER")
        grant = ("decide", erase, "GRANTED", "--reason", "LAW", "--cause", "JP_CEASE_USE")
        await asyncio.to_thread(run, config, *grant)
        await asyncio.to_thread(run, config, "carry-out", erase, "--yes")
        await serving.until(lambda: len(serving.details("hearing_removed")) == 2)
        assert list(memory.iterdir()) == []  # noqa: ASYNC240 - of a test
        reasons = [one["reason"] for one in serving.details("hearing_removed")]
        assert reasons == ["WITHDRAWN", "DISPOSED"]


async def test_what_is_not_lent(config: Path, memory: Path) -> None:
    request = await asyncio.to_thread(granted, config)
    await asyncio.to_thread(run, config, "lend", request, *ABOUT, code=3)
    async with Serving(config).running():
        nobodys = f"q-{'0' * 28}"
        refused = await asyncio.to_thread(run, config, "lend", nobodys, *ABOUT, code=1)
        assert "NO_REQUEST" in str(refused.exception)
        (row,) = rows(config, Kind.USE_REFUSED)
        assert (row.detail["action"], row.detail["refusal"]) == ("HEAR", "NO_REQUEST")
        assert rows(config, Kind.RECORDING_RELEASED) == []
        memory.chmod(0o755)  # noqa: ASYNC240 - of a test
        await asyncio.to_thread(run, config, "lend", request, *ABOUT, code=3)


async def test_a_site_that_has_no_hearing_says_so(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit([as_kept(row) for row in a_recorded_call(CALL)])
    async with Serving(config).running():
        told = await asyncio.to_thread(run, config, "lend", "q-1", *ABOUT, code=2)
        assert "is not configured" in str(told.exception)


def test_a_package_is_made_also_without_the_service(config: Path, tmp_path: Path) -> None:
    request, out = granted(config, "COPY"), tmp_path / "answer.zip"
    told = run(config, "package", request, "--out", str(out))
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert f"SHA-256 {digest}" in told.stdout
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as archive:
        assert archive.read("recording-1.wav") == OWN
        assert '<html lang="ja">' in archive.read("answer.html").decode()
    (row,) = rows(config, Kind.ANSWER_PACKAGED)
    assert row.detail["sha256"] == digest
    run(config, "answer", request, "--means", "POST", "--given", "PACKAGE", "--package", str(out))
    assert rows(config, Kind.REQUEST_ANSWERED)[0].detail["package"] == digest


def test_a_package_says_what_is_not_finished_and_an_answer_what_is_no_package(
    config: Path, tmp_path: Path
) -> None:
    growing = {"recording": f"r-{CALL[2:]}-2"}
    with StoreWriter.open(tmp_path / "store") as store:
        store.commit([draft(Kind.RECORDING_GROWING, CALL, detail=growing)])
    request, out = granted(config, "COPY"), tmp_path / "answer.zip"
    told = run(config, "package", request, "--out", str(out))
    assert "1 recordings are not finished yet, and not in it" in told.stderr
    strange = tmp_path / "encrypted.zip"
    strange.write_bytes(b"PK")
    answer = ("answer", request, "--means", "POST", "--package")
    assert "did not make this file" in run(config, *answer, str(strange)).stderr
    other, file = granted(config, "COPY"), tmp_path / "other.zip"
    run(config, "package", other, "--out", str(file))
    assert run(config, "answer", other, *answer[2:], str(file)).stderr == ""


def test_a_package_is_no_surprise(config: Path, tmp_path: Path) -> None:
    request, out = granted(config, "COPY"), tmp_path / "answer.zip"
    run(config, "package", request, "--out", str(out), "--language", "de", code=2)
    out.write_text("mine")
    run(config, "package", request, "--out", str(out), code=2)
    assert out.read_text() == "mine"
    run(config, "package", f"q-{'0' * 28}", "--out", str(tmp_path / "other.zip"), code=1)
    assert not (tmp_path / "other.zip").exists()
    assert rows(config, Kind.RECORDING_RELEASED) == rows(config, Kind.ANSWER_PACKAGED) == []
    said = asked(config, "package", request, "--out", str(tmp_path / "en.zip"), "--language", "en")
    assert (said["recordings"], said["request"]) == ([RECORDING], request)
    with zipfile.ZipFile(tmp_path / "en.zip") as archive:
        assert "Your recorded calls" in archive.read("answer.html").decode()


def test_a_recording_that_was_exchanged_is_given_to_nobody(config: Path, tmp_path: Path) -> None:
    request, out = granted(config, "COPY"), tmp_path / "answer.zip"
    (tmp_path / "recordings" / f"{RECORDING}.wav").write_bytes(WAV + b"\x00\x00\x00\x00")
    run(config, "package", request, "--out", str(out), code=1)
    assert not out.exists()
    assert rows(config, Kind.ANSWER_PACKAGED) == []
