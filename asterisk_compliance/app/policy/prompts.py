"""From settings to policies: every notice with its words, its prompt, and their digests.

Read once, at load. The prompt files are those that Asterisk will play, so a prompt that is
missing, is not what the manifest says, or does not say a purpose is refused before a call comes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from asterisk_compliance.app.policy.policies import Policies, RegisteredNotice
from asterisk_compliance.app.policy.prompt_checks import (
    announcements_reached,
    may_be_refused,
    too_long,
    unspoken_keys,
)
from asterisk_compliance.config.settings import (
    AsteriskSettings,
    NoticeSettings,
    PolicySettings,
    Settings,
    WordingSettings,
)
from asterisk_compliance.domain.disclosure.publication import Publication, purposes_left_out
from asterisk_compliance.domain.periods import Period
from asterisk_compliance.domain.policy.notice import (
    Announcement,
    Consent,
    ConsentKeys,
    Notice,
    Prompt,
    ToldBy,
    Wording,
)
from asterisk_compliance.domain.policy.plan import PolicyPlan
from asterisk_compliance.domain.policy.reachability import Reach, applying_to, reachable
from asterisk_compliance.domain.purposes import Purpose, PurposeCode, unnamed
from asterisk_compliance.errors import ConfigError, RecordingUnreadable
from asterisk_compliance.shipped.catalogue import shipped_prompts, shipped_purposes
from asterisk_compliance.storage.recordings.assembly import read_length_ms

_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Za-z]+)?")


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


def needed_for(settings: Settings) -> Mapping[PurposeCode, Period]:
    """How long each purpose needs a recording, where the site says it."""
    return {PurposeCode(own.code): own.retention for own in settings.purpose if own.retention}


def policies_for(asterisk: AsteriskSettings, settings: Settings, source: str) -> Policies:
    """Build what applies on one Asterisk.

    Raises:
        ConfigError: every prompt that is missing or unreadable, and every purpose that a
            wording does not say, with notice, language and purpose.
    """
    problems: list[str] = []
    purposes = purposes_of(settings)
    notices: dict[str, Notice] = {}
    registered: list[RegisteredNotice] = []
    for number, entry in enumerate(settings.notice, 1):
        address = f"notice[{number}]"
        asked = [PurposeCode(code) for code in entry.purposes]
        problems += [
            f"{address}.purposes: there is no purpose {code}"
            for code in asked
            if code not in purposes
        ]
        known = [purposes[code] for code in asked if code in purposes]
        to_say = known if entry.purposes_told_by is ToldBy.NOTICE else []
        found = {
            language: _wording(asterisk, entry, language, wording, to_say, problems, address)
            for language, wording in entry.wording.items()
        }
        wordings = {language: pair[0] for language, pair in found.items() if pair is not None}
        problems += _unpointed(entry, wordings, settings, address)
        notice = Notice(
            entry.id,
            entry.version,
            tuple(asked),
            wordings,
            entry.retention,
            entry.purposes_told_by,
        )
        notices[entry.id] = notice
        registered += [
            RegisteredNotice(notice, *pair) for pair in found.values() if pair is not None
        ]
    plans: dict[str, PolicyPlan] = {}
    spoken: list[bytes] = []
    for number, chosen in enumerate(settings.policy, 1):
        address = f"policy[{number}]"
        reach = reachable(applying_to(settings.every_rule, chosen.name), chosen.terms)
        said = _announcements(asterisk, chosen, reach, problems, address)
        plan = PolicyPlan(
            name=chosen.name,
            site=chosen.terms,
            notices={consent: notices[chosen.notice_for(consent)] for consent in Consent},
            languages=chosen.languages,
            keys=ConsentKeys(**chosen.keys.model_dump()),
            grace_ms=round(chosen.grace_s * 1_000),
            repeats_max=chosen.repeats_max,
            announcements=said,
            joined=notices[chosen.notice_joined] if chosen.notice_joined else None,
            pause_max_ms=round(chosen.pause_max_s * 1_000),
            on_pause_forgotten=chosen.on_pause_forgotten,
            on_withdrawal=chosen.on_withdrawal,
            introduction=_introduction(asterisk, chosen, problems, address, spoken),
            do_not_call=chosen.sales.do_not_call,
            needed=needed_for(settings),
        )
        problems += unspoken_keys(plan, reach, address)
        problems += too_long(settings.limits, plan, reach)
        plans[plan.name] = plan
    if problems:
        raise ConfigError(source, problems)
    return Policies(
        plans,
        registered,
        settings.every_rule,
        settings.rules.home,
        spoken,
        publication_of(settings),
    )


def publication_of(settings: Settings) -> Publication:
    """Where the purposes are published, and since when."""
    controller = settings.controller
    return Publication(controller.page, controller.published, settings.rules.time_zone)


def pointers(settings: Settings, language: str) -> Mapping[str, Sequence[str]]:
    """How a notice can name who records, and the page; :func:`purposes_left_out` asks for it."""
    own, controller = settings.publication, settings.controller
    host = urlsplit(controller.page).hostname or ""
    return {
        "controllers": (controller.name, own.name.get(language, "")),
        "pages": (*own.named.get(language, ()), host),
    }


def _unpointed(
    entry: NoticeSettings, wordings: Mapping[str, Wording], settings: Settings, address: str
) -> Iterator[str]:
    """Each thing that a notice which leaves its purposes to the page must say, and does not."""
    if entry.purposes_told_by is ToldBy.NOTICE:
        return
    for language, wording in wordings.items():
        for what in purposes_left_out(wording.text, language, **pointers(settings, language)):
            where = f"{address}.wording.{language}"
            yield f'{where}: notice "{entry.id}" does not say {what} in {language}'


def _introduction(
    asterisk: AsteriskSettings,
    settings: PolicySettings,
    problems: list[str],
    address: str,
    spoken: list[bytes],
) -> Mapping[str, Prompt] | None:
    """What is said before the notice, in each of the policy's languages; its bytes are kept."""
    name = settings.sales.introduction
    if name is None:
        return None
    said: dict[str, Prompt] = {}
    for language in settings.languages:
        read = read_prompt(asterisk, language, name, problems, f"{address}.sales.introduction")
        if read is not None:
            audio, length_ms = read
            spoken.append(audio)
            digest = hashlib.sha256(audio).hexdigest()
            said[language] = Prompt(media_of(asterisk, language, name), length_ms, digest)
    return said


def _announcements(
    asterisk: AsteriskSettings,
    settings: PolicySettings,
    reach: Mapping[str, Reach],
    problems: list[str],
    address: str,
) -> Mapping[Announcement, Mapping[str, Prompt]]:
    """What any call of the policy can have to hear, in each of its languages."""
    files = {
        Announcement.REFUSED: settings.announcements.refused,
        Announcement.NOT_RECORDED: settings.announcements.not_recorded,
        Announcement.REQUIRED: settings.announcements.required,
    }
    said: dict[Announcement, dict[str, Prompt]] = {}
    for kind, why in sorted(announcements_reached(reach).items()):
        for language in settings.languages:
            where = f"{address}.announcements.{kind.replace('-', '_')}"
            where = f"{where}: {why}".rstrip(": ")
            read = read_prompt(asterisk, language, files[kind], problems, where)
            if read is not None:
                prompt = Prompt(media_of(asterisk, language, files[kind]), read[1])
                said.setdefault(kind, {})[language] = prompt
    # An agent may end the recording for a caller who cannot do so himself: said if it is there.
    for kind in may_be_refused(reach) - said.keys():
        unheard: list[str] = []
        found = {
            language: Prompt(media_of(asterisk, language, files[kind]), read[1])
            for language in settings.languages
            if (read := read_prompt(asterisk, language, files[kind], unheard, "")) is not None
        }
        said |= {kind: found} if found else {}
    return said


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
    read = read_prompt(asterisk, language, settings.prompt, problems, f"{where}.prompt")
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
    media = media_of(asterisk, language, settings.prompt)
    text_digest = hashlib.sha256(text.encode()).hexdigest()
    return Wording(language, text, media, length_ms, text_digest, audio_digest), audio


def media_of(asterisk: AsteriskSettings, language: str, prompt: str) -> str:
    return f"sound:{asterisk.sounds / language / prompt}"


def read_prompt(
    asterisk: AsteriskSettings, language: str, prompt: str, problems: list[str], where: str
) -> tuple[bytes, int] | None:
    """The 8 kHz file of a prompt and its length in ms; the 16 kHz one must be as long.

    Below any path Asterisk looks into a directory of the channel's language first.
    """
    file = (asterisk.sounds_path / language / prompt).with_suffix(".wav")
    for other in sorted(file.parent.glob(f"*/{file.stem}.*")):
        if _LANGUAGE.fullmatch(other.parent.name):
            instead = f"{other} is played in its place to channels in {other.parent.name}"
            problems.append(f"{where}: {instead}")
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
