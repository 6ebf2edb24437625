"""Whether the published page says what it said on the day since which it is published."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.disclosure.test_page import POINTING, STANDARD, configured, notice, policy
from asterisk_compliance.app.checks.finding import OperatorSeverity
from asterisk_compliance.app.checks.publication import publication_findings
from asterisk_compliance.app.disclosure.page import page_of
from asterisk_compliance.app.disclosure.page_files import as_json
from asterisk_compliance.app.policy.configuration import Configuration
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.ids import NodeName
from asterisk_compliance.shipped import catalogue
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.log.writer import StoreWriter

SINCE = date(2026, 12, 1)
ON_THE_DAY, LATER = datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)

With = Callable[..., Configuration]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site") / "sounds"
    shutil.copytree(str(catalogue.sounds()), directory)
    return directory


@pytest.fixture
def telling(sounds: Path, tmp_path: Path) -> With:
    """A configuration whose page tells these purposes, with the store of the test."""

    def made(*purposes: str, since: date = SINCE, of: str = POINTING, **more: Any) -> Configuration:
        notices = [
            notice(POINTING, "notice-published", *purposes, purposes_told_by="publication"),
            notice(STANDARD, "notice-standard", "SERVICE", "QUALITY"),
        ]
        tables = {"notice": notices, "policy": [policy("inbound", of)], **more}
        tables["audit"] = {"store": str(tmp_path / "store")}
        tables["controller"] = {"published": since}
        return configured(sounds, **tables)

    return made


def load(configuration: Configuration, at: datetime) -> None:
    """As the service says in the log that it has loaded it."""
    settings, page = configuration.settings, as_json(page_of(configuration))
    published = settings.controller.published
    assert published is not None
    ContentStore(settings.audit.store).put(page)
    detail = {"page_digest": sha256(page).hexdigest(), "published": published.isoformat()}
    row = Draft(
        Kind.CONFIG_LOADED, int(at.timestamp() * 1_000), NodeName(SERVICE_NODE), detail=detail
    )
    with StoreWriter.open(settings.audit.store) as store:
        store.commit([row])


def changed(configuration: Configuration) -> list[str]:
    found = publication_findings(configuration, LATER)
    mine = [one for one in found if one.id == "PAGE_CHANGED"]
    assert all(one.severity is OperatorSeverity.WARNING for one in mine)
    return [one.what for one in mine]


def test_a_purpose_that_came_to_the_page_afterwards_is_named(telling: With) -> None:
    load(telling("SERVICE"), ON_THE_DAY)
    said = "the page that is published since 2026-12-01 did not say QUALITY, TRAINING then"
    later = telling("SERVICE", "TRAINING", "QUALITY")
    assert changed(later) == [said], "before it is loaded"
    load(later, LATER)
    assert changed(later) == [said], "and while it is"


def test_what_was_there_that_day_or_has_a_date_of_its_own_is_none(telling: With) -> None:
    load(telling("SERVICE"), datetime(2026, 11, 20, tzinfo=UTC))
    load(telling("SERVICE", "QUALITY"), ON_THE_DAY)
    assert changed(telling("SERVICE", "QUALITY")) == []
    assert changed(telling("SERVICE")) == [], "one that went is promised no more"
    assert changed(telling("SERVICE", "TRAINING", since=date(2027, 1, 15))) == []


def test_a_purpose_that_the_words_say_needs_no_page(telling: With) -> None:
    load(telling("SERVICE"), ON_THE_DAY)
    assert changed(telling("SERVICE", of=STANDARD)) == []


def test_without_a_log_or_with_one_that_lost_the_page_nothing_is_said(telling: With) -> None:
    assert changed(telling("SERVICE")) == []
    load(telling("SERVICE"), ON_THE_DAY)
    store = telling("SERVICE").settings.audit.store
    for file in (store / "content").rglob("*"):
        if file.is_file():
            file.unlink()
    assert changed(telling("SERVICE", "QUALITY")) == []
