"""Judged from the audio alone: who heard what, and what is in the file."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from lab.hearing import (
    Capture,
    NoticeHeard,
    nothing_before_notice,
    notice_completed,
    notice_not_recorded,
    parties_recorded,
    party_heard,
)
from lab.notice_search import NoticeSearch
from lab.site import EXTENSIONS
from lab.wav import read_wav, write_wav

pytestmark = pytest.mark.asterisk


async def told_and_recorded(scene, exten, talk_s=2.0):
    """One call, from the INVITE to the closed file: the two legs, the notice and the capture."""
    began = time.monotonic()
    leg, agent = await scene.connect(exten)
    await agent.until_heard(talk_s)
    await scene.hang_up(leg)
    search = NoticeSearch(read_wav(scene.site.asterisk.sounds_here / "en/notice-test.wav")[0])
    (file,) = scene.site.recordings.glob("r-*.wav")
    return leg, agent, search, file, began


def read(scene, search, file: Path, began: float) -> Capture:
    schedules = {"caller": scene.caller.schedule, "agent": scene.agent.schedule}
    return Capture.read(file, schedules, search, began, time.monotonic())


def must_hold(*claims):
    assert [claim for claim in claims if not claim.ok] == []


@pytest.mark.parametrize("exten", ["100", "101", "102", "103"])
async def test_nothing_is_recorded_before_the_notice_was_heard(scene, exten):
    """Queue, FastAGI, direct extension, and a policy that keeps all from the notice on."""
    leg, agent, search, file, began = await told_and_recorded(scene, exten)
    notice = NoticeHeard.of(search, leg.heard_pcm())
    capture = read(scene, search, file, began)
    must_hold(
        notice_completed(notice),
        nothing_before_notice(capture, notice),
        notice_not_recorded(capture),
        *parties_recorded(capture, ("caller", "agent"), least_s=1.5),
        party_heard(agent.heard_pcm(), scene.caller.schedule, began),
        party_heard(leg.heard_pcm(), scene.agent.schedule, began),
    )


async def test_a_recording_that_began_too_early_is_found(scene):
    """The judge is judged: as if capture had begun 200 ms before the notice's end."""
    leg, _, search, file, began = await told_and_recorded(scene, "102")
    notice = NoticeHeard.of(search, leg.heard_pcm())
    capture = read(scene, search, file, began)
    must_hold(nothing_before_notice(capture, notice), notice_not_recorded(capture))
    early = notice.ended_at - 0.2
    missing = round((capture.first_sample_at - early) * 8_000)
    heard = leg.heard_pcm()
    at = round((early - heard.clock_start) * 8_000)
    schedule = scene.caller.schedule
    said = schedule.pcm(schedule.sample_at(early), missing)
    left, right = read_wav(file)
    planted = file.with_name("planted.wav")
    write_wav(
        planted,
        np.concatenate((said, left)),
        np.concatenate((heard.pcm[at : at + missing], right)),
    )
    capture = read(scene, search, planted, began)
    assert capture.first_sample_at == pytest.approx(early, abs=0.02)
    assert not nothing_before_notice(capture, notice).ok
    assert not notice_not_recorded(capture).ok


async def test_the_end_of_the_notice_alone_is_found_in_a_recording(scene):
    """Its last 200 ms, put before a recording in which nothing else is wrong."""
    leg, _, search, file, began = await told_and_recorded(scene, "102")
    notice = NoticeHeard.of(search, leg.heard_pcm())
    heard = leg.heard_pcm()
    end = round((notice.ended_at - heard.clock_start) * 8_000)
    tail = heard.pcm[end - 1_600 : end]
    left, right = read_wav(file)
    planted = file.with_name("planted.wav")
    write_wav(planted, np.concatenate((0 * tail, left)), np.concatenate((tail, right)))
    assert not notice_not_recorded(read(scene, search, planted, began)).ok


async def test_waiting_music_and_ringing_are_not_kept(set_the_scene):
    """A bridged capture holds the talk only, however long the queue was."""
    music = EXTENSIONS.replace("Queue(support,r,,,30)", "Queue(support,,,,30)")
    scene = await set_the_scene(extensions=music)
    scene.agent.answer_after = 1.5
    _, agent, search, file, began = await told_and_recorded(scene, "100")
    capture = read(scene, search, file, began)
    assert capture.first_sample_at > agent.times["confirmed"] - 0.1
    must_hold(*parties_recorded(capture, ("caller", "agent"), least_s=1.5))
