"""What is made of the files of a self-test; the calls themselves are in ``e2e/test_doctor.py``."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from asterisk_compliance.app.checks.finding import OperatorFinding
from asterisk_compliance.app.checks.finding import SiteFindingId as It
from asterisk_compliance.app.checks.live import self_test as module
from asterisk_compliance.app.checks.live.self_test import Trial
from asterisk_compliance.app.checks.live.self_test_agents import FRAME, RATE, VOICES, heard_s, tone
from asterisk_compliance.app.shared.service_account import ServiceAccount
from lab.g711 import ulaw_decode
from sample_settings import asterisk, settings

WHERE = "asterisk[1]"
FIRST, SECOND, LAST = (voice.hz for voice in VOICES)
EVERY_EVENT = Counter(dict.fromkeys(module._EVENTS, 1))


def trial(
    spool: Path, *, segments: bool = True, ami: bool = True, account: ServiceAccount | None = None
) -> Trial:
    site = settings(asterisk=asterisk(spool=str(spool), segments=segments)["asterisk"])
    probe = cast("Any", SimpleNamespace(events=EVERY_EVENT)) if ami else None
    return Trial(site.asterisk[0], WHERE, cast("Any", None), probe, account)


def wav(path: Path, *frequencies: int, seconds: float = 1.0) -> Path:
    """One tone after the other, as Asterisk writes what it was sent in u-law."""
    parts = [np.tile(ulaw_decode(tone(hz)), round(seconds * RATE / FRAME)) for hz in frequencies]
    pcm = np.concatenate([*parts, np.zeros(RATE // 2, np.int16)]).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, RATE,
                       2 * RATE, 2, 16)  # fmt: skip
    path.write_bytes(head + struct.pack("<4sI", b"data", len(pcm)) + pcm)
    return path


def ids(found: Any) -> list[str]:
    return [str(one.id) for one in cast("list[OperatorFinding]", list(found))]


def test_a_tone_is_heard_for_as_long_as_it_sounds_and_no_other_is(tmp_path: Path) -> None:
    file = wav(tmp_path / "a.wav", FIRST, LAST)
    assert [heard_s(file, hz) for hz in (FIRST, SECOND, LAST)] == [1.0, 0.0, 1.0]
    sine = 6000 * np.sin(2 * np.pi * FIRST * np.arange(FRAME) / RATE)
    assert np.abs(ulaw_decode(tone(FIRST)) - sine).max() <= 6000 / 16  # half a step of u-law


@pytest.mark.parametrize(
    ("first", "second", "segments", "ami", "said"),
    [
        # an Asterisk without the defect
        ((FIRST, SECOND, LAST), (LAST,), True, True, []),
        ((FIRST, SECOND, LAST), None, True, True, [It.SEGMENTS_NOT_WIRED]),
        ((FIRST, SECOND, LAST), None, False, True, []),
        ((FIRST, SECOND, LAST), None, True, False, []),
        # one with it
        ((FIRST, SECOND), (LAST,), True, True, [It.TRANSFER_HEALED]),
        ((FIRST, SECOND), (), True, True, [It.TRANSFER_LOSES_AUDIO]),
        ((FIRST, SECOND), None, True, True, [It.SEGMENTS_NOT_WIRED, It.TRANSFER_LOSES_AUDIO]),
        ((FIRST, SECOND), None, False, True, [It.TRANSFER_LOSES_AUDIO]),
        ((FIRST, SECOND), None, True, False, [It.TRANSFER_LOSES_AUDIO]),
        # one of which nothing can be said
        ((), (LAST,), True, True, [It.SELF_TEST_FAILED]),
        ((FIRST,), None, True, True, [It.SELF_TEST_FAILED]),
    ],
)
def test_what_is_in_the_two_files_says_what_is_wrong(
    tmp_path: Path,
    first: tuple[int, ...],
    second: tuple[int, ...] | None,
    segments: bool,
    ami: bool,
    said: list[str],
) -> None:
    one = wav(tmp_path / "1.wav", *first)
    two = tmp_path / "2.wav"
    if second is not None:
        wav(two, *second)
    assert ids(module._transferred(trial(tmp_path, segments=segments, ami=ami), one, two)) == said


class Dialplan:
    """Says of each prompt what it is told to; nothing of one that it does not know."""

    def __init__(self, **sizes: str) -> None:
        self.sizes = sizes
        self.asked: list[str] = []
        self.hung_up = 0

    def send(self, request: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        match request.name:
            case "originate":
                self.asked.append(request.content["variables"]["COMPLIANCE_CHECK"])
                future.set_result(None)
            case "get_variable":
                future.set_result(self.sizes.get(self.asked[-1].replace("/", "_")))
            case _:
                self.hung_up += 1
                future.set_result(True)
        return future


async def asked_about(tmp_path: Path, dialplan: Dialplan) -> list[tuple[str, str]]:
    """Of two prompts: one of 48 bytes, one of 50."""
    site = settings(asterisk=asterisk(sounds=str(tmp_path))["asterisk"]).asterisk[0]
    for name, size in (("en/one", 48), ("ja/two", 50)):
        (tmp_path / f"{name}.wav").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.wav").write_bytes(b"R" * size)
    media = [f"sound:{tmp_path}/ja/two", f"sound:{tmp_path}/en/one", f"sound:{tmp_path}/en/one"]
    one = Trial(site, WHERE, cast("Any", dialplan), None, None)
    return [(str(it.id), it.what) async for it in module.prompt_findings(one, media)]


async def test_a_prompt_must_be_as_long_for_asterisk_and_begin_as_a_wav_does(
    tmp_path: Path,
) -> None:
    well = Dialplan(en_one="size 48 RIFF", ja_two="size 50 RIFF")
    assert await asked_about(tmp_path, well) == []
    assert well.asked == ["en/one", "ja/two"]
    assert well.hung_up == 2
    for wrong in ("size 0 ", "size 51 RIFF", "size 50 ID3\x03"):
        ((which, what),) = await asked_about(tmp_path, Dialplan(**well.sizes | {"ja_two": wrong}))
        assert which == It.PROMPT_NOT_PLAYABLE
        assert f"{tmp_path}/ja/two.wav" in what


async def test_a_dialplan_that_does_not_answer_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    silent = Dialplan()
    ((which, what),) = await asked_about(tmp_path, silent)
    assert (which, silent.asked, silent.hung_up) == (It.SELF_TEST_IMPOSSIBLE, ["en/one"], 1)
    assert "en/one" in what


def test_a_file_that_is_not_where_we_look_and_one_that_the_service_cannot_read(
    tmp_path: Path,
) -> None:
    file = tmp_path / "r-00-1-tx.wav"
    (elsewhere,) = module._spooled(trial(tmp_path), file)
    assert (elsewhere.id, elsewhere.address) == (It.SPOOL_ELSEWHERE, "asterisk[1].spool")
    assert ids(module._transferred(trial(tmp_path), file, file)) == []
    file.touch(0o600)
    assert ids(module._spooled(trial(tmp_path), file)) == []
    stranger = ServiceAccount(64_177, frozenset())
    assert ids(module._spooled(trial(tmp_path, account=stranger), file)) == [It.SERVICE_MAY_NOT]


def test_the_files_are_gone_afterwards_or_it_is_said(tmp_path: Path) -> None:
    file, kept = tmp_path / "a-tx.wav", tmp_path / "b-tx.wav"
    file.touch()
    kept.mkdir()  # what nobody can unlink, root neither
    (one,) = module._removed(trial(tmp_path), [file, module._other(file), kept])
    assert (one.id, one.address) == (It.SPOOL_NOT_DELETABLE, "asterisk[1].spool")
    assert not file.exists()


def test_every_event_of_the_call_must_have_come_since() -> None:
    probe: Any = SimpleNamespace(events=EVERY_EVENT)
    assert ids(module._events(probe, {}, "ami")) == []
    (one,) = module._events(probe, {"Hangup": 1}, "ami")
    assert (one.id, one.what) == (
        It.AMI_EVENTS_MISSING,
        "of a call that was placed nobody told Hangup",
    )
