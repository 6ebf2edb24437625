"""From settings to policies: every notice with its words, its prompt, and their digests.

Read once, at load. The prompt files are those that Asterisk will play, so a prompt that is
missing, is not what the manifest says, or does not say a purpose is refused before a call comes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from asterisk_compliance.catalogue import shipped_prompts, shipped_purposes
from asterisk_compliance.config import (
    AsteriskSettings,
    NoticeSettings,
    Settings,
    WordingSettings,
)
from asterisk_compliance.domain.notice import Notice, Policy, Wording
from asterisk_compliance.domain.purposes import Purpose, PurposeCode, unnamed
from asterisk_compliance.errors import ConfigError, RecordingUnreadable
from asterisk_compliance.storage.recordings import read_length_ms


@dataclass(frozen=True, slots=True)
class Registered:
    """One wording as it goes into the content store: its words and its prompt's bytes."""

    notice: Notice
    wording: Wording
    audio: bytes


@dataclass(frozen=True, slots=True)
class Policies:
    """What one Asterisk's calls can ask for, by policy name."""

    by_name: Mapping[str, Policy]
    registered: tuple[Registered, ...]

    @property
    def longest_prompt_ms(self) -> int:
        return max((entry.wording.length_ms for entry in self.registered), default=0)


def purposes_of(settings: Settings) -> Mapping[PurposeCode, Purpose]:
    """The shipped purposes, with what the site added: new ones, or more phrases for a code."""
    purposes = dict(shipped_purposes())
    for own in settings.purpose:
        code = PurposeCode(own.code)
        shipped = purposes.get(code, Purpose(code, label={}, phrases={}))
        phrases = {
            language: (*shipped.phrases.get(language, ()), *own.phrases.get(language, ()))
            for language in {*shipped.phrases, *own.phrases}
        }
        purposes[code] = Purpose(
            code, {**shipped.label, **own.label}, phrases, own.dpv or shipped.dpv
        )
    return purposes


def policies_for(asterisk: AsteriskSettings, settings: Settings, source: str) -> Policies:
    """Build what applies on one Asterisk.

    Raises:
        ConfigError: every prompt that is missing or unreadable, and every purpose that a
            wording does not say, with notice, language and purpose.
    """
    problems: list[str] = []
    purposes = purposes_of(settings)
    notices: dict[str, Notice] = {}
    registered: list[Registered] = []
    for number, entry in enumerate(settings.notice, 1):
        address = f"notice[{number}]"
        asked = [PurposeCode(code) for code in entry.purposes]
        problems += [
            f"{address}.purposes: there is no purpose {code}"
            for code in asked
            if code not in purposes
        ]
        known = [purposes[code] for code in asked if code in purposes]
        found = {
            language: _wording(asterisk, entry, language, wording, known, problems, address)
            for language, wording in entry.wording.items()
        }
        wordings = {language: pair[0] for language, pair in found.items() if pair is not None}
        notice = Notice(entry.id, entry.version, tuple(asked), wordings)
        notices[entry.id] = notice
        registered += [Registered(notice, *pair) for pair in found.values() if pair is not None]
    problems += _too_long(settings, registered)
    if problems:
        raise ConfigError(source, problems)
    by_name = {
        entry.name: _with_digest(
            Policy(entry.name, notices[entry.notice], entry.languages, entry.capture, digest="")
        )
        for entry in settings.policy
    }
    return Policies(by_name, tuple(registered))


def _wording(
    asterisk: AsteriskSettings,
    entry: NoticeSettings,
    language: str,
    settings: WordingSettings,
    purposes: list[Purpose],
    problems: list[str],
    address: str,
) -> tuple[Wording, bytes] | None:
    where = f"{address}.wording.{language}"
    file = (asterisk.sounds_path / language / settings.prompt).with_suffix(".wav")
    try:
        audio = file.read_bytes()
        length_ms = read_length_ms(audio)
        wide = file.with_suffix(".wav16")
        if wide.exists() and abs(read_length_ms(wide.read_bytes(), 16_000) - length_ms) > 20:
            problems.append(f"{where}.prompt: {wide} is not as long as its 8 kHz file")
    except (OSError, RecordingUnreadable) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        problems.append(f"{where}.prompt: {file}: {why}")
        return None
    audio_digest = hashlib.sha256(audio).hexdigest()
    shipped = shipped_prompts().get((settings.prompt.rsplit("/", 1)[-1], language))
    text = settings.text
    if not text:
        if shipped is None or shipped.sha256[".wav"] != audio_digest:
            problems.append(f"{where}.text: is missing, and the prompt is not a shipped one")
            return None
        text = shipped.text
    missing = unnamed(purposes, text, language)
    problems += [
        f'{where}: notice "{entry.id}" does not say purpose {code} in {language}'
        for code in missing
    ]
    media = f"sound:{asterisk.sounds / language / settings.prompt}"
    text_digest = hashlib.sha256(text.encode()).hexdigest()
    return Wording(language, text, media, length_ms, text_digest, audio_digest), audio


def _too_long(settings: Settings, registered: list[Registered]) -> Iterator[str]:
    """The routine's own limit must not end a notice that plays well."""
    needed_s = settings.limits.notice_margin_s
    for entry in registered:
        length_s = entry.wording.length_ms / 1_000
        if length_s + needed_s > settings.limits.dialplan_s:
            label = entry.notice.label(entry.wording.language)
            yield (
                f"limits.dialplan_s: notice {label} takes {length_s:.1f} s; with notice_margin_s "
                f"the dialplan must wait at least {length_s + needed_s:.1f} s"
            )


def _with_digest(policy: Policy) -> Policy:
    body = msgspec.json.encode(policy, order="sorted")
    return replace(policy, digest=hashlib.sha256(body).hexdigest())
