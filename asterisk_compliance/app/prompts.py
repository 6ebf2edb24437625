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
    PolicySettings,
    Settings,
    WordingSettings,
)
from asterisk_compliance.domain.notice import (
    Announcement,
    Consent,
    Keys,
    Notice,
    Policy,
    Prompt,
    Wording,
    announcement_for,
)
from asterisk_compliance.domain.purposes import Purpose, PurposeCode, unnamed
from asterisk_compliance.domain.spoken import EXPRESSIONS, fold, keys_spoken
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
    by_name: dict[str, Policy] = {}
    for number, chosen in enumerate(settings.policy, 1):
        address = f"policy[{number}]"
        policy = _policy(asterisk, chosen, notices[chosen.notice], problems, address)
        problems += _unspoken_keys(policy, address)
        problems += _too_long(settings, policy)
        by_name[policy.name] = _with_digest(policy)
    if problems:
        raise ConfigError(source, problems)
    return Policies(by_name, tuple(registered))


def _policy(
    asterisk: AsteriskSettings,
    settings: PolicySettings,
    notice: Notice,
    problems: list[str],
    address: str,
) -> Policy:
    asks = settings.consent is not Consent.NOTICE
    needed = {announcement_for(settings.on_notice_failure, refused=False)}
    if asks:
        needed.add(announcement_for(settings.on_refusal, refused=True))
    files = {
        Announcement.REFUSED: settings.announcements.refused,
        Announcement.NOT_RECORDED: settings.announcements.not_recorded,
        Announcement.REQUIRED: settings.announcements.required,
    }
    announcements: dict[Announcement, dict[str, Prompt]] = {}
    for kind in sorted(filter(None, needed)):
        for language in settings.languages:
            where = f"{address}.announcements.{kind.replace('-', '_')}"
            read = _read(asterisk, language, files[kind], problems, where)
            if read is not None:
                prompt = Prompt(_media(asterisk, language, files[kind]), read[1])
                announcements.setdefault(kind, {})[language] = prompt
    return Policy(
        settings.name,
        notice,
        settings.languages,
        settings.capture,
        digest="",
        consent=settings.consent,
        keys=Keys(**settings.keys.model_dump()),
        grace_ms=round(settings.grace_s * 1_000) if asks else 0,
        repeats_max=settings.repeats_max if asks else 0,
        on_refusal=settings.on_refusal,
        on_notice_failure=settings.on_notice_failure,
        announcements=announcements,
    )


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
    read = _read(asterisk, language, settings.prompt, problems, f"{where}.prompt")
    if read is None:
        return None
    audio, length_ms = read
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
    media = _media(asterisk, language, settings.prompt)
    text_digest = hashlib.sha256(text.encode()).hexdigest()
    return Wording(language, text, media, length_ms, text_digest, audio_digest), audio


def _media(asterisk: AsteriskSettings, language: str, prompt: str) -> str:
    return f"sound:{asterisk.sounds / language / prompt}"


def _read(
    asterisk: AsteriskSettings, language: str, prompt: str, problems: list[str], where: str
) -> tuple[bytes, int] | None:
    """The 8 kHz file of a prompt and its length in ms; the 16 kHz one must be as long."""
    file = (asterisk.sounds_path / language / prompt).with_suffix(".wav")
    try:
        audio = file.read_bytes()
        length_ms = read_length_ms(audio)
        wide = file.with_suffix(".wav16")
        if wide.exists() and abs(read_length_ms(wide.read_bytes(), 16_000) - length_ms) > 20:
            problems.append(f"{where}: {wide} is not as long as its 8 kHz file")
    except (OSError, RecordingUnreadable) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        problems.append(f"{where}: {file}: {why}")
        return None
    return audio, length_ms


def _unspoken_keys(policy: Policy, address: str) -> Iterator[str]:
    """A key that refuses or accepts is worth nothing if the notice does not say it."""
    if policy.consent is Consent.NOTICE:
        return
    asked = {policy.keys.refuse}
    if policy.consent is Consent.OPT_IN:
        asked.add(policy.keys.accept)
    for language in policy.languages:
        wording = policy.notice.wordings.get(language)
        if wording is None or language not in EXPRESSIONS:
            continue
        for key in sorted(asked - keys_spoken(fold(wording.text), EXPRESSIONS[language])):
            said = f'notice "{policy.notice.id}" does not say key {key} in {language}'
            yield f"{address}.keys: {said}"


def _too_long(settings: Settings, policy: Policy) -> Iterator[str]:
    """The routine's own limit must not end a notice that plays well, nor what follows it."""
    margin_ms = round(settings.limits.notice_margin_s * 1_000)
    said = (prompt.length_ms for kind in policy.announcements.values() for prompt in kind.values())
    after_ms = max(said, default=-margin_ms) + margin_ms + policy.grace_ms
    for wording in policy.notice.wordings.values():
        needed_s = (wording.length_ms + margin_ms + after_ms) / 1_000
        if needed_s > settings.limits.dialplan_s:
            label = policy.notice.label(wording.language)
            yield (
                f"limits.dialplan_s: policy {policy.name} needs {needed_s:.1f} s for notice {label}"
                ", its margin, the grace and an announcement"
            )


def _with_digest(policy: Policy) -> Policy:
    body = msgspec.json.encode(policy, order="sorted")
    return replace(policy, digest=hashlib.sha256(body).hexdigest())
