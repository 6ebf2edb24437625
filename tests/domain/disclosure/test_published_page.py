"""The page about recording as a value: what it lacks, and how a published copy of it differs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.disclosure.published_page import (
    Controller,
    PublishedLog,
    PublishedPage,
    PublishedPeriod,
    PublishedPurpose,
    PublishedRecipient,
    Requests,
    differences,
    lacking,
    lines_apart,
    read_lines,
    unsaid,
)
from values import replace

BOTH = {"ja": "東京", "en": "Tokyo"}
QUALITY = PublishedPurpose(
    code="QUALITY",
    label=BOTH,
    said={},
    told_by=("notice",),
    dpv=(),
    basis="",
    basis_dpv="",
    kept=PublishedPeriod(needed="6 months"),
)
WHOLE = PublishedPage(
    address="https://www.example.jp/recording",
    published="2026-12-01",
    controller=Controller(name=BOTH, address=BOTH, representative={}, contact="desk"),
    purposes=(QUALITY,),
    interests={},
    notices=(),
    requests=Requests(
        procedure=BOTH, answered_within="14 days", by_law=False, fee="", hearing_number=""
    ),
    measures=(),
    security={},
    recipients=(),
    complaints=BOTH,
    authority={},
    log=PublishedLog(site="", fingerprint=""),
)
ABROAD = PublishedRecipient(name=BOTH, country="US", items=BOTH, why=BOTH)


# -- what it lacks -----------------------------------------------------------------------------


def test_a_page_that_says_all_lacks_nothing() -> None:
    assert list(lacking(replace(WHOLE, recipients=(ABROAD,)), ["ja", "en"])) == []


JA = {"ja": "東京"}


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        (replace(WHOLE, complaints=JA), ["publication.complaints.en"]),
        (replace(WHOLE, requests=replace(WHOLE.requests, procedure={})), ["publication.procedure"]),
        (
            replace(WHOLE, controller=replace(WHOLE.controller, address=JA)),
            ["publication.address.en"],
        ),
        (
            replace(WHOLE, recipients=(ABROAD, replace(ABROAD, name=JA, items=JA, why=JA))),
            [f"publication.recipient[2].{name}.en" for name in ("name", "items", "why")],
        ),
        (replace(WHOLE, purposes=(replace(QUALITY, label=JA),)), ["purpose QUALITY.label.en"]),
        (
            replace(WHOLE, purposes=(replace(QUALITY, kept=PublishedPeriod(at_least="1 day")),)),
            ["purpose QUALITY.retention"],
        ),
        (replace(WHOLE, purposes=(replace(QUALITY, kept=PublishedPeriod(at_most="1 year")),)), []),
    ],
)
def test_what_the_law_asks_for_and_nobody_says_is_named(
    page: PublishedPage, settings: list[str]
) -> None:
    found = list(lacking(page, ["en"]))
    assert [name.removesuffix(".en") for name in found] == [
        name.removesuffix(".en") for name in settings
    ]
    assert list(lacking(page, [])) == [name for name in found if not name.endswith(".en")]


def test_what_proves_less_without_it_is_named_too() -> None:
    signed = replace(WHOLE, log=PublishedLog(site="", fingerprint="ab" * 32))
    assert list(unsaid(signed)) == []
    nothing = replace(WHOLE, address="", published="")
    assert [name.removeprefix("controller.") for name in unsaid(nothing)] == [
        "page",
        "published",
        "fingerprint",
    ]


# -- JSON --------------------------------------------------------------------------------------

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(DOCUMENTS, DOCUMENTS)
def test_two_documents_differ_if_and_only_if_something_is_said(one: object, other: object) -> None:
    assert (list(differences(one, other)) == []) == (one == other)


@pytest.mark.parametrize(
    ("published", "now", "said"),
    [
        ({"a": 1}, {"a": 2}, ["a: differs"]),
        ({}, {"a": 2}, ["a: is not in the published copy"]),
        ({"a": {"b": 1}}, {"a": {}}, ["a.b: is only in the published copy"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a[2]: differs"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a: 1 in the published copy, 2 now"]),
        ({"a": [1]}, {"a": "1"}, ["a: differs"]),
        (1, 2, ["the document: differs"]),
    ],
)
def test_a_difference_is_named_by_its_address(
    published: object, now: object, said: list[str]
) -> None:
    assert list(differences(published, now)) == said


# -- HTML --------------------------------------------------------------------------------------


def html(body: str) -> str:
    return (
        f'<html><body><p>menu</p><main id="call-recording">{body}</main><p>foot</p></body></html>'
    )


def test_what_the_site_puts_around_it_does_not_count() -> None:
    assert read_lines(html("<h1>A</h1><p>b\n  c</p>")) == ("A", "b c")
    assert read_lines(f"<main>other</main>{html('<p>b c</p>')}<main>more</main>") == ("b c",)


def test_a_page_without_our_part_has_no_lines() -> None:
    assert read_lines("<p>Welcome</p>") == ()
    assert read_lines('<main id="other"><p>Welcome</p></main>') == ()


def test_text_between_blocks_is_read_too() -> None:
    assert read_lines(html("one<p>two <code>three</code></p>four")) == ("one", "two three", "four")


def test_lines_of_one_page_only_are_told() -> None:
    assert list(lines_apart(["a", "b"], ["a", "b"])) == []
    assert list(lines_apart(["a", "-- b"], ["a", "++ c"])) == ["--- b", "+++ c"]
    assert list(lines_apart([], ["c"])) == ["+c"]
    assert list(lines_apart(["a", "b"], ["b", "a"])) != []
