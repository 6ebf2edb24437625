"""A policy that leaves its purposes to the published page: on a real Asterisk, over both entries.

The notice says that the call is recorded, by whom and where the purposes are published. Before the
page is, nothing is recorded, and nobody hears that something would be.
"""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from asterisk_compliance.app.disclosure.page import page_of
from asterisk_compliance.app.disclosure.page_files import as_json
from asterisk_compliance.app.policy.configuration import load_configuration
from asterisk_compliance.storage.content_store import ContentStore
from lab.hearing import NoticeHeard, notice_completed
from lab.notice_search import NoticeSearch
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

POLICIES = """
[[notice]]
id = "pointing"
version = "1"
purposes = ["SERVICE", "TRAINING"]
purposes_told_by = "publication"
[notice.wording.en]
prompt = "notice-test"
text = "We record this call. What we use recordings for is published on our website."

[[policy]]
name = "inbound"
notice = "pointing"
languages = ["en"]
"""
CONTACT = 'contact = "privacy@example.invalid"\n'
PAGE = 'page = "https://www.example.invalid/recording"\n'
DIRECT, OVER_AGI = "102", "101"


@pytest.fixture
async def scene(set_the_scene):
    return await set_the_scene(policies=POLICIES)


def day(days):
    """So many days from today, in UTC: two of them are another day whatever the clock says."""
    return (datetime.now(UTC) + timedelta(days=days)).date()


async def publish(scene, settings):
    """Write ``[controller]`` anew, and have it read."""
    config = scene.site.service.config
    text = config.read_text()
    head, _, rest = text.partition(CONTACT)
    _, _, rest = rest.partition("\n[[asterisk]]")
    config.write_text(f"{head}{CONTACT}{settings}\n[[asterisk]]{rest}")
    before = len(scene.details("config_loaded"))
    os.kill(scene.site.service.pid, signal.SIGHUP)
    await scene.site.rows_until(lambda _: len(scene.details("config_loaded")) > before)


async def call(scene, exten, number):
    """What the caller heard of the notice in one whole call, and the row of its decision."""
    leg, agent = await scene.connect(exten)
    await agent.until_heard(1.0)
    prompt = scene.site.asterisk.sounds_here / "en/notice-test.wav"
    heard = NoticeHeard.of(NoticeSearch(read_wav(prompt)[0]), leg.heard_pcm())
    await leg.hang_up()
    await scene.site.until_ended(number)
    return heard, scene.details("decision")[number - 1]


def recorded(scene):
    return len(list(scene.site.recordings.glob("r-*.wav")))


@pytest.mark.parametrize("exten", [DIRECT, OVER_AGI])
async def test_before_the_page_is_published_nothing_is_recorded_and_afterwards_it_is(scene, exten):
    for number, settings in enumerate(("", PAGE, f"{PAGE}published = {day(2)}"), 1):
        if settings:
            await publish(scene, settings)
        heard, decided = await call(scene, exten, number)
        assert heard.started_at is None, "no notice of a recording that is none"
        assert (decided["status"], decided["reason"]) == ("NOT_RECORDED", "NOT_PUBLISHED")
        assert (decided["purposes"], decided["told_by"]) == ([], "")
        assert scene.site.spooled() == []
        assert recorded(scene) == 0
    assert scene.details("notice_started") == []

    await publish(scene, f"{PAGE}published = {day(-2)}")
    heard, decided = await call(scene, exten, 4)
    assert notice_completed(heard).ok
    assert (decided["status"], decided["reason"]) == ("ALLOWED", "NOTICE_COMPLETED")
    assert (decided["purposes"], decided["told_by"]) == (["SERVICE", "TRAINING"], "publication")
    assert recorded(scene) == 1
    (closed,) = scene.details("recording_closed")
    assert closed["whole"]


async def test_the_log_keeps_what_was_to_be_published_then(scene):
    await publish(scene, f"{PAGE}published = {day(-2)}")
    before, after = scene.details("config_loaded")
    assert (before["published"], after["published"]) == ("", str(day(-2)))
    assert before["page_digest"] != after["page_digest"]
    kept = ContentStore(scene.site.store).get(after["page_digest"])
    now = page_of(load_configuration(scene.site.service.config, secrets=False))
    assert kept == as_json(now)
    assert sha256(kept).hexdigest() == after["page_digest"]
    assert [one["code"] for one in json.loads(kept)["purposes"]] == ["SERVICE", "TRAINING"]
