"""Findings about the published page: missing, incomplete, or changed since it was published."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime

import msgspec

from asterisk_compliance.app.checks.finding import (
    OperatorFinding,
    OperatorFindingId,
    OperatorSeverity,
    found,
)
from asterisk_compliance.app.disclosure.page import page_of
from asterisk_compliance.app.disclosure.page_files import LANGUAGES
from asterisk_compliance.app.policy.configuration import Configuration
from asterisk_compliance.app.policy.policies import notices_heard, relies_on_page
from asterisk_compliance.app.policy.prompts import publication_of
from asterisk_compliance.config.settings import PolicySettings, Settings
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.disclosure.publication import page_published_on
from asterisk_compliance.domain.disclosure.published_page import lacking
from asterisk_compliance.domain.policy.notice import ToldBy
from asterisk_compliance.errors import StoreError
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.log.schema import DATABASE

_PAGE = "docs/publishing.md"


def publication_findings(configuration: Configuration, now: datetime) -> list[OperatorFinding]:
    """Policies that record nothing until the page is there, and what the page does not say."""
    settings = configuration.settings
    findings = [*_lacking(configuration)] if settings.controller.page else []
    if publication_of(settings).holds_at(now):
        return [*_changed(configuration), *findings]
    waiting = [
        _waits(settings, number, policy)
        for number, policy in enumerate(settings.policy, 1)
        if relies_on_page(notices_heard(settings, policy))
    ]
    return [*waiting, *findings]


def _lacking(configuration: Configuration) -> Iterator[OperatorFinding]:
    missing = ", ".join(lacking(page_of(configuration), LANGUAGES))
    if missing:
        what = f"the page about recording does not say {missing}"
        todo = f"say it, and publish the page again: {_PAGE}"
        yield found(OperatorFindingId.PAGE_INCOMPLETE, "publication", what, todo)


def _changed(configuration: Configuration) -> Iterator[OperatorFinding]:
    """Purposes that only the page tells, and that it did not tell on the day that it names."""
    settings = configuration.settings
    told = {
        one.code for one in page_of(configuration).purposes if ToldBy.PUBLICATION in one.told_by
    }
    since = settings.controller.published
    if not told or since is None or not os.access(settings.audit.store / DATABASE, os.R_OK):
        return
    try:
        pages = list(_pages(settings, since))
        before = _codes(settings, page_published_on(pages, since)) if pages else told
    except (StoreError, msgspec.DecodeError):
        return  # of an older version, or broken: audit verify says what it is
    if new := sorted(told - before):
        what = f"the page that is published since {since} did not say {', '.join(new)} then"
        todo = f"publish the page as it is now, and set published to that day: {_PAGE}"
        address = "controller.published"
        yield found(OperatorFindingId.PAGE_CHANGED, address, what, todo)


def _pages(settings: Settings, since: date) -> Iterator[tuple[date, str]]:
    """The digests of the pages that configurations had which say this day, and when."""
    with StoreReader(settings.audit.store) as reader:
        for stored in reader.rows(RowQuery(kind=Kind.CONFIG_LOADED)):
            row = decode(stored.data)
            digest = str(row.detail.get("page_digest", ""))
            if digest and row.detail.get("published") == since.isoformat():
                at = datetime.fromisoformat(row.at).astimezone(settings.rules.time_zone)
                yield at.date(), digest


def _codes(settings: Settings, digest: str) -> set[str]:
    page = msgspec.json.decode(ContentStore(settings.audit.store).get(digest))
    return {one["code"] for one in page["purposes"]}


def _waits(settings: Settings, number: int, policy: PolicySettings) -> OperatorFinding:
    controller, address = settings.controller, f"policy[{number}]"
    if controller.page and controller.published is not None:
        what = f"{policy.name} records nothing before {controller.published}: its purposes wait"
        todo = f"see that the page is there by then: {_PAGE}"
        return found(
            OperatorFindingId.NOT_PUBLISHED_YET,
            address,
            what,
            todo,
            severity=OperatorSeverity.WARNING,
        )
    lacking = "published" if controller.page else "page"
    what = f"{policy.name} records nothing: its purposes are told by a page that is not published"
    todo = f"publish the page, and set controller.{lacking}: {_PAGE}"
    return found(OperatorFindingId.NOT_PUBLISHED_YET, address, what, todo)
