"""The page about recording, as a value: what people must be able to read. Pure.

APPI Article 32(1): who is responsible, the purposes, how to make a request and what it costs, how
recordings are kept safe, where to complain. GDPR Articles 13 and 14: the legal basis, recipients,
periods, the authority. The industry's code: that calls are recorded, and how to hear one's own.

Texts are by language. What is machine-readable of it stands under the names of these fields.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

FORMAT = "asterisk-compliance/recording-page/1"

ByLanguage = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """Who is responsible; ``representative`` of a company (APPI Article 32(1)(i))."""

    name: ByLanguage
    address: ByLanguage
    representative: ByLanguage
    contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPeriod:
    """How long, in the words of the configuration, such as ``6 months``; empty: not said.

    Attributes:
        needed: By the purpose.
        at_least, at_most: Of every recording that may serve it.
    """

    needed: str = ""
    at_least: str = ""
    at_most: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPurpose:
    """One purpose of use.

    Attributes:
        said: By language, the phrases by which notices name it.
        told_by: ``notice``, ``publication``, or both: by what callers are told.
        dpv: Terms of the W3C Data Privacy Vocabulary, the closest first.
        basis: As in the configuration; empty: none is given.
        basis_dpv: Its term.
    """

    code: str
    label: ByLanguage
    said: Mapping[str, tuple[str, ...]]
    told_by: tuple[str, ...]
    dpv: tuple[str, ...]
    basis: str
    basis_dpv: str
    kept: PublishedPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNotice:
    """What a party hears.

    Attributes:
        asks: What must be done to be recorded: ``notice``, ``opt-out``, ``opt-in``.
        sha256: Of the words, by which the audit log knows them.
    """

    id: str
    version: str
    purposes: tuple[str, ...]
    told_by: str
    asks: tuple[str, ...]
    words: ByLanguage
    sha256: ByLanguage


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """How to ask for one's recording.

    Attributes:
        answered_within: Such as ``14 days``.
        by_law: The law sets that time; else it is a promise.
        fee: Such as ``JPY 500``; empty: nothing.
        hearing_number: Where recordings can be heard by telephone; empty: nowhere.
    """

    procedure: ByLanguage
    answered_within: str
    by_law: bool
    fee: str
    hearing_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRecipient:
    """A third party; ``country`` as in ISO 3166-1."""

    name: ByLanguage
    country: str
    items: ByLanguage
    why: ByLanguage


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLog:
    """By what the audit log of the site can be told from another one."""

    site: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPage:
    """All of it.

    Attributes:
        published: ISO 8601; empty: not yet.
        measures: Codes of what the configuration does for security, sorted.
        security: What the site does besides.
    """

    format: str = FORMAT
    address: str
    published: str
    controller: Controller
    purposes: tuple[PublishedPurpose, ...]
    interests: ByLanguage
    notices: tuple[PublishedNotice, ...]
    requests: Requests
    measures: tuple[str, ...]
    security: Mapping[str, tuple[str, ...]]
    recipients: tuple[PublishedRecipient, ...]
    complaints: ByLanguage
    authority: ByLanguage
    log: PublishedLog


def lacking(page: PublishedPage, languages: Iterable[str]) -> Iterator[str]:
    """Settings without which the page does not say what the law asks, each with its address."""
    texts = dict(_texts(page))
    for language in languages:
        for address, by_language in texts.items():
            if language not in by_language:
                yield f"{address}.{language}"
    for purpose in page.purposes:
        if not (purpose.kept.needed or purpose.kept.at_most):
            yield f"purpose {purpose.code}.retention"


def unsaid(page: PublishedPage) -> Iterator[str]:
    """Settings that no law asks for: where the page stands, since when, and the log's key."""
    said = {
        "page": page.address,
        "published": page.published,
        "fingerprint": page.log.fingerprint,
    }
    return (f"controller.{name}" for name, value in said.items() if not value)


def _texts(page: PublishedPage) -> Iterator[tuple[str, ByLanguage]]:
    """What must be said in every language, by the address of its setting."""
    yield "publication.address", page.controller.address
    yield "publication.procedure", page.requests.procedure
    yield "publication.complaints", page.complaints
    for number, one in enumerate(page.recipients, 1):
        yield f"publication.recipient[{number}].name", one.name
        yield f"publication.recipient[{number}].items", one.items
        yield f"publication.recipient[{number}].why", one.why
    for purpose in page.purposes:
        yield f"purpose {purpose.code}.label", purpose.label


# -- comparing a published copy ----------------------------------------------------------------


def differences(published: Any, now: Any, address: str = "") -> Iterator[str]:
    """What differs between two documents of JSON, each with its address, without the values."""
    match published, now:
        case dict(), dict():
            for key in sorted({*published, *now}):
                where = f"{address}.{key}" if address else key
                if key not in published:
                    yield f"{where}: is not in the published copy"
                elif key not in now:
                    yield f"{where}: is only in the published copy"
                else:
                    yield from differences(published[key], now[key], where)
        case list(), list() if len(published) == len(now):
            for number, (one, other) in enumerate(zip(published, now, strict=True), 1):
                yield from differences(one, other, f"{address}[{number}]")
        case list(), list():
            yield f"{address}: {len(published)} in the published copy, {len(now)} now"
        case _ if published != now:
            yield f"{address or 'the document'}: differs"
        case _:
            pass


def lines_apart(published: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    """Lines that only one of two pages has: ``-`` the published copy, ``+`` the page as it is."""
    for line in difflib.unified_diff(published, now, n=0, lineterm=""):
        if line[0] in "-+" and line not in _HEADINGS:
            yield line


_HEADINGS = ("--- ", "+++ ")
_MAIN = "call-recording"
"""The id of the part that is ours, wherever a site puts it."""
_BLOCKS = frozenset(
    {"p", "li", "h1", "h2", "th", "td", "dt", "dd", "caption", "blockquote", "main"}
)


def read_lines(html: str) -> tuple[str, ...]:
    """The visible text of our part of a page, a line for each block; white space does not count.

    What a site puts around it is not looked at; a page without it has no lines.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tuple(reader.lines)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._inside = False
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "main" and dict(attrs).get("id") == _MAIN:
            self._inside = True
        if tag in _BLOCKS:
            self._end()

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end()
        if tag == "main":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._text.append(data)

    def _end(self) -> None:
        line = " ".join("".join(self._text).split())
        self._text.clear()
        if line:
            self.lines.append(line)
