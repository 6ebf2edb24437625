"""What the package ships as data: purposes of use, and the prompts with their words.

A site chooses from both and adds its own; the files are ``data/purposes.toml`` and
``sounds/manifest.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from asterisk_compliance.domain.disclosure.wording_lint import PromptKind
from asterisk_compliance.domain.policy.notice import ToldBy
from asterisk_compliance.domain.purposes import Purpose, PurposeCode

SAMPLE_RATE_SUFFIXES = (".wav", ".wav16")
"""Asterisk's names of 8 kHz and 16 kHz 16-bit PCM WAV files."""


@dataclass(frozen=True, slots=True)
class ShippedPrompt:
    """One prompt in one language: its words, the purposes they say, and its digests by suffix.

    ``digits``: what the words say a key does, from a role (``accept``, ``refuse``) to the key.
    The policy that plays the prompt must have the same.
    """

    id: str
    language: str
    text: str
    purposes: tuple[PurposeCode, ...]
    length_ms: int
    sha256: Mapping[str, str]
    kind: PromptKind
    digits: Mapping[str, str]

    @property
    def told_by(self) -> ToldBy:
        """A notice that says no purpose leaves them to the published page."""
        says_none = self.kind is not PromptKind.ANNOUNCEMENT and not self.purposes
        return ToldBy.PUBLICATION if says_none else ToldBy.NOTICE


def sounds() -> Traversable:
    """The directory of the shipped prompts: one directory per language."""
    return files("asterisk_compliance") / "sounds"


def dialplan() -> Traversable:
    """The directory of the shipped dialplan: the template and its rendered default."""
    return files("asterisk_compliance") / "dialplan"


@cache
def shipped_purposes() -> Mapping[PurposeCode, Purpose]:
    raw = _toml(files("asterisk_compliance") / "data" / "purposes.toml")
    return {
        PurposeCode(item["code"]): Purpose(
            PurposeCode(item["code"]),
            label=item["label"],
            phrases={language: tuple(said) for language, said in item["phrases"].items()},
            dpv=tuple(item["dpv"]),
        )
        for item in raw["purpose"]
    }


@cache
def shipped_prompts() -> Mapping[tuple[str, str], ShippedPrompt]:
    """By prompt id and language."""
    raw = _toml(sounds() / "manifest.toml")
    prompts = [
        ShippedPrompt(
            id=item["id"],
            language=item["language"],
            text=item["text"],
            purposes=tuple(PurposeCode(code) for code in item["purposes"]),
            length_ms=item["duration_ms"],
            sha256={".wav": item["sha256_wav"], ".wav16": item["sha256_wav16"]},
            kind=PromptKind(item["kind"]),
            digits=item.get("digits", {}),
        )
        for item in raw["prompt"]
    ]
    return {(prompt.id, prompt.language): prompt for prompt in prompts}


def _toml(file: Traversable) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))
