"""Notices, and the policy that says which one a party must hear before being recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from asterisk_compliance.domain.periods import Period
from asterisk_compliance.domain.purposes import PurposeCode


class CaptureFrom(StrEnum):
    """From when on MixMonitor keeps audio."""

    BRIDGED = "bridged"
    """While the caller is bridged to somebody: no waiting music, no asides in a queue."""
    NOTICE = "from-notice"
    """From the completed notice on, whatever happens to the channel."""
    ON_DEMAND = "on-demand"
    """Only while somebody asked for it, and while the caller is bridged."""


class Consent(StrEnum):
    """What a party must do, beside hearing the notice, to be recorded."""

    NOTICE = "notice"
    """Stay on the line."""
    OPT_OUT = "opt-out"
    """Not press the refusing key, until a short time after the notice."""
    OPT_IN = "opt-in"
    """Press the accepting key; silence refuses."""


class ToldBy(StrEnum):
    """By what a party is told what its recording is for (APPI Article 21(1))."""

    NOTICE = "notice"
    """The words of the notice say every purpose."""
    PUBLICATION = "publication"
    """The notice names the page on which the purposes are published."""


class OnProblem(StrEnum):
    """What happens to a call that may not be recorded."""

    CONTINUE = "continue-unrecorded"
    TELL = "tell"
    """Say that it is not recorded, then continue."""
    ALTERNATIVE = "alternative"
    """Say that it must be recorded, then let the dialplan offer another way."""
    END = "end"
    """Say that it must be recorded, then hang up."""


class Fallback(StrEnum):
    """What the dialplan does alone while the service is not there."""

    UNRECORDED = "continue-unrecorded"
    RECORD = "record"
    """Play the notice, and record the caller's direction; the service adopts it later."""


class RecordingDuty(StrEnum):
    OPTIONAL = "optional"
    MANDATORY = "mandatory"


class AgentConsent(StrEnum):
    NONE = "none"
    REQUIRED = "required"
    """The agent's direction is kept only with his consent on file."""


class OnJoin(StrEnum):
    """What happens when a party joins that has not heard the notice."""

    CONTINUE = "continue"
    RENOTIFY = "renotify"
    STOP = "stop"


class Withdrawal(StrEnum):
    """Whether the caller can withdraw in mid-call by a sequence of digits."""

    OFF = "off"
    ON = "on"


class OnPauseForgotten(StrEnum):
    """What happens when nobody resumes."""

    RESUME = "resume"
    END = "end"
    """The recording ends."""


class OnWithdrawal(StrEnum):
    """What becomes of what was recorded before the caller withdrew."""

    KEEP = "keep"
    DELETE = "delete"
    HOLD = "hold"
    """It is kept, and nobody may use it until that is decided."""


class Announcement(StrEnum):
    """What is said to a party whose call will not be recorded."""

    REFUSED = "refused"
    NOT_RECORDED = "not-recorded"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A sound that is no notice; ``media`` and ``audio_digest`` as in :class:`Wording`."""

    media: str
    length_ms: int
    audio_digest: str = ""


@dataclass(frozen=True, slots=True)
class ConsentKeys:
    """Which digit means what while we ask; empty: none does."""

    accept: str = ""
    refuse: str = ""
    repeat: str = ""
    language: str = ""


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
    """A versioned notice. Same id and version, same words: a change is a new version.

    ``retention``: how long a recording is kept at most, by its words; ``None``: they do not say.
    ``told_by``: who hears it knows the purposes by its words, or by the page that it names.
    """

    id: str
    version: str
    purposes: tuple[PurposeCode, ...]
    wordings: Mapping[str, Wording]
    retention: Period | None = None
    told_by: ToldBy = ToldBy.NOTICE

    def label(self, language: str) -> str:
        """``id/version/language``, as it stands in ``COMPLIANCE_NOTICE`` and in rows."""
        return f"{self.id}/{self.version}/{language}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What applies to a call that asks for this policy by name.

    One policy of the configuration is many of these, one for each set of terms that its rules can
    make of it (:mod:`~asterisk_compliance.domain.policy.plan`).

    Attributes:
        languages: In order of preference; the notice has a wording in each.
        grace_ms: How long after the notice a digit still counts.
        repeats_max: How often a notice is played again, or in another language, on request.
        announcements: By kind and language; those that ``on_refusal`` and
            ``on_notice_failure`` need are there in every language.
        duty, on_recording_failure, agent_consent, on_join, withdrawal, beep_s,
            retention_min_days, retention_max_days: As in
            :class:`~asterisk_compliance.domain.policy.terms.CallTerms`.
        joined: What a party hears who joins a recorded call; ``None``: the notice itself.
        pause_max_ms: Nobody pauses for longer; ``on_pause_forgotten`` follows.
        introduction: What is said before the notice, by language: who calls, and what for.
        do_not_call: Whoever refuses goes on the list of numbers that are not called again.
        retention: How long its recordings are kept, as :meth:`~.retention.Told.texts` says it.
        digest: SHA-256 over everything else; rows name the policy by it.
    """

    name: str
    notice: Notice
    languages: tuple[str, ...]
    capture: CaptureFrom
    digest: str
    consent: Consent = Consent.NOTICE
    keys: ConsentKeys = ConsentKeys()
    grace_ms: int = 0
    repeats_max: int = 0
    on_refusal: OnProblem = OnProblem.TELL
    on_notice_failure: OnProblem = OnProblem.CONTINUE
    announcements: Mapping[Announcement, Mapping[str, Prompt]] = field(default_factory=dict)
    duty: RecordingDuty = RecordingDuty.OPTIONAL
    on_recording_failure: OnProblem = OnProblem.CONTINUE
    agent_consent: AgentConsent = AgentConsent.NONE
    on_join: OnJoin = OnJoin.RENOTIFY
    withdrawal: Withdrawal = Withdrawal.OFF
    beep_s: int | None = None
    retention_min_days: int | None = None
    retention_max_days: int | None = None
    joined: Notice | None = None
    pause_max_ms: int = 600_000
    on_pause_forgotten: OnPauseForgotten = OnPauseForgotten.RESUME
    on_withdrawal: OnWithdrawal = OnWithdrawal.KEEP
    introduction: Mapping[str, Prompt] | None = None
    do_not_call: bool = False
    retention: tuple[str, ...] = ()

    @property
    def told_by(self) -> ToldBy:
        """``PUBLICATION`` if any of its parties can be told the purposes in no other way."""
        notices = (self.notice, self.joined)
        relies = any(one is not None and one.told_by is ToldBy.PUBLICATION for one in notices)
        return ToldBy.PUBLICATION if relies else ToldBy.NOTICE

    def wording_for(self, channel_language: str) -> Wording:
        """The wording in the channel's language if the policy offers it, else in its first.

        ``channel_language`` is Asterisk's, possibly regional: ``ja_JP`` means ``ja``.
        """
        wanted = channel_language.replace("-", "_").split("_", 1)[0].lower()
        language = wanted if wanted in self.languages else self.languages[0]
        return self.notice.wordings[language]

    def language_after(self, language: str) -> str:
        """The next language of the policy, for the key that asks for another one."""
        at = self.languages.index(language)
        return self.languages[(at + 1) % len(self.languages)]


def announcement_for(what: OnProblem, *, refused: bool) -> Announcement | None:
    """What is said before a call goes on, is led elsewhere, or ends, unrecorded."""
    match what:
        case OnProblem.CONTINUE:
            return None
        case OnProblem.TELL:
            return Announcement.REFUSED if refused else Announcement.NOT_RECORDED
        case OnProblem.ALTERNATIVE | OnProblem.END:
            return Announcement.REQUIRED
        case _ as never:
            assert_never(never)
