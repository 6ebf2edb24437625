"""From settings to policies: every notice with its words, its prompt, and their digests.

Prompts are read once, when the configuration is loaded. The files are those that Asterisk plays.
A prompt is refused before the first call if it is missing, differs from the manifest, does not
state a purpose, or does not fit what the rules can make of its policy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from asterisk_compliance.app.policy.policies import Policies, RegisteredNotice
from asterisk_compliance.config.rules import asked_by
from asterisk_compliance.config.settings import (
    AsteriskSettings,
    LimitSettings,
    NoticeSettings,
    PolicySettings,
    Settings,
    WordingSettings,
)
from asterisk_compliance.domain.access.hearing_state import Said
from asterisk_compliance.domain.disclosure.phrase_patterns import EXPRESSIONS, fold, keys_spoken
from asterisk_compliance.domain.disclosure.publication import Publication, purposes_left_out
from asterisk_compliance.domain.periods import Period
from asterisk_compliance.domain.policy.notice import (
    Announcement,
    Consent,
    ConsentKeys,
    Notice,
    Prompt,
    ToldBy,
    Withdrawal,
    Wording,
    announcement_for,
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


def said_by(
    asterisk: AsteriskSettings, settings: Settings, problems: list[str]
) -> Mapping[str, Said]:
    """The prompts of one Asterisk by language, the first one first.

    Nobody hears over an Asterisk without ARI, or where ``[hearing]`` is not configured.

    Args:
        asterisk: Whose files.
        settings: The whole configuration.
        problems: Each prompt that is missing or unreadable is added, with its address.
    """
    hearing = settings.hearing
    if hearing is None or asterisk.ari is None:
        return {}
    said: dict[str, Said] = {}
    for language in hearing.languages:
        found = {}
        for name, file in hearing.prompts.model_dump().items():
            read = read_prompt(asterisk, language, file, problems, f"hearing.prompts.{name}")
            if read is not None:
                found[name] = Prompt(media_of(asterisk, language, file), read[1])
        if len(found) == len(type(hearing.prompts).model_fields):
            said[language] = Said(**found)
    return said


def in_language(said: Mapping[str, Said], language: str) -> Said:
    """In the channel's language, possibly regional (``ja_JP``), if it is there; else the first."""
    wanted = language.replace("-", "_").split("_", 1)[0].lower()
    return said.get(wanted) or next(iter(said.values()))


def announcements_reached(reach: Mapping[str, Reach]) -> Mapping[Announcement, str]:
    """What may have to be said, and which rules can ask for it; empty if the policy itself does."""
    can_refuse = Withdrawal.ON in reach["withdrawal"] or set(reach["consent"]) - {Consent.NOTICE}
    fields = ["on_notice_failure", "on_recording_failure", *(["on_refusal"] if can_refuse else [])]
    found: dict[Announcement, str] = {}
    for field in fields:
        for kind, why in _announced(field, reach[field]):
            if not why or kind not in found:
                found[kind] = why
    return found


def may_be_refused(reach: Mapping[str, Reach]) -> set[Announcement]:
    """What is said where somebody of the staff ends the recording at a caller's wish."""
    return {kind for kind, _ in _announced("on_refusal", reach["on_refusal"])}


def _announced(field: str, values: Reach) -> Iterator[tuple[Announcement, str]]:
    for value, ids in values.items():
        kind = announcement_for(value, refused=field == "on_refusal")
        if kind is not None:
            yield kind, asked_by(ids, f"{field} = {value}")


def unspoken_keys(plan: PolicyPlan, reach: Mapping[str, Reach], address: str) -> Iterator[str]:
    """A key that refuses or accepts is worth nothing if the notice does not say it."""
    said: set[tuple[str, str, str]] = set()
    for consent in sorted(reach["consent"], key=tuple(Consent).index):
        why = asked_by(reach["consent"][consent], consent)
        notice = plan.notices[consent]
        for language in plan.languages:
            wording = notice.wordings.get(language)
            if wording is None or language not in EXPRESSIONS:
                continue
            spoken = keys_spoken(fold(wording.text), EXPRESSIONS[language])
            for key in sorted(_keys_asked(plan, consent) - spoken):
                if (notice.id, language, key) not in said:
                    said.add((notice.id, language, key))
                    what = f'notice "{notice.id}" does not say key {key} in {language}'
                    yield f"{address}.keys: {what}" + (f": {why}" if why else "")


def _keys_asked(plan: PolicyPlan, consent: Consent) -> set[str]:
    match consent:
        case Consent.NOTICE:
            return set()
        case Consent.OPT_OUT:
            return {plan.keys.refuse}
        case Consent.OPT_IN:
            return {plan.keys.refuse, plan.keys.accept}


def too_long(limits: LimitSettings, plan: PolicyPlan, reach: Mapping[str, Reach]) -> Iterator[str]:
    """The routine's own limit must not end a notice that plays well, nor what follows it."""
    margin_ms = round(limits.notice_margin_s * 1_000)
    said: set[str] = set()
    for consent in reach["consent"]:
        asks = consent is not Consent.NOTICE
        fields = ["on_notice_failure", *(["on_refusal"] if asks else [])]
        kinds = {kind for field in fields for kind, _ in _announced(field, reach[field])}
        prompts = [prompt for kind in kinds for prompt in plan.announcements.get(kind, {}).values()]
        after_ms = max((prompt.length_ms + margin_ms for prompt in prompts), default=0)
        after_ms += plan.grace_ms if asks else 0
        first = (plan.introduction or {}).values()
        before_ms = max((prompt.length_ms + margin_ms for prompt in first), default=0)
        notice = plan.notices[consent]
        for wording in notice.wordings.values():
            needed_s = (before_ms + wording.length_ms + margin_ms + after_ms) / 1_000
            label = notice.label(wording.language)
            problem = (
                f"limits.dialplan_s: policy {plan.name} needs {needed_s:.1f} s for notice {label}"
                ", its margin, the grace and an announcement"
            )
            if needed_s > limits.dialplan_s and problem not in said:
                said.add(problem)
                yield problem
