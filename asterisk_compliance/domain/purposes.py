"""Purposes of use: the code that ties the words of a notice to what a recording may serve.

The shipped list is ``data/purposes.toml``; a site chooses from it and adds its own.
Terms: W3C DPV ``Purpose`` (https://w3id.org/dpv); in Japan APPI Article 17(1) asks for a
purpose "as specific as possible", Article 21 that it is told or published.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NewType

PurposeCode = NewType("PurposeCode", str)


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose of use.

    Attributes:
        label: Short name for people, by language.
        phrases: By language, the expressions any of which names this purpose in a wording.
        dpv: IRIs of the DPV terms it stands for, the closest first.
    """

    code: PurposeCode
    label: Mapping[str, str]
    phrases: Mapping[str, tuple[str, ...]]
    dpv: tuple[str, ...] = ()

    def is_named_in(self, wording: str, language: str) -> bool:
        """Whether ``wording`` says this purpose, by one of its accepted phrases.

        Width, case and white space do not count: a wording is written to be spoken.
        """
        return self.phrase_in(wording, language) is not None

    def phrase_in(self, wording: str, language: str) -> str | None:
        """The longest of the accepted phrases that ``wording`` has."""
        folded = _fold(wording)
        said = (phrase for phrase in self.phrases.get(language, ()) if _fold(phrase) in folded)
        return max(said, key=len, default=None)


def unnamed(purposes: Iterable[Purpose], wording: str, language: str) -> tuple[PurposeCode, ...]:
    """The purposes that ``wording`` does not say; empty if it may be played for all of them."""
    return tuple(p.code for p in purposes if not p.is_named_in(wording, language))


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
