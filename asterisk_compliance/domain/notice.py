"""What a party must hear before a sample of them is kept, and the policy that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from asterisk_compliance.domain.purposes import PurposeCode


class CaptureFrom(StrEnum):
    """From when on MixMonitor keeps audio."""

    BRIDGED = "bridged"
    """While the caller is bridged to somebody: no waiting music, no asides in a queue."""
    NOTICE = "from-notice"
    """From the completed notice on, whatever happens to the channel."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A notice in one language: the words, and the prompt that says them.

    Attributes:
        media: What Asterisk is asked to play: ``sound:`` and the absolute path, without
            extension, of this language's own file, so that no other language can stand in.
        length_ms: Length of the prompt; a playback that took less was not heard to the end.
        text_digest, audio_digest: SHA-256, hex, under which the words and the 8 kHz prompt
            are kept in the content store for as long as rows point to them.
    """

    language: str
    text: str
    media: str
    length_ms: int
    text_digest: str
    audio_digest: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A versioned notice. Same id and version, same words: a change is a new version."""

    id: str
    version: str
    purposes: tuple[PurposeCode, ...]
    wordings: Mapping[str, Wording]

    def label(self, language: str) -> str:
        """``id/version/language``, as it stands in ``COMPLIANCE_NOTICE`` and in rows."""
        return f"{self.id}/{self.version}/{language}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What applies to a call that asks for this policy by name.

    Attributes:
        languages: In order of preference; the notice has a wording in each.
        digest: SHA-256 over everything above; rows name the policy by it.
    """

    name: str
    notice: Notice
    languages: tuple[str, ...]
    capture: CaptureFrom
    digest: str

    def wording_for(self, channel_language: str) -> Wording:
        """The wording in the channel's language if the policy offers it, else in its first.

        ``channel_language`` is Asterisk's, possibly regional: ``ja_JP`` means ``ja``.
        """
        wanted = channel_language.replace("-", "_").split("_", 1)[0].lower()
        language = wanted if wanted in self.languages else self.languages[0]
        return self.notice.wordings[language]
